import rateLimit from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { toError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True when calls of this route count against their caller's limit. */
    limited?: boolean
  }
}

export interface RateLimitOptions {
  /** Calls of one caller in one window, over all limited routes together. */
  readonly max?: number
  readonly timeWindowMs?: number
}

/**
 * Limits the routes that say `config: { limited: true }`, per operator or else per address, and answers 429 with
 * `Retry-After` beyond that. Register it before the routes: a guess at an operator's token must count before it is refused.
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

    app.addHook('onRequest', (request, reply, next) => {
      if (request.routeOptions.config.limited !== true) {
        next()
        return
      }
      void judge(request, reply, next)
    })
  },
  { name: 'rate-limit', fastify: '5.x', dependencies: ['@fastify/sensible', 'operator-auth'] },
)
