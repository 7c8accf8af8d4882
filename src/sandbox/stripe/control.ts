import { type FaultOrder, injectFault, type Standing } from './door/faults.ts'
import type { Payout, PayoutStatus } from './records.ts'
import { getBook, nowMs, type State } from './state.ts'
import { type AccountSettings, addAccount, type NewAccount, replaceBank, setAccount } from './world/accounts.ts'
import { availableCents, move } from './world/money.ts'
import { addCharge, addIntent, type Booking, collect, type Paid } from './world/payments.ts'
import { cancelPayout, failPayout, makePayout, returnMoney, setPayoutStatus } from './world/payouts.ts'
import { runDue } from './world/timers.ts'
import { createVouchers, idsOf, type PaymentIds, type VoucherControl } from './world/vouchers.ts'

export interface OldPayout {
  readonly account: string
  readonly amountCents: number
  /** `eur` unless given. */
  readonly currency?: string
  /** The row that it was for; without one it is the old sweep of a whole balance. */
  readonly paymentTransferId?: number
  readonly at?: Date
  /** In place of what the old code wrote. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Made by the account's own schedule. */
  readonly isAutomatic?: boolean
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
  /** Takes a payout to where it is told; `failed` returns the money unless told otherwise, also after `paid`. */
  setPayout(payoutId: string, status: PayoutStatus, failure?: PayoutFailure): void
  /** The money of a payout that failed without giving it back. */
  returnPayout(payoutId: string): void
  /** A payout as the job before this service made it; gives its id. Throws when the balance does not cover it. */
  payOutAsOldCode(payout: OldPayout): string
  /** Money that nothing explains, or with a negative amount money that is missing. */
  credit(account: string, cents: number, currency?: string, availableAt?: Date): void
  inject(fault: FaultOrder): Standing
  clearFaults(): void
  /** Moves the stand-in's own time forward, on top of its clock. */
  advance(ms: number): void
  now(): Date
}

export interface PayoutFailure {
  /** `could_not_process` unless given. */
  readonly code?: string
  /** False: the money comes back later, with `returnPayout`. */
  readonly isMoneyBack?: boolean
}

export function createControl(state: State): StripeControl {
  return {
    ...createVouchers(state),
    addAccount: account => addAccount(state, account ?? {}).id,
    setAccount: (account, settings) => {
      setAccount(state, account, settings)
    },
    replaceBank: (account, currency = 'eur') => replaceBank(state, account, currency),
    pay: booking => pay(state, booking),
    setPayout: (payoutId, status, failure) => {
      setPayout(state, payoutId, status, failure)
    },
    returnPayout: payoutId => {
      returnMoney(state, getPayout(state, payoutId), 'payout_failure')
    },
    payOutAsOldCode: payout => payOutAsOldCode(state, payout),
    credit: (account, cents, currency = 'eur', availableAt?: Date) => {
      const leg = {
        account,
        type: 'adjustment' as const,
        amount: cents,
        source: null,
        availableMs: availableAt?.getTime(),
      }
      move(state, { currency, atMs: nowMs(state), legs: [leg], outside: { unexplained: -cents } })
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

function pay(state: State, booking: Booking & Paid): PaymentIds {
  const createdAt = booking.createdAt ?? booking.paidAt
  const intent = addIntent(state, { ...booking, ...(createdAt && { createdAt }) }, 'processing')
  const charge = addCharge(state, intent, booking.paidAt?.getTime() ?? nowMs(state))
  collect(state, intent, charge, booking)
  return idsOf(intent, charge)
}

function setPayout(state: State, id: string, status: PayoutStatus, failure: PayoutFailure = {}): void {
  runDue(state)
  const payout = getPayout(state, id)
  if (status === 'failed') failPayout(state, payout, failure.code ?? 'could_not_process', failure.isMoneyBack ?? true)
  else if (status === 'canceled') cancelPayout(state, payout)
  else setPayoutStatus(state, payout, status)
}

function payOutAsOldCode(state: State, order: OldPayout): string {
  const { account, amountCents, at, currency = 'eur', isAutomatic = false, paymentTransferId } = order
  const bank = getBook(state, account).account.banks.find(each => each.currency === currency)
  if (bank === undefined) throw new Error(`the account ${account} has no bank account in ${currency}`)
  const available = availableCents(state, account, currency)
  if (available < amountCents) throw new Error(`${account} has ${available} of ${amountCents} ${currency} to pay out`)
  const atMs = at?.getTime() ?? nowMs(state)
  const processedAt = new Date(atMs).toISOString()
  const metadata =
    paymentTransferId === undefined
      ? {
          source: 'stripe_fallback',
          reason: 'legal_compliance_verification',
          processedAt,
          automaticComplianceCheck: 'true',
        }
      : {
          paymentTransferId: String(paymentTransferId),
          originalTransferAmount: String(amountCents),
          source: 'database',
          processedAt,
        }
  const made = { ...(isAutomatic ? {} : metadata), ...order.metadata }
  return makePayout(state, { account, amount: amountCents, currency, bank, atMs, isAutomatic, metadata: made }).id
}

function getPayout(state: State, id: string): Payout {
  for (const { payouts } of state.books.values()) {
    const payout = payouts.byId.get(id)
    if (payout !== undefined) return payout
  }
  throw new Error(`the Stripe stand-in has no payout ${id}`)
}
