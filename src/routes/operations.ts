import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Db } from '../database/connection.ts'
import { findOperation, listOperations } from '../database/operation-queries.ts'
import { type OperationKind, operationStates, type OperationState } from '../database/tables.ts'
import { PermanentError } from '../errors.ts'
import operatorRoutes from '../plugins/operator-routes.ts'
import type { OperatorActions } from '../runner/operator-actions.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { limit, remark, toLimit, toPage, uuid } from './operator-schemas.ts'

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

/** Movements of money: what became of each, and the approval of those that are held. */
const operationRoutes: FastifyPluginAsyncTypebox<OperationRoutesOptions> = async (app, { actions, db, isBooted }) => {
  await app.register(operatorRoutes, { isBooted })
  const config = { limited: true }
  const getOperation = async (id: string) => {
    const operation = await findOperation(db, id)
    if (operation === undefined)
      throw app.httpErrors.notFound(`there is no operation ${id}: GET /operations lists them`)
    return { ...operation, audit: operation.audit.map(redactDetails) }
  }
  const approve: OperatorActions['approveOperation'] = async (id, operator, note) => {
    try {
      return await actions.approveOperation(id, operator, note)
    } catch (thrown) {
      if (thrown instanceof PermanentError) throw app.httpErrors.conflict(thrown.message)
      throw thrown
    }
  }

  app.get('/operations', { config, schema: { querystring: listQuery } }, async request => {
    const { kind, limit: given, state, ...filter } = request.query
    const wanted = toLimit(given)
    const choices = { state: state as OperationState | undefined, kind: kind as OperationKind | undefined }
    const { next, page } = toPage(await listOperations(db, { ...filter, ...choices, limit: wanted + 1 }), wanted)
    return { operations: page, next }
  })

  app.get('/operations/:id', { config, schema: { params } }, async request => await getOperation(request.params.id))

  app.post(
    '/operations/:id/approve',
    {
      config,
      schema: { params, body: approveBody },
      // There need not be a body: the note is optional.
      preValidation: async request => {
        request.body ??= {}
      },
    },
    async request => {
      const { id } = request.params
      const verdict = await approve(id, request.operator ?? '', request.body.note)
      if (typeof verdict === 'object') {
        throw app.httpErrors.conflict(`operation ${id} is ${verdict.state}: only a held one can be approved`)
      }
      return await getOperation(id)
    },
  )
}

export default operationRoutes
