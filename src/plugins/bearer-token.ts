import { hash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'

const bearer = /^Bearer +([\x21-\x7e]+)$/i

/** SHA-256 of the request's bearer token, or undefined when it has none of the usual form. */
export function hashBearerToken(request: FastifyRequest): Buffer | undefined {
  const token = bearer.exec(request.headers.authorization ?? '')?.[1]
  return token === undefined ? undefined : hash('sha256', token, 'buffer')
}

/**
 * Makes the comparison with one secret: constant in time, as both sides are hashes of one length. A secret that is not
 * set, or empty, matches nothing.
 */
export function createSecretCheck(secret: string | undefined): (tokenHash: Buffer) => boolean {
  if (secret === undefined || secret === '') return () => false
  const wanted = hash('sha256', secret, 'buffer')
  return tokenHash => timingSafeEqual(wanted, tokenHash)
}
