import rateLimit from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { toError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** An onRequest hook: counts the call against its caller's limit, or answers 429. Put it before whatever judges who calls. */
    limitCalls: onRequestHookHandler
  }
}

export interface RateLimitOptions {
  /** Calls of one caller in one window, over all limited routes together. */
  readonly max?: number
  readonly timeWindowMs?: number
}

/**
 * Limits the routes that take `limitCalls`, per operator or else per address, and answers 429 with `Retry-After` beyond
 * that. A hook for those routes and not for all: a monitor that asks whether we live should not pay for it.
 */
export default fp<RateLimitOptions>(
  async (app, { max = 100, timeWindowMs = 60_000 }) => {
    await app.register(rateLimit, {
      global: false,
      max,
      timeWindow: timeWindowMs,
      keyGenerator: request => {
        const operator = app.identifyOperator(request)
        return operator === undefined ? `ip:${rateLimit.normalizeIP(request.ip)}` : `op:${operator}`
      },
      errorResponseBuilder: (_request, { after }) =>
        app.httpErrors.tooManyRequests(`too many calls: try again in ${after}`),
    })
    const limit = app.rateLimit()
    const judge = async (request: FastifyRequest, reply: FastifyReply, next: (err?: Error) => void): Promise<void> => {
      try {
        await limit.call(app, request, reply)
      } catch (thrown) {
        next(toError(thrown))
        return
      }
      next()
    }

    app.decorate('limitCalls', (request, reply, next) => {
      void judge(request, reply, next)
    })
  },
  { name: 'rate-limit', fastify: '5.x', dependencies: ['@fastify/sensible', 'operator-auth'] },
)
