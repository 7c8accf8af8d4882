import type { Charge, Intent } from '../records.ts'
import { getBook, nowMs, type State } from '../state.ts'
import { announce } from './events.ts'
import { addCharge, addIntent, type Booking, collect, type Paid } from './payments.ts'
import { runDue, schedule } from './timers.ts'

export interface PaymentIds {
  readonly paymentIntentId: string
  readonly chargeId: string
  /** Of a destination charge. */
  readonly transferId: string | null
}

export interface VoucherOrder extends Omit<Booking, 'method'> {
  /** Seven days after its creation unless given. */
  readonly expiresAt?: Date
}

export interface VoucherControl {
  /** A Multibanco payment that waits for the guest: `processing` when it expires, and failed four days later. */
  issueVoucher(order: VoucherOrder): { readonly paymentIntentId: string }
  /** The voucher has run out and the bank may still have money for it: `processing`, with a pending charge. */
  processVoucher(paymentIntentId: string): void
  /** The bank confirms the money. */
  settleVoucher(paymentIntentId: string, paid?: Paid): PaymentIds
  /** Nobody paid: `requires_payment_method`. */
  expireVoucher(paymentIntentId: string): void
  /** Throws for a payment that succeeded. */
  cancelPayment(paymentIntentId: string): void
}

const dayMs = 86_400_000
const voucherLifeMs = 7 * dayMs
const bankLagMs = 4 * dayMs

/** The life of a Multibanco payment. Source: docs.stripe.com/payments/multibanco. */
export function createVouchers(state: State): VoucherControl {
  return {
    issueVoucher: order => {
      const intent = issue(state, order)
      runDue(state)
      return { paymentIntentId: intent.id }
    },
    processVoucher: id => {
      toProcessing(state, getOpen(state, id), nowMs(state))
    },
    settleVoucher: (id, paid = {}) => {
      runDue(state)
      const intent = getOpen(state, id)
      const charge = chargeOf(state, intent) ?? addCharge(state, intent, paid.paidAt?.getTime() ?? nowMs(state))
      collect(state, intent, charge, paid)
      return idsOf(intent, charge)
    },
    expireVoucher: id => {
      fail(state, getOpen(state, id), nowMs(state))
    },
    cancelPayment: id => {
      const intent = getOpen(state, id)
      intent.status = 'canceled'
      intent.canceledMs = nowMs(state)
      tell(state, 'payment_intent.canceled', intent, nowMs(state))
    },
  }
}

export function idsOf(intent: Intent, charge: Charge): PaymentIds {
  return { paymentIntentId: intent.id, chargeId: charge.id, transferId: charge.transferId }
}

function issue(state: State, { expiresAt, ...order }: VoucherOrder): Intent {
  const createdMs = order.createdAt?.getTime() ?? nowMs(state)
  const expiresMs = expiresAt?.getTime() ?? createdMs + voucherLifeMs
  const intent = addIntent(state, { ...order, method: 'multibanco' }, 'requires_action', expiresMs)
  tell(state, 'payment_intent.requires_action', intent, createdMs)
  schedule(state, expiresMs, () => {
    if (intent.status === 'requires_action') toProcessing(state, intent, expiresMs)
  })
  schedule(state, expiresMs + bankLagMs, () => {
    if (intent.status === 'processing') fail(state, intent, expiresMs + bankLagMs)
  })
  return intent
}

function toProcessing(state: State, intent: Intent, atMs: number): void {
  intent.status = 'processing'
  const charge = chargeOf(state, intent) ?? addCharge(state, intent, atMs)
  announce(state, state.platform.id, 'charge.pending', { kind: 'charge', record: charge }, atMs)
  tell(state, 'payment_intent.processing', intent, atMs)
}

function fail(state: State, intent: Intent, atMs: number): void {
  intent.status = 'requires_payment_method'
  intent.hasFailed = true
  const charge = chargeOf(state, intent)
  if (charge !== undefined) {
    charge.status = 'failed'
    announce(state, state.platform.id, 'charge.failed', { kind: 'charge', record: charge }, atMs)
  }
  tell(state, 'payment_intent.payment_failed', intent, atMs)
}

function chargeOf(state: State, { chargeId }: Intent): Charge | undefined {
  return chargeId === null ? undefined : getBook(state, state.platform.id).charges.byId.get(chargeId)
}

function getOpen({ intents }: State, id: string): Intent {
  const intent = intents.byId.get(id)
  if (intent === undefined) throw new Error(`the Stripe stand-in has no payment ${id}`)
  if (intent.status !== 'requires_action' && intent.status !== 'processing') {
    throw new Error(`the payment ${id} is ${intent.status} already`)
  }
  return intent
}

function tell(state: State, type: string, record: Intent, atMs: number): void {
  announce(state, state.platform.id, type, { kind: 'payment_intent', record }, atMs)
}
