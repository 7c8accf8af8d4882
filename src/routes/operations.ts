import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Db } from '../database/connection.ts'
import { readHoldEvidence } from '../database/hold-evidence.ts'
import { findOperation, listOperations, type OperationDetails } from '../database/operation-queries.ts'
import { type OperationKind, operationStates, type OperationState } from '../database/tables.ts'
import { describeHold, type HeldFor } from '../money/hold-reasons.ts'
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
const shown = Type.Array(Type.String({ maxLength: 200 }), {
  maxItems: 1000,
  description:
    'hold.shown of the operation as it was read; what has come to it since is not approved then, and holds it again. Needed ' +
    'where hold.since is not empty',
})
const approveBody = Type.Object(
  { note: Type.Optional(remark), shown: Type.Optional(shown) },
  { additionalProperties: false },
)
const stripeId = Type.String({ pattern: '^(?:po|tr)_\\w{1,100}$', description: 'a payout or transfer like po_1abc' })
const except = Type.Array(stripeId, {
  maxItems: 20,
  description: 'objects at Stripe that carry the id of this operation and are not of it: each has been looked at',
})
const adoptBody = Type.Object(
  { stripeId, amountCents: Type.Integer({ minimum: 1 }), note: remark, except: Type.Optional(except) },
  { additionalProperties: false },
)
const unmovedBody = Type.Object(
  { note: remark, letMoneyGo: Type.Optional(Type.Boolean()), except: Type.Optional(except) },
  { additionalProperties: false },
)
const declineBody = Type.Object({ note: remark }, { additionalProperties: false })

/** Movements of money: what became of each, and what people decide about those that are held. */
const operationRoutes: FastifyPluginAsyncTypebox<OperationRoutesOptions> = async (app, options) => {
  const { db, isBooted } = options
  await app.register(operatorRoutes, { isBooted })

  app.get('/operations', { schema: { querystring: listQuery } }, async request => {
    const { kind, limit: given, state, ...filter } = request.query
    const wanted = toLimit(given)
    const choices = { state: state as OperationState | undefined, kind: kind as OperationKind | undefined }
    const { next, page } = toPage(await listOperations(db, { ...filter, ...choices, limit: wanted + 1 }), wanted)
    return { operations: page, next }
  })

  app.get('/operations/:id', { schema: { params } }, async request => {
    return await showOperation(app, db, request.params.id)
  })

  addDecisions(app, options)
  addCorrections(app, options)
}

type Typed = Parameters<FastifyPluginAsyncTypebox>[0]

function addDecisions(app: Typed, { actions, db }: OperationRoutesOptions): void {
  const approving = {
    schema: { params, body: approveBody },
    // There need not be a body: the note is optional.
    preValidation: async (request: FastifyRequest) => {
      request.body ??= {}
    },
  }
  app.post('/operations/:id/approve', approving, async request => {
    const { id } = request.params
    const { conflict } = app.httpErrors
    const { note, shown = await listShown(app, db, id) } = request.body
    const verdict = await refuseAs(conflict, actions.approveOperation(id, request.operator ?? '', { note, shown }))
    if (typeof verdict === 'object')
      throw conflict(
        verdict.state === 'held'
          ? `operation ${id} is approved already, and waits for its turn`
          : `operation ${id} is ${verdict.state}: only a held one can be approved`,
      )
    return await showOperation(app, db, id)
  })

  app.post('/operations/:id/decline', { schema: { params, body: declineBody } }, async request => {
    const { id } = request.params
    const verdict = await actions.declineOperation(id, request.operator ?? '', request.body.note)
    if (typeof verdict === 'object') {
      throw app.httpErrors.conflict(
        `operation ${id} is ${verdict.state}: only one that is held, or approved and not sent, or blocked can be declined`,
      )
    }
    return await showOperation(app, db, id)
  })
}

/** What ends an operation of which no look-up can tell what came of it. */
function addCorrections(app: Typed, { actions, db }: OperationRoutesOptions): void {
  const { conflict } = app.httpErrors
  app.post('/operations/:id/adopt', { schema: { params, body: adoptBody } }, async request => {
    const { id } = request.params
    const { amountCents, except = [], note, stripeId } = request.body
    const operation = await showOperation(app, db, id)
    if (operation.amount !== amountCents) {
      throw conflict(`operation ${id} is of ${operation.amount} cents and not of ${amountCents}: nothing was changed`)
    }
    await refuseAs(conflict, actions.adoptObject({ id, stripeId, note, except }, request.operator ?? ''))
    return await showOperation(app, db, id)
  })

  app.post('/operations/:id/unmoved', { schema: { params, body: unmovedBody } }, async request => {
    const { id } = request.params
    const { except = [], letMoneyGo = false, note } = request.body
    await showOperation(app, db, id)
    if (!letMoneyGo) {
      throw conflict(
        `once nothing has moved for operation ${id}, the next run plans its rows again, like any others: nothing was ` +
          'changed; say letMoneyGo: true beside the note if that is meant',
      )
    }
    await refuseAs(conflict, actions.declareUnmoved({ id, note, except }, request.operator ?? ''))
    return await showOperation(app, db, id)
  })
}

/** One operation, and of a held one what is left of its reason today. */
async function showOperation(app: Typed, db: Db, id: string) {
  const operation = await findOperation(db, id)
  if (operation === undefined) throw app.httpErrors.notFound(`there is no operation ${id}: GET /operations lists them`)
  const hold = (await findHeldFor(db, operation)) ?? null
  return { ...operation, audit: operation.audit.map(redactDetails), hold }
}

/** What an operator has been shown who does not say so: what it was held for, unless more has come up since. */
async function listShown(app: Typed, db: Db, id: string): Promise<readonly string[] | undefined> {
  const operation = await findOperation(db, id)
  const held = operation === undefined ? undefined : await findHeldFor(db, operation)
  if (held === undefined || held.since.length === 0 || operation?.approved_at !== null) return held?.shown
  throw app.httpErrors.conflict(
    `more speaks against operation ${id} since it was held (${held.since.join(', ')}), and nothing was approved: look at ` +
      'its hold once more, and send hold.shown as shown',
  )
}

async function findHeldFor(db: Db, operation: OperationDetails): Promise<HeldFor | undefined> {
  const { holds, kind, reason, state, updated_at: decidedAt } = operation
  if (state !== 'held' || reason === null) return undefined
  return describeHold({ kind, reason, holds, decidedAt }, await readHoldEvidence(db, operation))
}

export default operationRoutes
