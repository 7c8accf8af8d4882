import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { PermanentError } from '../errors.ts'
import qstashSignature, { type QstashSignatureOptions, refuseSignature } from '../plugins/qstash-signature.ts'
import type { DeadLetters } from '../runner/dead-letters.ts'
import type { Job } from '../runner/define-job.ts'
import { drainRetrySeconds, nonRetryableHeaders, nonRetryableStatus, retryAfter } from '../runner/outcomes.ts'
import type { RunResult, Runner } from '../runner/run-job.ts'
import { MalformedRequest, readDelivery, readJson } from './read-delivery.ts'

export interface JobRoutesOptions {
  readonly jobs: ReadonlyMap<string, Job>
  readonly runner: Runner
  readonly deadLetters: DeadLetters
  readonly door: QstashSignatureOptions
  readonly newId: () => string
  /** False until the database was usable once. */
  readonly isBooted: () => boolean
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the job that a request names is known; an unknown one is told so before anything else is judged. */
    namesKnownJob?: (request: FastifyRequest) => boolean
  }
}

interface JobParams {
  Params: { job: string }
}

/** Where QStash and cron-style callers ask for jobs. Order of refusal: unknown job, wrong method, not ready, door, payload. */
const jobRoutes: FastifyPluginAsync<JobRoutesOptions> = async (app, options) => {
  const { deadLetters, jobs } = options
  const exists = (request: FastifyRequest): boolean => jobs.has((request.params as { job: string }).job)
  const known = { exists, namesKnownJob: exists }

  app.addHook('onRequest', async (request, reply) => refuseEarly(request, reply, options))
  // Registered after the hook above: an unknown job is told so before anything is verified.
  await app.register(qstashSignature, options.door)

  const answerJob = createAnswer(options)
  const runNamed = async (request: FastifyRequest<JobParams>, reply: FastifyReply) =>
    await answerJob(jobs.get(request.params.job) as Job, request, reply, request.query, request.method === 'GET')

  app.post<JobParams>('/jobs/:job', { config: { door: 'signature-or-bearer', ...known } }, runNamed)
  app.post<JobParams>('/api/cron/:job', { config: { door: 'signature-or-bearer', ...known } }, runNamed)
  app.get<JobParams>('/api/cron/:job', { config: { door: 'bearer', ...known } }, runNamed)

  app.post(
    '/api/qstash',
    { config: { door: 'signature', namesKnownJob: request => jobs.has(readTarget(request)?.job ?? '') } },
    async (request, reply) => {
      const target = readTarget(request)
      const job = jobs.get(target?.job ?? '')
      if (job === undefined || target === undefined) return reply.callNotFound()
      if (job.movesMoney) throw app.httpErrors.forbidden(`${job.name} moves money: schedule /jobs/${job.name} itself`)
      return await answerJob(job, request, reply, target.query)
    },
  )

  app.post('/qstash/failure', { config: { door: 'signature' } }, async (request, reply) => {
    try {
      return await deadLetters.record(readJson(request.rawBody))
    } catch (thrown) {
      if (thrown instanceof MalformedRequest || thrown instanceof PermanentError) {
        return await refuseMalformed(thrown.message, request, reply)
      }
      throw thrown
    }
  })
}

export default jobRoutes

/** Before anything is verified: an unknown job, a body that is too large, and a process that takes no jobs now. */
function refuseEarly(request: FastifyRequest, reply: FastifyReply, { isBooted, runner }: JobRoutesOptions) {
  const { httpErrors, initialConfig } = request.server
  if (request.routeOptions.config.namesKnownJob?.(request) === false) return reply.callNotFound()
  if (Number(request.headers['content-length'] ?? 0) > initialConfig.bodyLimit!) {
    throw httpErrors.payloadTooLarge('a delivery has at most 1 MiB')
  }
  if (!isBooted() || runner.draining) {
    reply.headers(retryAfter(drainRetrySeconds))
    throw httpErrors.serviceUnavailable('this process takes no jobs at the moment: call again')
  }
}

/** Runs the job that a request asks for, and answers what came of it. */
function createAnswer({ newId, runner }: JobRoutesOptions) {
  return async (job: Job, request: FastifyRequest, reply: FastifyReply, query: unknown, cronStyle = false) => {
    const { headers, rawBody } = request
    const tokenHash = request.signed?.tokenHash ?? null
    try {
      const delivery = readDelivery(job, { headers, query, rawBody, tokenHash, cronStyle }, newId)
      return await send(await runner.run(delivery), request, reply)
    } catch (thrown) {
      if (thrown instanceof MalformedRequest) return await refuseMalformed(thrown.message, request, reply)
      throw thrown
    }
  }
}

/** The old forwarder named the job by the path of a header; host and scheme of it are ignored. */
function readTarget(request: FastifyRequest): { job: string; query: Record<string, unknown> } | undefined {
  const header = request.headers['x-qstash-target-url']
  if (typeof header !== 'string' || !URL.canParse(header, 'http://ignored')) return undefined
  const { pathname, searchParams } = new URL(header, 'http://ignored')
  const job = /^\/(?:jobs|api\/cron)\/([\w-]+)$/.exec(pathname)?.[1]
  if (job === undefined) return undefined
  const query: Record<string, unknown> = {}
  for (const name of new Set(searchParams.keys())) {
    const values = searchParams.getAll(name)
    query[name] = values.length === 1 ? values[0] : values
  }
  return { job, query }
}

function send(result: RunResult, request: FastifyRequest, reply: FastifyReply) {
  if (result.kind === 'answered') {
    const { body, headers, statusCode } = result.answer
    return reply.code(statusCode).headers(headers).send(body)
  }
  switch (result.reason) {
    case 'replayed':
      return refuseSignature(reply)
    case 'malformed':
      return refuseMalformed(result.message, request, reply)
    case 'draining':
    case 'unavailable':
      reply.headers(retryAfter(drainRetrySeconds))
      throw request.server.httpErrors.serviceUnavailable(result.message)
  }
}

/** QStash must not come back with the same bytes; a person or a cron gets an ordinary 400. */
function refuseMalformed(message: string, request: FastifyRequest, reply: FastifyReply) {
  if (request.signed === null) throw request.server.httpErrors.badRequest(message)
  return reply
    .code(nonRetryableStatus)
    .headers(nonRetryableHeaders)
    .send({ statusCode: nonRetryableStatus, error: 'Malformed Delivery', message, requestId: request.id })
}
