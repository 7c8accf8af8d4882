import { type FaultOrder, injectFault, type Standing } from './door/faults.ts'
import { type OldPayout, type OldTransfer, payOutAsOldCode, transferAsOldCode } from './old-code.ts'
import type { Charge, PayoutStatus } from './records.ts'
import { getBook, nowMs, type State } from './state.ts'
import { type AccountSettings, addAccount, type NewAccount, replaceBank, setAccount } from './world/accounts.ts'
import { addEndpoint, type NewEndpoint } from './world/endpoints.ts'
import { closeDispute, type DisputeOrder, openDispute } from './world/disputes.ts'
import { move } from './world/money.ts'
import { addCharge, addIntent, type Booking, collect, type Paid } from './world/payments.ts'
import { getPayout, type PayoutFailure, returnMoney, takePayout } from './world/payouts.ts'
import { failRefund, feeShare, makeRefund } from './world/refunds.ts'
import { runDue } from './world/timers.ts'
import { makeReversal } from './world/reversals.ts'
import { createVouchers, idsOf, type PaymentIds, type VoucherControl } from './world/vouchers.ts'

export interface RefundOrder {
  readonly chargeId: string
  /** What is left of the charge unless given. */
  readonly amountCents?: number
  /** The expert gives it back; false, as the site has it, unless given. */
  readonly reverseTransfer?: boolean
  readonly refundFee?: boolean
}

/** How a test sets the world up and breaks it. Everything happens at once, without a request. */
export interface StripeControl extends VoucherControl {
  /** Gives its id. */
  addAccount(account?: NewAccount): string
  setAccount(account: string, settings: AccountSettings): void
  /** A new bank account in the place of those of that currency; gives its id. */
  replaceBank(account: string, currency?: string): string
  /** A payment that succeeded: a destination charge with a destination, else money that stays on the platform. */
  pay(booking: Booking & Paid): PaymentIds
  /** Gives its id. Throws for more than is left. */
  refund(order: RefundOrder): string
  /** The refund did not arrive: the charge is as it was before. */
  failRefund(refundId: string): void
  /** Gives its id. */
  dispute(chargeId: string, order?: DisputeOrder): string
  closeDispute(disputeId: string, status: 'won' | 'lost'): void
  /** Takes a transfer back, or a part of it, without a refund; into the negative where it must. */
  reverse(transferId: string, amountCents?: number): void
  /** Takes a payout to where it is told; `failed` returns the money unless told otherwise, also after `paid`. */
  setPayout(payoutId: string, status: PayoutStatus, failure?: PayoutFailure): void
  /** The money of a payout that failed without giving it back. */
  returnPayout(payoutId: string): void
  payOutAsOldCode(payout: OldPayout): string
  transferAsOldCode(transfer: OldTransfer): string
  /** Money that nothing explains, or with a negative amount money that is missing. */
  credit(account: string, cents: number, currency?: string, availableAt?: Date): void
  /** Registers where Stripe calls; nothing is called. Gives its id. */
  addEndpoint(endpoint: NewEndpoint): string
  /** An event counts as delivered until told otherwise. */
  setDelivered(eventId: string, isDelivered: boolean): void
  inject(fault: FaultOrder): Standing
  clearFaults(): void
  /** Moves the stand-in's own time forward, on top of its clock. */
  advance(ms: number): void
  now(): Date
}

export function createControl(state: State): StripeControl {
  return {
    ...createVouchers(state),
    ...createMoneyControl(state),
    addAccount: account => addAccount(state, account ?? {}).id,
    setAccount: (account, settings) => {
      setAccount(state, account, settings)
    },
    replaceBank: (account, currency = 'eur') => replaceBank(state, account, currency),
    addEndpoint: endpoint => addEndpoint(state, endpoint),
    setDelivered: (eventId, isDelivered) => {
      for (const { events } of state.books.values()) {
        const event = events.byId.get(eventId)
        if (event !== undefined) event.isDelivered = isDelivered
      }
    },
    inject: fault => injectFault(state, fault),
    clearFaults: () => {
      state.faults.length = 0
    },
    advance: ms => {
      state.offsetMs += ms
      runDue(state)
    },
    now: () => new Date(nowMs(state)),
  }
}

type MoneyControl = Omit<
  StripeControl,
  | keyof VoucherControl
  | 'addAccount'
  | 'setAccount'
  | 'replaceBank'
  | 'addEndpoint'
  | 'setDelivered'
  | 'inject'
  | 'clearFaults'
  | 'advance'
  | 'now'
>

function createMoneyControl(state: State): MoneyControl {
  return {
    pay: booking => pay(state, booking),
    refund: order => refund(state, order),
    failRefund: refundId => {
      failRefund(state, getFrom(state.refunds.byId, refundId), nowMs(state))
    },
    dispute: (chargeId, order) => openDispute(state, chargeId, order),
    closeDispute: (disputeId, status) => {
      closeDispute(state, disputeId, status)
    },
    reverse: (transferId, amountCents) => {
      const transfer = getFrom(state.transfers.byId, transferId)
      const amount = amountCents ?? transfer.amount - transfer.amountReversed
      makeReversal(state, { transfer, amount, feeBackCents: 0, atMs: nowMs(state) })
    },
    setPayout: (payoutId, status, failure) => {
      runDue(state)
      takePayout(state, getPayout(state, payoutId), status, failure)
    },
    returnPayout: payoutId => {
      returnMoney(state, getPayout(state, payoutId), 'payout_failure')
    },
    payOutAsOldCode: payout => payOutAsOldCode(state, payout),
    transferAsOldCode: transfer => transferAsOldCode(state, transfer),
    credit: (account, cents, currency = 'eur', availableAt) => {
      const availableMs = availableAt?.getTime()
      const leg = { account, type: 'adjustment' as const, amount: cents, source: null, availableMs }
      move(state, { currency, atMs: nowMs(state), legs: [leg], outside: { unexplained: -cents } })
    },
  }
}

function pay(state: State, booking: Booking & Paid): PaymentIds {
  const createdAt = booking.createdAt ?? booking.paidAt
  const intent = addIntent(state, { ...booking, ...(createdAt && { createdAt }) }, 'processing')
  const charge = addCharge(state, intent, booking.paidAt?.getTime() ?? nowMs(state))
  collect(state, intent, charge, booking)
  return idsOf(intent, charge)
}

function refund(state: State, order: RefundOrder): string {
  const { chargeId, refundFee = false, reverseTransfer = false } = order
  const charge: Charge = getFrom(getBook(state, state.platform.id).charges.byId, chargeId)
  const left = charge.amount - charge.amountRefunded
  const amount = order.amountCents ?? left
  if (charge.status !== 'succeeded' || amount <= 0 || amount > left) {
    throw new Error(`${amount} of the ${charge.status} charge ${chargeId} cannot be refunded: ${left} are left`)
  }
  const transfer = reverseTransfer ? getFrom(state.transfers.byId, charge.transferId ?? '') : undefined
  const feeBackCents = refundFee ? feeShare(charge, amount) : 0
  return makeRefund(state, { charge, amount, atMs: nowMs(state), transfer, feeBackCents }).id
}

function getFrom<T>(records: ReadonlyMap<string, T>, id: string): T {
  const record = records.get(id)
  if (record === undefined) throw new Error(`the Stripe stand-in has no ${id}`)
  return record
}
