import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Db } from '../database/connection.ts'
import { listOperationsWithItems } from '../database/operation-queries.ts'
import { findRun, listRuns } from '../database/run-history.ts'
import { runStates } from '../database/tables.ts'
import operatorRoutes from '../plugins/operator-routes.ts'
import type { Job } from '../runner/define-job.ts'
import { drainRetrySeconds, retryAfter } from '../runner/outcomes.ts'
import type { OperatorActions } from '../runner/operator-actions.ts'
import { limit, name, remark, toLimit, toPage, uuid } from './operator-schemas.ts'

export interface RunRoutesOptions {
  readonly jobs: ReadonlyMap<string, Job>
  readonly actions: OperatorActions
  readonly db: Db
  readonly isBooted: () => boolean
}

const listQuery = Type.Object(
  {
    job: Type.Optional(name),
    state: Type.Optional(Type.String({ enum: runStates })),
    before: Type.Optional(uuid),
    limit: Type.Optional(limit),
  },
  { additionalProperties: false },
)
const startBody = Type.Object(
  {
    job: name,
    dryRun: Type.Optional(Type.Boolean({ description: 'true or false' })),
    planHash: Type.Optional(
      Type.String({ pattern: '^[0-9a-f]{64}$', description: '64 hexadecimal digits; a dry run answers with it' }),
    ),
    input: Type.Optional(Type.Unknown()),
    ping: Type.Optional(Type.Boolean({ description: 'true or false' })),
  },
  { additionalProperties: false },
)
// The rest of a very large run is at GET /operations?run=<id>&before=<the last of these>.
const operationsShown = 1000
const switchBody = Type.Object({ reason: remark }, { additionalProperties: false })

/** What an operator can ask of runs and jobs. Every route asks for the operator's token, and every change is audited. */
const runRoutes: FastifyPluginAsyncTypebox<RunRoutesOptions> = async (app, options) => {
  await app.register(operatorRoutes, { isBooted: options.isBooted })
  addReads(app, options)
  addStart(app, options)
  addSwitches(app, options)
}

export default runRoutes

type Typed = Parameters<typeof runRoutes>[0]

function addReads(app: Typed, { db, jobs }: RunRoutesOptions): void {
  app.get('/runs', { schema: { querystring: listQuery } }, async request => {
    const { limit: given, ...filter } = request.query
    const wanted = toLimit(given)
    const { next, page } = toPage(await listRuns(db, { ...filter, limit: wanted + 1 }), wanted)
    // A job that is no more may have runs.
    if (page.length === 0 && filter.job !== undefined) getJob(app, jobs, filter.job)
    return { runs: page, next }
  })

  app.get('/runs/:id', { schema: { params: Type.Object({ id: uuid }) } }, async request => {
    const run = await findRun(db, request.params.id)
    if (run === undefined) throw app.httpErrors.notFound(`there is no run ${request.params.id}: GET /runs lists them`)
    return { ...run, operations: await listOperationsWithItems(db, { run: run.id, limit: operationsShown }) }
  })
}

function addStart(app: Typed, { actions, jobs }: RunRoutesOptions): void {
  app.post('/runs', { schema: { body: startBody } }, async (request, reply) => {
    const { dryRun = false, input, job: name, ping = false, planHash } = request.body
    const job = getJob(app, jobs, name)
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
}

function addSwitches(app: Typed, { actions, jobs }: RunRoutesOptions): void {
  const params = Type.Object({ job: Type.String() })
  app.post('/jobs/:job/pause', { schema: { params, body: switchBody } }, async request => {
    const job = getJob(app, jobs, request.params.job)
    const changed = await actions.pause(job, request.operator ?? '', request.body.reason)
    return { job: job.name, paused: true, changed }
  })

  app.post('/jobs/:job/resume', { schema: { params, body: switchBody } }, async request => {
    const job = getJob(app, jobs, request.params.job)
    const changed = await actions.resume(job, request.operator ?? '', request.body.reason)
    return { job: job.name, paused: false, changed }
  })
}

function getJob(app: Typed, jobs: RunRoutesOptions['jobs'], name: string): Job {
  const job = jobs.get(name)
  if (job !== undefined) return job
  throw app.httpErrors.notFound(`there is no job ${name}: known are ${[...jobs.keys()].join(', ')}`)
}
