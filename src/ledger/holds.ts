import type { BookingRow } from '../database/bookings.ts'
import type { MoneyRow } from '../database/money-rows.ts'
import { type HoldEvidence, listEvident } from '../money/hold-reasons.ts'
import type { PayoutOwners } from '../money/payout-facts.ts'
import { isExplained, type PaidOutAccount } from '../money/payout-gates.ts'
import { listDoubts } from '../money/payout-rows.ts'
import type { StandingHold } from '../money/standing-holds.ts'
import type { Payment, Payout } from '../providers/payments.ts'

/** Payouts of others whose money did not come back. */
export interface OthersPayouts {
  /** By account: that of the rows, and those that their experts have today. */
  readonly others: ReadonlyMap<string, readonly Payout[]>
  readonly owners: PayoutOwners
  /** The cut-over; undefined while nobody knows it, and then all is from before. */
  readonly since: Date | undefined
}

interface BookedRow {
  readonly row: MoneyRow
  readonly booking: Pick<BookingRow, 'currentAccount'> | undefined
  readonly payment: Payment
}

/** The ids of an account's payouts since the cut-over that nothing explains: they freeze it. */
export function listUnexplained(account: string, { others, owners, since }: OthersPayouts): string[] {
  return (others.get(account) ?? [])
    .filter(({ createdAt }) => since === undefined || createdAt >= since)
    .filter(payout => !isExplained(payout, account, owners))
    .map(({ id }) => id)
}

/**
 * What a fresh plan would hold these rows for, but for the limits: asked right before anything is sent, because whatever
 * was decided about them earlier, or approved, may not be all any more.
 */
export function listPayoutHolds(
  rows: readonly BookedRow[],
  payouts: OthersPayouts,
  evidence: HoldEvidence,
): StandingHold[] {
  const isOld = rows.some(({ payment }) => isBefore(payment, payouts.since))
  const payers = new Set(rows.flatMap(row => listPayers(row, payouts)))
  return [
    ...(isOld ? [beforeCutOver] : []),
    ...(payers.size > 0 ? [{ reason: 'may_be_paid_already' as const, of: [...payers] }] : []),
    // Stripe has been asked about payouts, more exactly than our tables know them.
    ...listEvident('payout', { ...evidence, payers: [] }),
  ]
}

/** The same of a transfer; `made` are transfers that may have been made for it by hand. */
export function listTransferHolds(
  payment: Payment,
  made: readonly string[],
  evidence: HoldEvidence,
  since: Date | undefined,
): StandingHold[] {
  return [
    ...(isBefore(payment, since) ? [beforeCutOver] : []),
    ...(made.length > 0 ? [{ reason: 'may_be_transferred_already' as const, of: made }] : []),
    ...listEvident('transfer', evidence),
  ]
}

const beforeCutOver: StandingHold = { reason: 'before_cut_over', of: [] }

function isBefore({ charge }: Payment, since: Date | undefined): boolean {
  return charge === undefined || since === undefined || !(charge.paidAt >= since)
}

function listPayers({ booking, payment, row }: BookedRow, { others, owners }: OthersPayouts): string[] {
  const accounts = new Map([...others].map(([id, payouts]) => [id, toAccount(id, payouts)]))
  const wanted = { account: row.account, currentAccount: booking?.currentAccount ?? null }
  // Without a charge nothing is sent at all; all payouts are doubted then.
  return listDoubts(wanted, { accounts, owners }, payment.charge?.paidAt ?? new Date(0)).map(({ id }) => id)
}

function toAccount(id: string, payouts: readonly Payout[]): PaidOutAccount {
  return { id, atStripe: { kind: 'known', value: { payouts } } }
}
