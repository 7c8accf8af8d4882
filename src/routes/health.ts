import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { HealthBody } from '../health/aggregate.ts'
import {
  type Answer,
  answerDependencies,
  answerDependency,
  answerJobs,
  answerKnown,
  answerProcess,
  answerReadiness,
  type Audience,
  type HealthSources,
} from '../health/answers.ts'

const retryAfterSeconds = 5

/**
 * The health routes. `/livez`, `/healthz` and `/readyz` speak of this process and are never cached;
 * the others speak of what it depends on. How deep a check goes is chosen by the address and by nothing else.
 */
const health: FastifyPluginAsync<HealthSources> = async (app, sources) => {
  addOfProcess(app, sources)
  addOfDependencies(app, sources)
}

export default health

const open = { method: ['GET', 'HEAD'] }

function addOfProcess(app: FastifyInstance, sources: HealthSources): void {
  app.route({
    ...open,
    url: '/livez',
    handler: async (request, reply) => renderFresh(request, reply, { status: 'pass' }),
  })
  app.route({
    ...open,
    url: '/healthz',
    handler: async (request, reply) => renderFresh(request, reply, answerProcess(sources.state())),
  })
  app.route({
    ...open,
    url: '/readyz',
    handler: async (request, reply) => renderFresh(request, reply, await answerReadiness(sources)),
  })
}

function addOfDependencies(app: FastifyInstance, sources: HealthSources): void {
  const limited = { ...open, onRequest: app.limitCalls }
  for (const url of ['/health', '/api/health', '/api/healthcheck']) {
    app.route({
      ...limited,
      url,
      handler: async (request, reply) => {
        const audience = audienceOf(request)
        const answer = asksForServices(request)
          ? await answerDependencies(sources, audience)
          : answerKnown(sources, audience)
        return renderAnswer(request, reply, answer)
      },
    })
  }
  for (const prefix of ['/health', '/api/health']) {
    app.route({
      ...limited,
      url: `${prefix}/jobs`,
      handler: async (request, reply) => renderAnswer(request, reply, await answerJobs(sources, audienceOf(request))),
    })
    app.route<{ Params: { service: string } }>({
      ...limited,
      url: `${prefix}/:service`,
      handler: async (request, reply) => {
        const probe = sources.dependencies.get(request.params.service)
        if (probe === undefined) {
          throw app.httpErrors.notFound(`no such service; there are ${[...sources.dependencies.keys()].join(', ')}`)
        }
        return renderAnswer(request, reply, await answerDependency(sources, probe, audienceOf(request)))
      },
    })
  }
}

function audienceOf(request: FastifyRequest): Audience {
  return request.server.identifyOperator(request) === undefined ? 'public' : 'operator'
}

/** Strict, because a mistyped parameter would quietly make a monitor of the dependencies a shallow one. */
function asksForServices(request: FastifyRequest): boolean {
  const parameters = Object.entries(request.query as Record<string, unknown>)
  if (parameters.some(([name, value]) => name !== 'services' || value !== 'true')) {
    throw request.server.httpErrors.badRequest('the only parameter is services, and its only value is true')
  }
  return parameters.length > 0
}

function renderFresh(request: FastifyRequest, reply: FastifyReply, body: HealthBody): HealthBody {
  if (body.status === 'fail') void reply.header('retry-after', retryAfterSeconds)
  void reply.header('cache-control', 'no-store')
  return render(request, reply, body)
}

/** Sends an answer with how long it is good for: 503 with `Retry-After` where it fails. */
export function renderAnswer(request: FastifyRequest, reply: FastifyReply, { body, ttlMs }: Answer): HealthBody {
  const seconds = Math.floor(ttlMs / 1000)
  if (body.status === 'fail') void reply.header('retry-after', Math.max(1, seconds))
  // The answer depends on both, and no cache may show an operator's to anybody else.
  void reply.header('vary', 'accept, authorization').header('cache-control', `private, max-age=${seconds}`)
  return render(request, reply, body)
}

function render(request: FastifyRequest, reply: FastifyReply, body: HealthBody): HealthBody {
  if (body.status === 'fail') void reply.code(503)
  const isAsked = request.headers.accept?.includes('application/health+json') === true
  if (isAsked) void reply.type('application/health+json; charset=utf-8')
  return body
}
