import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Db } from '../database/connection.ts'
import { readHoldEvidence } from '../database/hold-evidence.ts'
import { findOperation, listOperations } from '../database/operation-queries.ts'
import { type OperationKind, operationStates, type OperationState } from '../database/tables.ts'
import { describeHold } from '../money/hold-reasons.ts'
import operatorRoutes from '../plugins/operator-routes.ts'
import type { OperatorActions } from '../runner/operator-actions.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { limit, refuseAs, remark, toLimit, toPage, uuid } from './operator-schemas.ts'

export interface OperationRoutesOptions {
  readonly actions: OperatorActions
  readonly db: Db
  readonly isBooted: () => boolean
}

const account = Type.String({
  pattern: '^acct_\\w{1,100}$',
  description: 'a Connect account like acct_1032D82eZvKYlo2C',
})
const listQuery = Type.Object(
  {
    state: Type.Optional(Type.String({ enum: operationStates })),
    kind: Type.Optional(Type.String({ enum: ['transfer', 'payout'] })),
    account: Type.Optional(account),
    run: Type.Optional(uuid),
    before: Type.Optional(uuid),
    limit: Type.Optional(limit),
  },
  { additionalProperties: false },
)
const params = Type.Object({ id: uuid })
const approveBody = Type.Object({ note: Type.Optional(remark) }, { additionalProperties: false })
const declineBody = Type.Object({ note: remark }, { additionalProperties: false })
const config = { limited: true }

/** Movements of money: what became of each, and what people decide about those that are held. */
const operationRoutes: FastifyPluginAsyncTypebox<OperationRoutesOptions> = async (app, options) => {
  const { db, isBooted } = options
  await app.register(operatorRoutes, { isBooted })

  app.get('/operations', { config, schema: { querystring: listQuery } }, async request => {
    const { kind, limit: given, state, ...filter } = request.query
    const wanted = toLimit(given)
    const choices = { state: state as OperationState | undefined, kind: kind as OperationKind | undefined }
    const { next, page } = toPage(await listOperations(db, { ...filter, ...choices, limit: wanted + 1 }), wanted)
    return { operations: page, next }
  })

  app.get('/operations/:id', { config, schema: { params } }, async request => {
    return await showOperation(app, db, request.params.id)
  })

  addDecisions(app, options)
}

type Typed = Parameters<FastifyPluginAsyncTypebox>[0]

function addDecisions(app: Typed, { actions, db }: OperationRoutesOptions): void {
  const approving = {
    config,
    schema: { params, body: approveBody },
    // There need not be a body: the note is optional.
    preValidation: async (request: FastifyRequest) => {
      request.body ??= {}
    },
  }
  app.post('/operations/:id/approve', approving, async request => {
    const { id } = request.params
    const { conflict } = app.httpErrors
    const verdict = await refuseAs(conflict, actions.approveOperation(id, request.operator ?? '', request.body.note))
    if (typeof verdict === 'object')
      throw conflict(`operation ${id} is ${verdict.state}: only a held one can be approved`)
    return await showOperation(app, db, id)
  })

  app.post('/operations/:id/decline', { config, schema: { params, body: declineBody } }, async request => {
    const { id } = request.params
    const verdict = await actions.declineOperation(id, request.operator ?? '', request.body.note)
    if (typeof verdict === 'object') {
      throw app.httpErrors.conflict(`operation ${id} is ${verdict.state}: only a held one can be declined`)
    }
    return await showOperation(app, db, id)
  })
}

/** One operation, and of a held one what is left of its reason today. */
async function showOperation(app: Typed, db: Db, id: string) {
  const operation = await findOperation(db, id)
  if (operation === undefined) throw app.httpErrors.notFound(`there is no operation ${id}: GET /operations lists them`)
  const { kind, reason, state, updated_at: decidedAt } = operation
  const hold =
    state === 'held' && reason !== null
      ? describeHold({ kind, reason, decidedAt }, await readHoldEvidence(db, operation))
      : null
  return { ...operation, audit: operation.audit.map(redactDetails), hold }
}

export default operationRoutes
