import { randomBytes } from 'node:crypto'
import { fastify, type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { answerError } from './error-handler.ts'

/** Fastify with every limit said aloud: sizes, times, what it believes of proxies, and no route for HEAD by itself. */
export function createServer(log: FastifyBaseLogger): FastifyInstance {
  const server = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // A request id from outside could be anything, also another request's.
    requestIdHeader: false,
    genReqId: createRequestIds(),
    // What fails before a route is found has the same shape as everything else.
    frameworkErrors: answerError,
    bodyLimit: 1_048_576,
    requestTimeout: 30_000,
    // Longer than the platform's proxy keeps a connection, or it would use one that we are just closing.
    keepAliveTimeout: 120_000,
    // For rate limits only: the nearest address that is not the platform's own proxy.
    trustProxy: ['linklocal', 'uniquelocal'],
    // A HEAD that ran a GET route could run a job.
    routerOptions: { ignoreTrailingSlash: false },
    exposeHeadRoutes: false,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  })
  let closing = false
  server.addHook('preClose', async () => {
    closing = true
  })
  // Without it `close` waits for the keep-alive time of every connection that was busy.
  server.addHook('onSend', (_request, reply, payload, next) => {
    if (closing) void reply.header('connection', 'close')
    next(null, payload)
  })
  return server
}

/** Ids that are unique among processes by their first half and within one by their second: random ones cost a fifth of a request. */
function createRequestIds(): () => string {
  const prefix = randomBytes(6).toString('base64url')
  let last = 0
  return () => {
    last += 1
    return `${prefix}-${last.toString(36)}`
  }
}
