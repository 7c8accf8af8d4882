import type { Charge, Metadata, Refund, Reversal, Transfer } from '../records.ts'
import { addTo, put } from '../shelf.ts'
import { getBook, type State, stamp } from '../state.ts'
import { announce } from './events.ts'
import { move } from './money.ts'
import { findPayment, makeReversal } from './reversals.ts'

export interface RefundOrder {
  readonly charge: Charge
  readonly amount: number
  readonly atMs: number
  /** The transfer that gives the same share back; the platform pays alone without one. */
  readonly transfer?: Transfer | undefined
  /** Of the platform's fee: given back to the account that paid it. */
  readonly feeBackCents: number
  readonly reason?: Refund['reason']
  readonly metadata?: Metadata
}

/** Gives a guest money back out of the platform's balance, into the negative where it must. Checks nothing. */
export function makeRefund(state: State, order: RefundOrder): Refund {
  const { amount, atMs, charge, transfer } = order
  const stamped = stamp(state, 're', atMs)
  const settled = settledShare(charge, amount)
  const reversal = transfer === undefined ? undefined : takeBack(state, order, transfer, settled, stamped.id)
  if (transfer === undefined && order.feeBackCents > 0) giveFeeBack(state, order)
  const entryId = payBack(state, order, settled, stamped.id)
  charge.amountRefunded += amount
  if (transfer === undefined) charge.feeRefunded += order.feeBackCents
  const refund: Refund = {
    ...stamped,
    chargeId: charge.id,
    intentId: charge.intentId,
    amount,
    currency: charge.currency,
    entryId,
    reversalId: reversal?.id ?? null,
    transferId: transfer?.id ?? null,
    reason: order.reason ?? null,
    metadata: order.metadata ?? {},
    status: 'succeeded',
  }
  put(state.refunds, refund)
  addTo(state.refundsByCharge, charge.id, refund)
  announce(state, charge.account, 'refund.created', { kind: 'refund', record: refund }, atMs)
  announce(state, charge.account, 'charge.refunded', { kind: 'charge', record: charge }, atMs)
  return refund
}

/** The refund does not arrive and the platform has its money again; what a transfer gave back stays where it is. */
export function failRefund(state: State, refund: Refund, atMs: number): void {
  if (refund.status !== 'succeeded') throw new Error(`refund ${refund.id} is ${refund.status} and cannot fail`)
  const charge = getBook(state, state.platform.id).charges.byId.get(refund.chargeId)
  if (charge === undefined) throw new Error(`refund ${refund.id} has no charge`)
  const amount = settledShare(charge, refund.amount)
  move(state, {
    currency: charge.settled?.currency ?? charge.currency,
    atMs,
    legs: [{ account: charge.account, type: 'refund_failure', amount, source: refund.id }],
    outside: { guests: -amount },
  })
  charge.amountRefunded -= refund.amount
  refund.status = 'failed'
  announce(state, charge.account, 'refund.failed', { kind: 'refund', record: refund }, atMs)
}

/** The part of the application fee that belongs to a part of the charge, as far as it was not given back yet. */
export function feeShare({ amount: whole, feeAmount, feeRefunded }: Charge, amount: number): number {
  return Math.min(Math.round(((feeAmount ?? 0) * amount) / whole), (feeAmount ?? 0) - feeRefunded)
}

/** A part of the charge in the currency in which it came. */
export function settledShare({ amount: whole, settled }: Charge, amount: number): number {
  return settled === null || settled.amount === whole ? amount : Math.round((settled.amount * amount) / whole)
}

/** Gives the id of the entry. */
function payBack(state: State, { atMs, charge }: RefundOrder, cents: number, source: string): string | null {
  const [entry] = move(state, {
    currency: charge.settled?.currency ?? charge.currency,
    atMs,
    legs: [
      {
        account: charge.account,
        type: charge.method === 'card' ? 'refund' : 'payment_refund',
        amount: -cents,
        source,
        availableMs: Math.max(atMs, charge.settled?.availableMs ?? atMs),
      },
    ],
    outside: { guests: cents },
  })
  return entry?.id ?? null
}

function takeBack(state: State, order: RefundOrder, transfer: Transfer, amount: number, refundId: string): Reversal {
  const { atMs, charge, feeBackCents } = order
  return makeReversal(state, { transfer, amount, feeBackCents: settledShare(charge, feeBackCents), atMs, refundId })
}

/** The fee alone goes back to the account: its payment stays as it is. */
function giveFeeBack(state: State, { atMs, charge, feeBackCents }: RefundOrder): void {
  const transfer = charge.transferId === null ? undefined : state.transfers.byId.get(charge.transferId)
  if (transfer === undefined) return
  const amount = settledShare(charge, feeBackCents)
  const payment = findPayment(state, transfer)
  if (payment !== undefined) payment.feeRefunded += amount
  const availableMs = Math.max(atMs, transfer.availableMs)
  const source = charge.applicationFeeId
  move(state, {
    currency: transfer.currency,
    atMs,
    legs: [
      { account: state.platform.id, type: 'application_fee_refund', amount: -amount, source, availableMs },
      { account: transfer.destination, type: 'application_fee_refund', amount, source, availableMs },
    ],
  })
}
