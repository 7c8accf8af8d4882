import type { Charge, Dispute } from '../records.ts'
import { put } from '../shelf.ts'
import { getBook, nowMs, type State, stamp } from '../state.ts'
import { announce } from './events.ts'
import { move } from './money.ts'

export interface DisputeOrder {
  /** All of the charge unless given. */
  readonly amountCents?: number
  /** What Stripe keeps for it: nothing unless given. */
  readonly feeCents?: number
  /** `product_not_received` unless given. */
  readonly reason?: string
}

/** A guest's bank takes the money back from the platform. The charge counts as disputed from then on, whoever wins. */
export function openDispute(state: State, chargeId: string, order: DisputeOrder = {}): string {
  const charge = getCharge(state, chargeId)
  if (charge.method === 'multibanco') throw new Error('Multibanco knows no disputes')
  const atMs = nowMs(state)
  const stamped = stamp(state, 'du', atMs)
  const amount = order.amountCents ?? charge.amount - charge.amountRefunded
  const fee = order.feeCents ?? 0
  const [entry] = move(state, {
    currency: charge.currency,
    atMs,
    legs: [{ account: charge.account, type: 'adjustment', amount: -amount, fee, source: stamped.id }],
    outside: { guests: amount, stripe: fee },
  })
  const dispute: Dispute = {
    ...stamped,
    chargeId,
    intentId: charge.intentId,
    amount,
    currency: charge.currency,
    reason: order.reason ?? 'product_not_received',
    status: 'needs_response',
    entryIds: entry === undefined ? [] : [entry.id],
  }
  put(state.disputes, dispute)
  charge.isDisputed = true
  announce(state, charge.account, 'charge.dispute.created', { kind: 'dispute', record: dispute }, atMs)
  return dispute.id
}

/** Won, the money comes back; lost, it is gone. Throws for a dispute that is closed. */
export function closeDispute(state: State, disputeId: string, status: 'won' | 'lost'): void {
  const dispute = state.disputes.byId.get(disputeId)
  if (dispute === undefined) throw new Error(`the Stripe stand-in has no dispute ${disputeId}`)
  if (dispute.status === 'won' || dispute.status === 'lost') throw new Error(`dispute ${disputeId} is closed`)
  const { amount, currency } = dispute
  const atMs = nowMs(state)
  const account = state.platform.id
  if (status === 'won') {
    const [entry] = move(state, {
      currency,
      atMs,
      legs: [{ account, type: 'adjustment', amount, source: disputeId }],
      outside: { guests: -amount },
    })
    if (entry !== undefined) dispute.entryIds = [...dispute.entryIds, entry.id]
  }
  dispute.status = status
  announce(state, account, 'charge.dispute.closed', { kind: 'dispute', record: dispute }, atMs)
}

function getCharge(state: State, id: string): Charge {
  const charge = getBook(state, state.platform.id).charges.byId.get(id)
  if (charge?.status !== 'succeeded') throw new Error(`the Stripe stand-in has no paid charge ${id}`)
  return charge
}
