import type { BookingRow } from '../database/bookings.ts'
import { type Booking, judgeBooking } from '../money/eligibility.ts'
import { findGate, isReturned } from '../money/payout-gates.ts'
import { blockedTooLongMs } from '../money/send-outcomes.ts'
import { findTransfer } from '../money/transfer-checks.ts'
import type { Balance, Charge, ConnectAccount, Payment, Payout, Transfer } from '../providers/payments.ts'
import type { MoneyRow } from '../database/money-rows.ts'

/** What speaks against sending now. `passing` may be over by itself one day; anything else will not. */
export interface Objection {
  readonly reason: string
  readonly passing: boolean
  /** When it will be over, where that is known. */
  readonly until?: Date
}

/** What Stripe says, read again right before a transfer is made. */
export interface TransferFacts {
  readonly now: Date
  /** As our rows have it now; undefined when the row is gone. */
  readonly booking: Booking | undefined
  readonly payment: Payment
  readonly account: ConnectAccount
  readonly balance: Balance
  /** To the account, since the charge was paid. */
  readonly transfers: readonly Transfer[]
}

/** Why no transfer may be made for a row now; undefined when nothing speaks against it. */
export function findTransferObjection(
  { account, balance, booking, now, payment, transfers }: TransferFacts,
  row: MoneyRow,
  chargeId: string,
): Objection | undefined {
  const early = findBookingObjection(booking, row, payment, now)
  if (early !== undefined) return early
  const { charge } = payment
  if (charge?.id !== chargeId) return lasting('charge_changed')
  if (findTransfer(owed(row), charge, transfers).kind !== 'none') return lasting('transfer_exists')
  if (charge.settlementCurrency !== undefined && charge.settlementCurrency !== row.currency) {
    return lasting('settlement_currency')
  }
  if (!account.transfersActive) return passing('transfers_inactive')
  // Money sent to an account in debt fills the hole and pays nobody (docs.stripe.com/connect/account-balances).
  if ((balance.available[row.currency] ?? 0) < 0) return passing('negative_balance')
  return undefined
}

/** What Stripe says, read again right before a payout is made. */
export interface PayoutFacts {
  readonly now: Date
  readonly payments: readonly {
    readonly row: MoneyRow
    readonly booking: (Booking & Pick<BookingRow, 'recordedTransferId'>) | undefined
    readonly payment: Payment
    readonly transfers: readonly Transfer[]
  }[]
  readonly account: ConnectAccount
  readonly balance: Balance
  /** Made since the cut-over, by anybody but this operation, and explained by nobody. */
  readonly unexplained: readonly string[]
  /** The rows that another payout names whose money is gone. */
  readonly paidRows: readonly number[]
}

/** Why a payout may not be made now; undefined when nothing speaks against it. */
export function findPayoutObjection(facts: PayoutFacts, currency: string, amountCents: number): Objection | undefined {
  const { account, balance, now, paidRows, payments, unexplained } = facts
  // Whoever has answered for that payout has not said that its rows may be paid twice.
  if (paidRows.length > 0) return lasting('already_paid')
  for (const { booking, payment, row, transfers } of payments) {
    const objection =
      findBookingObjection(booking, row, payment, now) ??
      findTransferFault(payment.charge, row, booking?.recordedTransferId ?? null, transfers)
    if (objection !== undefined) return objection
  }
  if (unexplained.length > 0) return passing('payout_unexplained')
  const gate = findGate(
    { ...account, available: balance.available, pending: balance.pending, payouts: [] },
    currency,
    false,
  )
  if (gate !== undefined) return passing(gate)
  if (!((balance.available[currency] ?? 0) >= amountCents)) return passing('awaiting_funds')
  return undefined
}

/**
 * By the one rule of eligibility: since an operation was decided, or approved, the appointment may have been moved, an
 * approval withdrawn, the money given back, the row's amount corrected.
 */
function findBookingObjection(
  booking: Booking | undefined,
  decided: MoneyRow,
  payment: Payment,
  now: Date,
): Objection | undefined {
  if (booking?.amountCents !== decided.amountCents || booking.currency !== decided.currency) {
    return lasting('row_changed')
  }
  const verdict = judgeBooking(booking, payment, now)
  switch (verdict.kind) {
    case 'eligible':
      return undefined
    case 'stopped':
      return lasting(verdict.reason)
    case 'waits':
      return waitsFor(verdict.reason, verdict.until, now)
    case 'unknown':
      return passing('undecided')
  }
}

/** What would keep its account waiting for longer than anything may is given up, and planned anew when it is due. */
function waitsFor(reason: string, until: Date | undefined, now: Date): Objection {
  if (until === undefined) return passing(reason)
  return until.getTime() - now.getTime() < blockedTooLongMs ? { reason, passing: true, until } : lasting(reason)
}

/** The money reached the row's account, all of it, and was not taken back. */
function findTransferFault(
  charge: Charge | undefined,
  row: MoneyRow,
  recordedTransferId: string | null,
  transfers: readonly Transfer[],
): Objection | undefined {
  if (charge === undefined) return passing('unpaid')
  const found = findTransfer({ ...owed(row), recordedTransferId }, charge, transfers)
  if (found.kind === 'none') return lasting('transfer_missing')
  if (found.kind === 'mismatch') return lasting(`transfer_${found.mismatches[0]?.kind ?? 'wrong'}`)
  return row.transferId === null || row.transferId === found.transfer.id ? undefined : lasting('transfer_differs')
}

/** Payouts of an account that are not this operation's and whose money did not come back. */
export function listOthers(payouts: readonly Payout[], operationId: string): Payout[] {
  return payouts.filter(payout => payout.operationId !== operationId && !isReturned(payout))
}

/** Those of the rows that one of these payouts of others names. */
export function listPaidRows(others: readonly Payout[], ids: readonly number[]): number[] {
  const named = new Set(others.map(({ paymentTransferId }) => paymentTransferId))
  return ids.filter(id => named.has(id))
}

function owed({ account, amountCents, currency, id }: MoneyRow) {
  return { paymentTransferId: id, account, amountCents, currency }
}

function passing(reason: string): Objection {
  return { reason, passing: true }
}

function lasting(reason: string): Objection {
  return { reason, passing: false }
}
