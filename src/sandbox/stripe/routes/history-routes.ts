import type { Dispute, Entry, Happening } from '../records.ts'
import { listAll, listOf } from '../shelf.ts'
import { renderEntry } from '../render/moves.ts'
import { renderDispute } from '../render/refunds.ts'
import { renderEvent } from '../render/things.ts'
import { type Call, momentOf, type Route, route, show } from './call.ts'
import { NotModelled } from '../door/not-modelled.ts'
import { listPage, type PageQuery, pageParams } from '../door/pages.ts'
import { invalid, missing } from '../door/refusal.ts'

interface EntryQuery extends PageQuery {
  readonly currency?: string
  readonly payout?: string
  readonly source?: string
  readonly type?: string
}

interface EventQuery extends PageQuery {
  readonly delivery_success?: boolean
  readonly type?: string
  readonly types?: readonly string[]
}

interface DisputeQuery extends PageQuery {
  readonly charge?: string
  readonly payment_intent?: string
}

const eventsKeptMs = 30 * 86_400_000
const mostTypes = 20

/** What happened: balance transactions, events, disputes. */
export const historyRoutes: readonly Route[] = [
  route<EntryQuery>(
    'GET',
    '/v1/balance_transactions',
    { ...pageParams, created: 'range', currency: 'currency', payout: 'text', source: 'text', type: 'text' },
    listEntries,
  ),
  route('GET', '/v1/balance_transactions/:id', {}, show('balance_transaction', 'balance transaction')),
  route<EventQuery>(
    'GET',
    '/v1/events',
    { ...pageParams, created: 'range', delivery_success: 'boolean', type: 'text', types: 'texts' },
    listEvents,
  ),
  route('GET', '/v1/events/:id', {}, showEvent),
  route<DisputeQuery>(
    'GET',
    '/v1/disputes',
    { ...pageParams, created: 'range', charge: 'text', payment_intent: 'text' },
    listDisputes,
  ),
  route('GET', '/v1/disputes/:id', {}, show('dispute', 'dispute')),
]

function listEntries({ book, params, path, state }: Call<EntryQuery>): object {
  const { currency, payout, source, type } = params
  if (payout !== undefined) return listOfPayout(book.payouts.byId.get(payout)?.isAutomatic, payout)
  return listPage<Entry>(params, {
    url: path,
    sorted: source === undefined ? listAll(book.entries) : listOf(book.entriesBySource, source),
    find: id => book.entries.byId.get(id),
    keep: entry =>
      (currency === undefined || entry.currency === currency) && (type === undefined || entry.type === type),
    render: entry => renderEntry(state, entry),
  })
}

/** Stripe knows what is in a payout only where it made the payout itself. Source: docs.stripe.com/api/balance_transactions/list. */
function listOfPayout(isAutomatic: boolean | undefined, payout: string): never {
  if (isAutomatic === undefined) throw missing('payout', payout, 'payout')
  if (isAutomatic) throw new NotModelled('the balance transactions of an automatic payout')
  throw invalid(
    'parameter_invalid',
    'Balance transaction history can only be filtered on automatic transfers, not manual.',
    'payout',
  )
}

/** Newest first, of the last thirty days. Source: docs.stripe.com/api/events/list. */
function listEvents(call: Call<EventQuery>): object {
  const { book, params, path, state } = call
  const { delivery_success: isDelivered, type, types } = params
  if (types !== undefined && types.length > mostTypes) {
    throw invalid('parameter_invalid', `You may provide at most ${mostTypes} types.`, 'types')
  }
  const wanted = new Set(types ?? (type === undefined ? [] : [type]))
  const prefix = type?.endsWith('.*') === true ? type.slice(0, -1) : undefined
  const oldest = momentOf(call) - eventsKeptMs
  const fits = (of: string): boolean =>
    wanted.size === 0 || wanted.has(of) || (prefix !== undefined && of.startsWith(prefix))
  return listPage<Happening>(params, {
    url: path,
    sorted: listAll(book.events),
    find: id => book.events.byId.get(id),
    keep: event =>
      event.createdMs >= oldest && (isDelivered === undefined || event.isDelivered === isDelivered) && fits(event.type),
    render: event => renderEvent(state, event),
  })
}

/** Thirty days long, and only to the account that it belongs to. */
function showEvent(call: Call): object {
  const { book, ids, state } = call
  const event = book.events.byId.get(ids[0] ?? '')
  if (event === undefined || event.createdMs < momentOf(call) - eventsKeptMs) throw missing('event', ids[0] ?? '')
  return renderEvent(state, event)
}

function listDisputes({ book, params, path, state }: Call<DisputeQuery>): object {
  const { charge, payment_intent: intent } = params
  return listPage<Dispute>(params, {
    url: path,
    sorted: book.account.isPlatform ? listAll(state.disputes) : [],
    find: id => state.disputes.byId.get(id),
    keep: dispute =>
      (charge === undefined || dispute.chargeId === charge) && (intent === undefined || dispute.intentId === intent),
    render: renderDispute,
  })
}
