import type { FastifyRequest } from 'fastify'

// The router reduces an absolute request line in exactly this way: what is verified must be what is routed.
const origin = /^https?:\/\/[^/]*\//

/** Path and query as they stand on the request line; `POST http://elsewhere/jobs/x` counts as `/jobs/x`. */
export function requestTarget(request: FastifyRequest): string {
  const line = request.raw.url ?? ''
  return line.startsWith('/') ? line : line.replace(origin, '/')
}

/**
 * The address a caller must have signed: the configured public address, a path prefix of it included, and the request's
 * own path and query. Never `Host` or `X-Forwarded-*`, which anybody can send.
 */
export function expectedUrl(publicUrl: string): (request: FastifyRequest) => string {
  const base = publicUrl.replace(/\/+$/, '')
  return request => `${base}${requestTarget(request)}`
}
