import type { Charge, Metadata, Transfer } from '../records.ts'
import { addTo, put } from '../shelf.ts'
import { getBook, type State, stamp } from '../state.ts'
import { announce } from './events.ts'
import { move } from './money.ts'

export interface TransferOrder {
  readonly amount: number
  readonly currency: string
  readonly destination: string
  readonly atMs: number
  readonly origin: Transfer['origin']
  /** Whose money it is: it becomes available when the charge's does. */
  readonly charge?: Charge | undefined
  /** Taken back from the destination, for a destination charge. */
  readonly feeCents?: number
  readonly group?: string | null
  readonly description?: string | null
  readonly metadata?: Metadata
}

/** Moves money to a connected account, where it is a payment of its own. Checks nothing. */
export function makeTransfer(state: State, order: TransferOrder): Transfer {
  const { amount, atMs, charge, currency, destination, feeCents = 0, origin } = order
  const stamped = stamp(state, 'tr', atMs)
  const payment = stamp(state, 'py', atMs)
  const availableMs = Math.max(atMs, charge?.settled?.availableMs ?? atMs)
  const [entry, paymentEntry] = move(state, {
    currency,
    atMs,
    legs: [
      { account: state.platform.id, type: 'transfer', amount: -amount, source: stamped.id, availableMs },
      { account: destination, type: 'payment', amount, fee: feeCents, source: payment.id, availableMs },
      ...takeFee(state, charge, feeCents, availableMs),
    ],
  })
  const transfer: Transfer = {
    ...stamped,
    amount,
    currency,
    destination,
    destinationPaymentId: payment.id,
    entryId: entry?.id ?? '',
    sourceChargeId: charge?.id ?? null,
    group: order.group ?? (charge === undefined ? null : groupOf(charge)),
    description: order.description ?? null,
    metadata: order.metadata ?? {},
    origin,
    availableMs,
    amountReversed: 0,
    reversals: [],
  }
  store(state, transfer)
  if (origin === 'charge' && charge !== undefined) charge.transferId = transfer.id
  addPayment(state, { transfer, payment, entryId: paymentEntry?.id ?? null, feeCents, charge })
  announce(state, state.platform.id, 'transfer.created', { kind: 'transfer', record: transfer }, atMs)
  return transfer
}

/** A charge without a group gets one with its first transfer. Source: docs.stripe.com/connect/separate-charges-and-transfers. */
function groupOf(charge: Charge): string | null {
  if (charge.intentId !== null) charge.transferGroup ??= `group_${charge.intentId}`
  return charge.transferGroup
}

function takeFee({ platform }: State, charge: Charge | undefined, cents: number, availableMs: number) {
  if (cents === 0) return []
  const source = charge?.applicationFeeId ?? null
  return [{ account: platform.id, type: 'application_fee' as const, amount: cents, source, availableMs }]
}

function store(state: State, transfer: Transfer): void {
  put(state.transfers, transfer)
  addTo(state.transfersByDestination, transfer.destination, transfer)
  if (transfer.group !== null) addTo(state.transfersByGroup, transfer.group, transfer)
  if (transfer.sourceChargeId !== null) addTo(state.transfersByCharge, transfer.sourceChargeId, transfer)
}

interface ArrivedPayment {
  readonly transfer: Transfer
  readonly payment: ReturnType<typeof stamp>
  readonly entryId: string | null
  readonly feeCents: number
  readonly charge: Charge | undefined
}

/** The transfer as the account that gets it sees it: a payment. */
function addPayment(state: State, { charge, entryId, feeCents, payment, transfer }: ArrivedPayment): void {
  const { amount, availableMs, currency, destination } = transfer
  const record: Charge = {
    ...payment,
    account: destination,
    intentId: null,
    amount,
    currency,
    method: 'stripe_account',
    feeAmount: feeCents === 0 ? null : feeCents,
    applicationFeeId: feeCents === 0 ? null : (charge?.applicationFeeId ?? null),
    destination: null,
    metadata: {},
    description: null,
    sourceTransferId: transfer.id,
    status: 'succeeded',
    transferId: null,
    transferGroup: transfer.group,
    entryId,
    settled: { amount, currency, availableMs },
    amountRefunded: 0,
    feeRefunded: 0,
    isDisputed: false,
  }
  put(getBook(state, destination).charges, record)
  announce(state, destination, 'payment.created', { kind: 'charge', record }, transfer.createdMs)
}
