import type { MoneyFinding } from './findings.ts'
import { complaintWindowMs } from './eligibility.ts'
import type { PayoutRow } from './payout-facts.ts'
import type { LaneWait } from './payout-lanes.ts'
import type { RowVerdict } from './payout-rows.ts'

/** How long money may stay on an account, by our rule and by Stripe's (docs.stripe.com/connect/manual-payouts). */
const holdDays = 14
const stripeHoldDays = 90
const dayMs = 24 * 60 * 60_000

/** What ends at its moment by itself, and what a finding of its own tells already. */
const untold: readonly string[] = ['complaint_window', 'payment_age', 'account_unreachable']

/** A row that is not paid, since when it could have been, and why it is not. */
export interface WaitingRow {
  readonly row: PayoutRow
  readonly since: Date
  readonly reason: string
}

/** A row that its lane keeps waiting; undefined for one in doubt, which waits for a person already. */
export function toWaitingInLane({ reason, row }: LaneWait): WaitingRow | undefined {
  return row.hold === undefined ? { row: row.row, since: row.eligibleSince, reason } : undefined
}

/** A row that waits by itself, from when its booking was over; undefined when nothing is to be told about that. */
export function toWaiting(row: PayoutRow, verdict: RowVerdict): WaitingRow | undefined {
  const { appointmentEndsAt } = row.booking
  if (verdict.kind !== 'waits' || untold.includes(verdict.reason) || appointmentEndsAt === null) return undefined
  return { row, since: new Date(appointmentEndsAt.getTime() + complaintWindowMs), reason: verdict.reason }
}

/** Money of bookings that has been on its account for longer than money may be held, whatever keeps it there. */
export function listHoldAges(waiting: readonly (WaitingRow | undefined)[], now: Date): MoneyFinding[] {
  const tooLong = waiting.filter(
    (each): each is WaitingRow => each !== undefined && now.getTime() - each.since.getTime() > holdDays * dayMs,
  )
  const lanes = Map.groupBy(tooLong, ({ row }) => `${row.account} ${row.booking.currency}`)
  return [...lanes].map(([name, rows]) => findingOfHoldAge(name, rows))
}

/** Rows of one account and currency. */
function findingOfHoldAge(lane: string, waiting: readonly WaitingRow[]): MoneyFinding {
  const oldest = new Date(Math.min(...waiting.map(({ since }) => since.getTime())))
  const reasons = [...new Set(waiting.map(({ reason }) => reason))].toSorted()
  return {
    kind: 'hold-age',
    subject: lane,
    message:
      `bookings have been over for more than ${holdDays} days and were not paid out (${reasons.join(', ')}): remove the ` +
      `cause, or find where the money went. Stripe wants it paid out within ${stripeHoldDays} days`,
    details: {
      reasons,
      waitingSince: oldest,
      stripeLimitAt: new Date(oldest.getTime() + stripeHoldDays * dayMs),
      cents: waiting.reduce((sum, { row }) => sum + row.booking.amountCents, 0),
      paymentTransferIds: waiting.map(({ row }) => row.paymentTransferId).toSorted((a, b) => a - b),
    },
  }
}
