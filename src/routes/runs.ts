import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Db } from '../database/connection.ts'
import { findRun, listRuns } from '../database/run-history.ts'
import { runStates } from '../database/tables.ts'
import type { Job } from '../runner/define-job.ts'
import { drainRetrySeconds, retryAfter } from '../runner/outcomes.ts'
import type { OperatorActions } from '../runner/operator-actions.ts'

export interface RunRoutesOptions {
  readonly jobs: ReadonlyMap<string, Job>
  readonly actions: OperatorActions
  readonly db: Db
  readonly isBooted: () => boolean
}

const uuid = Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' })
const listQuery = Type.Object(
  {
    job: Type.Optional(Type.String({ pattern: '^[\\w-]{1,100}$' })),
    state: Type.Optional(Type.String({ enum: runStates })),
    before: Type.Optional(uuid),
    limit: Type.Optional(
      Type.String({ pattern: '^(?:[1-9]\\d?|1\\d\\d|200)$', description: '1 to 200, 50 unless said' }),
    ),
  },
  { additionalProperties: false },
)
const startBody = Type.Object(
  {
    job: Type.String({ pattern: '^[\\w-]{1,100}$' }),
    dryRun: Type.Optional(Type.Boolean()),
    planHash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    input: Type.Optional(Type.Unknown()),
    ping: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
const switchBody = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 500, pattern: '^(?=.*\\S)[^\\x00-\\x08\\x0b-\\x1f]*$' }) },
  { additionalProperties: false },
)
const usualLimit = 50

/** What an operator can ask of runs and jobs. Every route asks for the operator's token, and every change is audited. */
const runRoutes: FastifyPluginAsyncTypebox<RunRoutesOptions> = async (app, options) => {
  const { actions, db, jobs } = options
  app.addHook('onRequest', app.requireOperator)
  app.addHook('onRequest', async (_request, reply) => {
    if (options.isBooted()) return
    reply.headers(retryAfter(drainRetrySeconds))
    throw app.httpErrors.serviceUnavailable('the database has not been reached yet: call again')
  })
  const config = { limited: true }
  const getJob = (name: string): Job => {
    const job = jobs.get(name)
    if (job === undefined)
      throw app.httpErrors.notFound(`there is no job ${name}: known are ${[...jobs.keys()].join(', ')}`)
    return job
  }

  app.get('/runs', { config, schema: { querystring: listQuery } }, async request => {
    const { before, job, limit, state } = request.query
    const wanted = limit === undefined ? usualLimit : Number(limit)
    const runs = await listRuns(db, { job, state, before, limit: wanted + 1 })
    const page = runs.slice(0, wanted)
    return { runs: page, next: runs.length > wanted ? (page.at(-1)?.id ?? null) : null }
  })

  app.get('/runs/:id', { config, schema: { params: Type.Object({ id: uuid }) } }, async request => {
    const run = await findRun(db, request.params.id)
    if (run === undefined) throw app.httpErrors.notFound(`there is no run ${request.params.id}`)
    return run
  })

  app.post('/runs', { config, schema: { body: startBody } }, async (request, reply) => {
    const { dryRun = false, input, job: name, ping = false, planHash } = request.body
    const job = getJob(name)
    const operator = request.operator ?? ''
    const result = await actions.startRun({ job, trigger: 'operator', operator, input, dryRun, planHash, ping })
    if (result.kind === 'answered') {
      const { body, headers, statusCode } = result.answer
      return await reply.code(statusCode).headers(headers).send(body)
    }
    if (result.reason === 'malformed') throw app.httpErrors.badRequest(result.message)
    reply.headers(retryAfter(drainRetrySeconds))
    throw app.httpErrors.serviceUnavailable(result.message)
  })

  const params = Type.Object({ job: Type.String() })
  app.post('/jobs/:job/pause', { config, schema: { params, body: switchBody } }, async request => {
    const job = getJob(request.params.job)
    const changed = await actions.pause(job, request.operator ?? '', request.body.reason)
    return { job: job.name, paused: true, changed }
  })

  app.post('/jobs/:job/resume', { config, schema: { params, body: switchBody } }, async request => {
    const job = getJob(request.params.job)
    const changed = await actions.resume(job, request.operator ?? '', request.body.reason)
    return { job: job.name, paused: false, changed }
  })
}

export default runRoutes
