import type Stripe from 'stripe'
import type { Happening, Thing } from '../records.ts'
import { getBook, type State } from '../state.ts'
import { renderAccount, renderBank } from './account.ts'
import { renderEntry, renderPayout, renderReversal, renderTransfer } from './moves.ts'
import { renderCharge, renderIntent } from './payments.ts'
import { renderDispute, renderRefund } from './refunds.ts'
import { seconds } from './seconds.ts'

/** Any object as Stripe shows it. */
export function render(state: State, thing: Thing): object {
  switch (thing.kind) {
    case 'account':
      return renderAccount(thing.record)
    case 'bank_account':
      return renderBank(thing.record, getBook(state, thing.account).account)
    case 'balance_transaction':
      return renderEntry(state, thing.record)
    case 'charge':
      return renderCharge(thing.record)
    case 'dispute':
      return renderDispute(thing.record)
    case 'payment_intent':
      return renderIntent(thing.record)
    case 'payout':
      return renderPayout(thing.record)
    case 'refund':
      return renderRefund(thing.record)
    case 'transfer':
      return renderTransfer(thing.record)
    case 'transfer_reversal':
      return renderReversal(thing.record)
  }
}

/** An event with its object as it was then. */
export function renderEvent(state: State, happening: Happening): Stripe.EventBase {
  return {
    id: happening.id,
    object: 'event',
    ...(happening.account === undefined ? {} : { account: happening.account }),
    api_version: '2026-10-28.endive',
    created: seconds(happening.createdMs),
    data: { object: render(state, happening.thing) },
    livemode: false,
    pending_webhooks: happening.isDelivered ? 0 : 1,
    request: { id: happening.requestId, idempotency_key: happening.key },
    type: happening.type as Stripe.EventBase['type'],
  }
}
