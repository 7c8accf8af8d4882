import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { createSecretCheck, hashBearerToken } from './bearer-token.ts'
import { createRefusalLog } from './refusal-log.ts'
import { findMalformation, type KeyName, type SigningKeys, verifySignature } from './verify-signature.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What opens this route. Every route behind the door must say so. */
    door?: Door
  }
  interface FastifyRequest {
    /** Set once QStash's signature was verified; null when a bearer secret opened the door. */
    signed: Signed | null
    /** The body exactly as it came; empty when there was none. For the handler, after the door. */
    readonly rawBody: Buffer
  }
}

const doors = ['signature', 'signature-or-bearer', 'bearer'] as const
export type Door = (typeof doors)[number]

export interface Signed {
  /** SHA-256 of the token's text. */
  readonly tokenHash: Buffer
  readonly key: KeyName
}

export interface QstashSignatureOptions {
  readonly keys: SigningKeys
  readonly expectedUrl: (request: FastifyRequest) => string
  readonly clock: () => Date
  /** How far the clocks may differ; 0 unless said. */
  readonly toleranceSeconds?: number
  readonly bearerSecret?: string | undefined
}

const staleWarningMs = 60_000
const noBody = Buffer.alloc(0)
// Constant to the byte: the answer must not say what was wrong, nor differ between two reasons in any other way.
const refusal = Buffer.from(
  JSON.stringify({
    statusCode: 401,
    error: 'Unauthorized',
    message: 'a valid signature is required',
    requestId: 'see the x-request-id header',
  }),
)

/** The one answer to everybody who may not come in. */
export function refuseSignature(reply: FastifyReply): FastifyReply {
  return reply.code(401).header('content-type', 'application/json; charset=utf-8').send(refusal)
}

/**
 * Guards every route of the scope it is registered in, as their `config.door` says. One verdict: where a signature
 * counts and one is there, it alone decides; otherwise the bearer secret does. Bodies arrive as the bytes they are.
 * What can be refused without the body is refused before it is read. Throws when a route is registered without a door.
 */
export default fp<QstashSignatureOptions>(
  async (app, options) => {
    takeBodiesAsBytes(app)
    app.decorateRequest('signed', null)
    app.addHook('onRoute', refuseToStayOpen)
    const refusals = createRefusalLog(app.log, options.clock)
    const refuse = (reason: string, request: FastifyRequest, reply: FastifyReply): void => {
      request.log.debug({ reason }, 'refused at the door')
      refusals.record(reason)
      refuseSignature(reply)
    }
    const ownsSecret = createSecretCheck(options.bearerSecret)
    const verify = createVerifier(app, options)

    app.addHook('onRequest', (request, reply, next) => {
      const reason = isDecidedBySignature(request)
        ? findMalformation(request.headers['upstash-signature'])
        : findSecretProblem(request, ownsSecret)
      if (reason === undefined) next()
      else refuse(reason, request, reply)
    })
    app.addHook('preValidation', (request, reply, next) => {
      const verdict = isDecidedBySignature(request) ? verify(request) : undefined
      if (verdict?.ok === false) {
        refuse(verdict.reason, request, reply)
        return
      }
      if (verdict !== undefined) request.signed = { tokenHash: verdict.tokenHash, key: verdict.key }
      next()
    })
    app.addHook('onClose', async () => {
      refusals.flush()
    })
  },
  { name: 'qstash-signature', fastify: '5.x' },
)

function refuseToStayOpen({ config, method, url }: RouteOptions): void {
  if (config?.door !== undefined && doors.includes(config.door)) return
  throw new Error(`route ${String(method)} ${url} says nothing about its door: set config.door to ${doors.join(', ')}`)
}

/** Anything but an explicit bearer door asks for a signature, so that a route without a door stays shut. */
function isDecidedBySignature(request: FastifyRequest): boolean {
  const { door } = request.routeOptions.config
  if (door === 'bearer') return false
  return door !== 'signature-or-bearer' || request.headers['upstash-signature'] !== undefined
}

function findSecretProblem(request: FastifyRequest, owns: (tokenHash: Buffer) => boolean): string | undefined {
  const tokenHash = hashBearerToken(request)
  if (tokenHash === undefined) return 'missing'
  return owns(tokenHash) ? undefined : 'secret'
}

function takeBodiesAsBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body)
  })
  // A content type that is no media type would be answered 415 before the signature is looked at.
  app.addHook('onRequest', ({ headers }, _reply, next) => {
    if (headers['content-type'] !== undefined) headers['content-type'] = 'application/octet-stream'
    next()
  })
  app.decorateRequest('rawBody', {
    getter() {
      return Buffer.isBuffer(this.body) ? this.body : noBody
    },
  })
}

/** Checks the request's signature now, and warns once a minute at most while only the next key fits. */
function createVerifier(app: FastifyInstance, options: QstashSignatureOptions) {
  const { clock, expectedUrl, keys, toleranceSeconds = 0 } = options
  let warnedAt = Number.NEGATIVE_INFINITY
  return (request: FastifyRequest) => {
    const nowMs = clock().getTime()
    const verdict = verifySignature({
      header: request.headers['upstash-signature'],
      body: request.rawBody,
      url: expectedUrl(request),
      keys,
      nowEpochSeconds: Math.floor(nowMs / 1000),
      toleranceSeconds,
    })
    if (verdict.ok && verdict.key === 'next' && nowMs - warnedAt >= staleWarningMs) {
      warnedAt = nowMs
      app.log.warn(
        'a delivery was signed with the next key: keys were rolled, deploy the new pair before they roll again',
      )
    }
    return verdict
  }
}
