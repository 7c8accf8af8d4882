import type { Charge, Intent } from '../records.ts'
import { listAll, listOf } from '../shelf.ts'
import { renderAccount, renderBalance } from '../render/account.ts'
import { renderCharge, renderIntent } from '../render/payments.ts'
import { type Call, type Route, route, show } from './call.ts'
import { listPage, type PageQuery, pageParams } from '../door/pages.ts'
import { accountInvalid } from '../door/caller.ts'

interface ChargeQuery extends PageQuery {
  readonly payment_intent?: string
  readonly transfer_group?: string
}

export const readRoutes: readonly Route[] = [
  route('GET', '/v1/account', {}, ({ book }) => renderAccount(book.account)),
  route('GET', '/v1/accounts/:id', {}, showAccount),
  route('GET', '/v1/balance', {}, ({ book, state }) => renderBalance(state, book.account.id)),
  route('GET', '/v1/payment_intents/:id', { client_secret: 'not modelled' }, show('payment_intent', 'payment_intent')),
  route<PageQuery>(
    'GET',
    '/v1/payment_intents',
    { ...pageParams, created: 'range', customer: 'not modelled', customer_account: 'not modelled' },
    listIntents,
  ),
  route('GET', '/v1/charges/:id', {}, show('charge', 'charge')),
  route<ChargeQuery>(
    'GET',
    '/v1/charges',
    { ...pageParams, created: 'range', customer: 'not modelled', payment_intent: 'text', transfer_group: 'text' },
    listCharges,
  ),
]

/** One's own account, or as the platform one that is connected to it. */
function showAccount({ book, ids, state }: Call): object {
  const account = state.books.get(ids[0] ?? '')?.account
  const isVisible = account !== undefined && (book.account.isPlatform || book.account === account)
  if (!isVisible || account.isDeauthorized) throw accountInvalid(ids[0] ?? '')
  return renderAccount(account)
}

function listIntents({ book, params, path, state }: Call<PageQuery>): object {
  return listPage<Intent>(params, {
    url: path,
    sorted: book.account.isPlatform ? listAll(state.intents) : [],
    find: id => state.intents.byId.get(id),
    render: renderIntent,
  })
}

function listCharges({ book, params, path, state }: Call<ChargeQuery>): object {
  const { payment_intent: intent, transfer_group: group } = params
  const ofIntent = intent === undefined ? undefined : listOf(state.chargesByIntent, intent)
  return listPage<Charge>(params, {
    url: path,
    sorted: ofIntent?.filter(({ account }) => account === book.account.id) ?? listAll(book.charges),
    find: id => book.charges.byId.get(id),
    keep: charge => group === undefined || charge.transferGroup === group,
    render: renderCharge,
  })
}
