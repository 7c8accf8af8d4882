import type { Charge, Metadata, Reversal, Transfer } from '../records.ts'
import { getBook, type State, stamp } from '../state.ts'
import { announce } from './events.ts'
import { type Leg, move } from './money.ts'

export interface ReversalOrder {
  readonly transfer: Transfer
  readonly amount: number
  /** Of the application fee: given back to the account with it. */
  readonly feeBackCents: number
  readonly atMs: number
  readonly refundId?: string
  readonly metadata?: Metadata
}

/** Takes money of a transfer back to the platform, out of what is pending while the transfer's own money is. Checks nothing. */
export function makeReversal(state: State, order: ReversalOrder): Reversal {
  const { amount, atMs, transfer } = order
  const stamped = stamp(state, 'trr', atMs)
  const payment = findPayment(state, transfer)
  const [entry] = move(state, { currency: transfer.currency, atMs, legs: legsOf(state, order, stamped.id, payment) })
  const reversal: Reversal = {
    ...stamped,
    transferId: transfer.id,
    amount,
    currency: transfer.currency,
    entryId: entry?.id ?? '',
    refundId: order.refundId ?? null,
    metadata: order.metadata ?? {},
  }
  state.reversals.set(reversal.id, reversal)
  transfer.amountReversed += amount
  transfer.reversals = [...transfer.reversals, reversal]
  countBack(state, order, payment)
  announce(state, state.platform.id, 'transfer.reversed', { kind: 'transfer', record: transfer }, atMs)
  return reversal
}

/** The transfer as the account that got it sees it. */
export function findPayment(state: State, { destination, destinationPaymentId }: Transfer): Charge | undefined {
  return getBook(state, destination).charges.byId.get(destinationPaymentId)
}

function legsOf(state: State, order: ReversalOrder, id: string, payment: Charge | undefined): Leg[] {
  const { amount, atMs, feeBackCents, transfer } = order
  const availableMs = Math.max(atMs, transfer.availableMs)
  const account = state.platform.id
  const legs: Leg[] = [
    { account, type: 'transfer_refund', amount, source: id, availableMs },
    {
      account: transfer.destination,
      type: 'payment_refund',
      amount: -amount,
      fee: -feeBackCents,
      source: transfer.destinationPaymentId,
      availableMs,
    },
  ]
  if (feeBackCents === 0) return legs
  const source = payment?.applicationFeeId ?? null
  return [...legs, { account, type: 'application_fee_refund', amount: -feeBackCents, source, availableMs }]
}

/** What came back is counted on the payment, and on the charge in the charge's own currency. */
function countBack(state: State, { amount, atMs, feeBackCents, transfer }: ReversalOrder, payment?: Charge): void {
  const charge = getBook(state, state.platform.id).charges.byId.get(transfer.sourceChargeId ?? '')
  if (charge?.settled != null) {
    charge.feeRefunded += Math.round((feeBackCents * charge.amount) / charge.settled.amount)
  }
  if (payment === undefined) return
  payment.amountRefunded += amount
  payment.feeRefunded += feeBackCents
  announce(state, transfer.destination, 'charge.refunded', { kind: 'charge', record: payment }, atMs)
}
