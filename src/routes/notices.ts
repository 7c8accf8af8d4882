import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Db } from '../database/connection.ts'
import { type OutboxState, outboxStates } from '../database/tables.ts'
import operatorRoutes from '../plugins/operator-routes.ts'
import {
  changeForOperators,
  findForOperators,
  listForOperators,
  noticeKinds,
  type NoticeForOperators,
  retryForOperators,
} from '../runner/operator-notices.ts'
import { limit, refuseAs, remark, toLimit, toPage } from './operator-schemas.ts'

export interface NoticeRoutesOptions {
  readonly db: Db
  readonly clock: () => Date
  readonly isBooted: () => boolean
}

const noticeId = Type.String({
  pattern: '^[1-9]\\d{0,17}$',
  description: "a notice's number, as GET /notices shows it",
})
const about = Type.String({
  pattern: '^[\\w-]{1,100}$',
  description: 'the id of a meeting, hold, payment, row of payment_transfers or operation',
})
const to = Type.String({ minLength: 1, maxLength: 320, description: 'an address, or an id at Novu' })
const listQuery = Type.Object(
  {
    state: Type.Optional(Type.String({ enum: outboxStates })),
    kind: Type.Optional(Type.String({ enum: noticeKinds })),
    about: Type.Optional(about),
    to: Type.Optional(to),
    before: Type.Optional(noticeId),
    limit: Type.Optional(limit),
  },
  { additionalProperties: false },
)
const params = Type.Object({ id: noticeId })
const body = Type.Object({ note: remark }, { additionalProperties: false })
const retryBody = Type.Object(
  {
    kind: Type.String({ enum: noticeKinds }),
    state: Type.Literal('poison'),
    count: Type.Integer({ minimum: 1, description: 'how many there are; with another number nothing is changed' }),
    note: remark,
  },
  { additionalProperties: false },
)

/** What people are told, without the words and without whole addresses, and what operators do about it. */
const noticeRoutes: FastifyPluginAsyncTypebox<NoticeRoutesOptions> = async (app, { clock, db, isBooted }) => {
  await app.register(operatorRoutes, { isBooted })

  app.get('/notices', { schema: { querystring: listQuery } }, async request => {
    const { limit: given, state, ...filter } = request.query
    const wanted = toLimit(given)
    const choice = { ...filter, state: state as OutboxState | undefined, limit: wanted + 1 }
    const { next, page } = toPage(await listForOperators(db, choice), wanted)
    return { notices: page, next }
  })

  app.get('/notices/:id', { schema: { params } }, async request => await get(request.params.id))

  for (const action of ['retry', 'drop'] as const) {
    app.post(`/notices/:id/${action}`, { schema: { params, body } }, async request => {
      const { id } = request.params
      const choice = { id, operator: request.operator ?? '', note: request.body.note, now: clock() }
      await refuseAs(app.httpErrors.conflict, changeForOperators(db, action, choice))
      return await get(id)
    })
  }

  app.post('/notices/retry', { schema: { body: retryBody } }, async request => {
    const { count, kind, note } = request.body
    const choice = { kind, count, note, operator: request.operator ?? '', now: clock() }
    return { kind, retried: await refuseAs(app.httpErrors.conflict, retryForOperators(db, choice)) }
  })

  async function get(id: string): Promise<NoticeForOperators> {
    const notice = await findForOperators(db, id)
    if (notice === undefined) throw app.httpErrors.notFound(`there is no notice ${id}: GET /notices lists them`)
    return notice
  }
}

export default noticeRoutes
