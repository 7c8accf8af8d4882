import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Db } from '../database/connection.ts'
import { type ChangedFinding, findUnknownKind, listFindings, type ListedFinding } from '../database/finding-queries.ts'
import { type FindingChoice, findingChoices } from '../database/tables.ts'
import operatorRoutes from '../plugins/operator-routes.ts'
import { describeUnchanged, type OperatorActions } from '../runner/operator-actions.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { limit, name, refuseAs, remark, toLimit, toPage } from './operator-schemas.ts'

export interface FindingRoutesOptions {
  readonly actions: OperatorActions
  readonly db: Db
  readonly isBooted: () => boolean
}

const findingId = Type.String({
  pattern: '^[1-9]\\d{0,17}$',
  description: "a finding's number, as GET /findings shows it",
})
const listQuery = Type.Object(
  {
    state: Type.Optional(Type.String({ enum: findingChoices })),
    kind: Type.Optional(name),
    job: Type.Optional(name),
    before: Type.Optional(findingId),
    limit: Type.Optional(limit),
  },
  { additionalProperties: false },
)
const params = Type.Object({ id: findingId })
const body = Type.Object({ note: remark }, { additionalProperties: false })
const resolveBody = Type.Object(
  { note: remark, letMoneyGo: Type.Optional(Type.Boolean({ description: 'true or false' })) },
  { additionalProperties: false },
)

/** What a person must look at, and what they say of it. */
const findingRoutes: FastifyPluginAsyncTypebox<FindingRoutesOptions> = async (app, { actions, db, isBooted }) => {
  await app.register(operatorRoutes, { isBooted })

  app.get('/findings', { schema: { querystring: listQuery } }, async request => {
    const { limit: given, state, ...filter } = request.query
    const wanted = toLimit(given)
    const choice = state as FindingChoice | undefined
    const { next, page } = toPage(await listFindings(db, { ...filter, state: choice, limit: wanted + 1 }), wanted)
    if (page.length === 0 && filter.kind !== undefined) {
      const problem = await findUnknownKind(db, filter.kind)
      if (problem !== undefined) throw app.httpErrors.badRequest(problem)
    }
    return { findings: page.map(redactDetails), next }
  })

  app.post('/findings/:id/acknowledge', { schema: { params, body } }, async request => {
    const { id } = request.params
    return conclude(id, await actions.acknowledgeFinding(id, request.operator ?? '', request.body.note))
  })

  app.post('/findings/:id/resolve', { schema: { params, body: resolveBody } }, async request => {
    const { id } = request.params
    const { letMoneyGo = false, note } = request.body
    const change = actions.resolveFinding(id, request.operator ?? '', note, letMoneyGo)
    return conclude(id, await refuseAs(app.httpErrors.conflict, change))
  })

  function conclude(id: string, change: ChangedFinding | undefined): ListedFinding {
    if (change === undefined)
      throw app.httpErrors.notFound(`there is no finding ${id}: GET /findings?state=all lists them`)
    if (!change.changed) throw app.httpErrors.conflict(describeUnchanged(change))
    return redactDetails(change.finding)
  }
}

export default findingRoutes
