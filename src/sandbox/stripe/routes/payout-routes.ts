import type { Bank, Payout } from '../records.ts'
import { listAll } from '../shelf.ts'
import { renderPayout } from '../render/moves.ts'
import { seconds } from '../render/seconds.ts'
import { availableCents } from '../world/money.ts'
import { cancelPayout, makePayout } from '../world/payouts.ts'
import { type Call, momentOf, type Route, route, show } from './call.ts'
import { NotModelled } from '../door/not-modelled.ts'
import { isWithin, listPage, type PageQuery, pageParams, type Range } from '../door/pages.ts'
import { missing, refused } from '../door/refusal.ts'

interface PayoutParams {
  readonly amount: number
  readonly currency: string
  readonly destination?: string
  readonly method?: 'instant' | 'standard'
  readonly description?: string
  readonly statement_descriptor?: string
  readonly metadata?: Readonly<Record<string, string>>
}

interface PayoutQuery extends PageQuery {
  readonly arrival_date?: number | Range
  readonly destination?: string
  readonly status?: string
}

const defaultMinimumCents = 100

export const payoutRoutes: readonly Route[] = [
  route<PayoutParams>(
    'POST',
    '/v1/payouts',
    {
      amount: 'positive',
      currency: 'currency',
      destination: 'text',
      method: ['instant', 'standard'],
      payout_method: 'not modelled',
      source_type: ['bank_account', 'card', 'fpx'],
      description: 'text',
      statement_descriptor: 'text',
      metadata: 'metadata',
    },
    createPayout,
    ['amount', 'currency'],
  ),
  route<PayoutQuery>(
    'GET',
    '/v1/payouts',
    { ...pageParams, created: 'range', arrival_date: 'range', destination: 'text', status: 'text' },
    listPayouts,
  ),
  route('GET', '/v1/payouts/:id', {}, show('payout', 'payout')),
  route('POST', '/v1/payouts/:id/cancel', {}, cancel),
]

/** Source: docs.stripe.com/api/payouts/create. */
function createPayout(call: Call<PayoutParams>): object {
  const { book, params, state } = call
  const { amount, currency } = params
  if (params.method === 'instant') throw new NotModelled('instant payouts')
  if (!book.account.payoutsEnabled) {
    throw refused('payouts_not_allowed', 'Cannot create payouts: payouts are not enabled for this account.')
  }
  const bank = bankFor(call)
  const minimum = state.settings.minimumPayoutCents[currency] ?? defaultMinimumCents
  if (amount < minimum) {
    throw refused('amount_too_small', `Amount must be at least ${minimum} ${currency}`, 'amount')
  }
  if (availableCents(state, book.account.id, currency) < amount) {
    throw refused(
      'balance_insufficient',
      'You have insufficient funds in your Stripe account for this transfer. Your card balance is too low.',
    )
  }
  const payout = makePayout(state, {
    account: book.account.id,
    amount,
    currency,
    bank,
    atMs: momentOf(call),
    description: params.description ?? null,
    statementDescriptor: params.statement_descriptor ?? null,
    metadata: params.metadata ?? {},
  })
  return renderPayout(payout)
}

/** The bank account that is named, or the first of the currency. */
function bankFor({ book, params }: Call<PayoutParams>): Bank {
  const { currency, destination } = params
  const { banks } = book.account
  const bank =
    destination === undefined
      ? banks.find(each => each.currency === currency)
      : banks.find(({ id }) => id === destination)
  if (bank === undefined && destination !== undefined) throw missing('external account', destination, 'destination')
  if (bank === undefined) {
    throw refused(undefined, `Sorry, you don't have any external accounts in that currency (${currency}).`, 'currency')
  }
  if (bank.status === 'errored' || bank.status === 'verification_failed') {
    throw refused('bank_account_unusable', 'The bank account provided cannot be used for payouts.', 'destination')
  }
  return bank
}

function listPayouts({ book, params, path }: Call<PayoutQuery>): object {
  const { arrival_date, destination, status } = params
  return listPage<Payout>(params, {
    url: path,
    sorted: listAll(book.payouts),
    find: id => book.payouts.byId.get(id),
    keep: payout =>
      (status === undefined || payout.status === status) &&
      (destination === undefined || payout.bankId === destination) &&
      isWithin(seconds(payout.arrivalMs), arrival_date),
    render: renderPayout,
  })
}

function cancel({ book, ids, state }: Call): object {
  const payout = book.payouts.byId.get(ids[0] ?? '')
  if (payout === undefined) throw missing('payout', ids[0] ?? '')
  if (payout.status !== 'pending') {
    throw refused(undefined, `Payouts can only be canceled while they are pending; this one is ${payout.status}.`)
  }
  cancelPayout(state, payout)
  return renderPayout(payout)
}
