import type { Charge, Intent, Metadata, Method } from '../records.ts'
import { addTo, put } from '../shelf.ts'
import { getBook, nowMs, type State, stamp } from '../state.ts'
import { announce } from './events.ts'
import { move } from './money.ts'
import { makeTransfer } from './transfers.ts'

export interface Booking {
  readonly amountCents: number
  /** Null or absent for a payment without an application fee. */
  readonly feeCents?: number | null
  /** `eur` unless given. */
  readonly currency?: string
  /** Of a destination charge; the money stays on the platform without one. */
  readonly destination?: string | null
  readonly method?: Method
  readonly createdAt?: Date
  readonly metadata?: Metadata
  readonly description?: string
  readonly transferGroup?: string
}

export interface Paid {
  /** Now unless given. */
  readonly paidAt?: Date
  /** When the money is available: after the settlement delay unless given. */
  readonly availableAt?: Date
  /** What Stripe keeps from the platform: nothing unless given. */
  readonly stripeFeeCents?: number
  /** Where the platform gets the money in another currency than the guest paid. */
  readonly settlement?: { readonly currency: string; readonly exchangeRate: number }
}

/** A payment that has begun and is not paid. */
export function addIntent(state: State, booking: Booking, status: Intent['status'], expiresMs?: number): Intent {
  const { amountCents, currency = 'eur', destination = null, feeCents = null, method = 'card' } = booking
  if (!Number.isSafeInteger(amountCents) || amountCents <= 0) throw new Error(`${amountCents} is no amount of cents`)
  if (destination !== null) getBook(state, destination)
  const stamped = stamp(state, 'pi', booking.createdAt?.getTime() ?? nowMs(state))
  const voucher =
    expiresMs === undefined ? null : { entity: '12345', reference: String(900_000_000 + stamped.seq), expiresMs }
  const intent: Intent = {
    ...stamped,
    amount: amountCents,
    currency,
    method,
    feeAmount: feeCents,
    destination,
    metadata: booking.metadata ?? {},
    description: booking.description ?? null,
    transferGroup: booking.transferGroup ?? null,
    voucher,
    status,
    chargeId: null,
    canceledMs: null,
    hasFailed: false,
  }
  announce(
    state,
    state.platform.id,
    'payment_intent.created',
    { kind: 'payment_intent', record: intent },
    intent.createdMs,
  )
  return put(state.intents, intent)
}

/** A charge that is not decided yet: cards have none, vouchers from the moment the guest has paid. */
export function addCharge(state: State, intent: Intent, atMs: number): Charge {
  const charge: Charge = {
    ...stamp(state, intent.method === 'card' ? 'ch' : 'py', atMs),
    account: state.platform.id,
    intentId: intent.id,
    amount: intent.amount,
    currency: intent.currency,
    method: intent.method,
    feeAmount: intent.feeAmount,
    applicationFeeId: intent.feeAmount === null || intent.destination === null ? null : stamp(state, 'fee', atMs).id,
    destination: intent.destination,
    metadata: intent.metadata,
    description: intent.description,
    sourceTransferId: null,
    status: 'pending',
    transferId: null,
    transferGroup: intent.transferGroup ?? (intent.destination === null ? null : `group_${intent.id}`),
    entryId: null,
    settled: null,
    amountRefunded: 0,
    feeRefunded: 0,
    isDisputed: false,
  }
  put(getBook(state, charge.account).charges, charge)
  addTo(state.chargesByIntent, intent.id, charge)
  intent.chargeId = charge.id
  return charge
}

/** The money arrives: on the platform, and of a destination charge with its transfer at the expert, less the fee. */
export function collect(state: State, intent: Intent, charge: Charge, paid: Paid): void {
  const atMs = paid.paidAt?.getTime() ?? nowMs(state)
  const { currency = intent.currency, exchangeRate = 1 } = paid.settlement ?? {}
  const amount = Math.round(intent.amount * exchangeRate)
  const availableMs = paid.availableAt?.getTime() ?? atMs + state.settings.settlementDelayMs
  charge.settled = { amount, currency, availableMs }
  charge.entryId = enterCharge(state, charge, atMs, paid)
  charge.status = 'succeeded'
  intent.status = 'succeeded'
  const { destination } = intent
  if (destination !== null) {
    const feeCents = Math.round((intent.feeAmount ?? 0) * exchangeRate)
    makeTransfer(state, { amount, currency, destination, atMs, charge, feeCents, origin: 'charge' })
  }
  announce(state, charge.account, 'charge.succeeded', { kind: 'charge', record: charge }, atMs)
  announce(state, charge.account, 'payment_intent.succeeded', { kind: 'payment_intent', record: intent }, atMs)
}

/** Gives the id of the entry. */
function enterCharge(
  state: State,
  charge: Charge,
  atMs: number,
  { settlement, stripeFeeCents = 0 }: Paid,
): string | null {
  const { amount = 0, availableMs, currency = charge.currency } = charge.settled ?? {}
  const [entry] = move(state, {
    currency,
    atMs,
    legs: [
      {
        account: charge.account,
        type: charge.method === 'card' ? 'charge' : 'payment',
        amount,
        fee: stripeFeeCents,
        source: charge.id,
        availableMs,
        exchangeRate: settlement?.exchangeRate ?? null,
      },
    ],
    outside: { guests: -amount, stripe: stripeFeeCents },
  })
  return entry?.id ?? null
}
