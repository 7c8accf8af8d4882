/** Whom to tell that money is coming: each expert once, shortly before it may be released, and never of an unpaid booking. */

import { eligibleFrom, judgeBooking, type PaymentFacts, type WaitReason } from './eligibility.ts'
import { decideTransfer, type TransferRow } from './transfer-decisions.ts'
import type { Limits } from './limits.ts'

const dayMs = 24 * 60 * 60_000

/** How long before the money may be released its expert is told, at most. */
export const noticeWithinMs = 2 * dayMs

/** Stripe tries a webhook for so long (docs.stripe.com/webhooks): the site may write a row that much after its payment. */
const rowDelayMs = 3 * dayMs

export interface UpcomingRow extends TransferRow {
  /** When the site wrote the row. */
  readonly createdAt: Date
}

export interface NoticeRules {
  /** Payments before it may have been paid out already; undefined: so may all of them. */
  readonly cutOver: Date | undefined
  readonly limits: Limits
  readonly now: Date
}

export type NoticeWait = WaitReason | 'too_early' | 'before_cut_over'

export type NoticeDecision =
  /** Our rows do not say; the vendor has to be asked. */
  | { readonly kind: 'ask' }
  | { readonly kind: 'tell'; readonly eligibleFrom: Date; readonly paidAt: Date }
  | { readonly kind: 'wait'; readonly reason: NoticeWait; readonly until?: Date }
  /** It is due already, or a person must look at it: others say so. */
  | { readonly kind: 'silent' }

/** Whether to tell an expert about a row: its money becomes eligible within (0, 2 days], and nothing else keeps it. */
export function decideNotice(
  row: UpcomingRow,
  payment: PaymentFacts | undefined,
  { cutOver, limits, now }: NoticeRules,
): NoticeDecision {
  const { appointmentEndsAt } = row
  // Somebody is at work on it, or it contradicts itself.
  const rules = { attributed: new Set<string>(), cutOver, limits, now }
  if (decideTransfer({ ...row, operation: undefined }, undefined, rules).kind === 'odd') return silent
  if (row.operation !== undefined || appointmentEndsAt === null) return silent
  if (payment === undefined) return judgeUnasked(row, appointmentEndsAt, now)
  const verdict = judgeBooking(row, payment, now)
  const paidAt = payment.charge?.paidAt
  if (verdict.kind !== 'waits') return silent
  if (verdict.until === undefined || paidAt === undefined) return { kind: 'wait', reason: verdict.reason }
  // What else is missing at that moment would break the promise.
  const then = judgeBooking(row, payment, verdict.until)
  if (then.kind === 'waits') return { kind: 'wait', reason: then.reason }
  if (cutOver === undefined || paidAt < cutOver) return { kind: 'wait', reason: 'before_cut_over' }
  return tellInTime(verdict.until, paidAt, now)
}

const silent: NoticeDecision = { kind: 'silent' }

function tellInTime(eligible: Date, paidAt: Date, now: Date): NoticeDecision {
  const earliest = new Date(eligible.getTime() - noticeWithinMs)
  if (now < earliest) return { kind: 'wait', reason: 'too_early', until: earliest }
  return { kind: 'tell', eligibleFrom: eligible, paidAt }
}

/** Whatever the payment is, it cannot have been made long before the row was written. */
function judgeUnasked(row: UpcomingRow, appointmentEndsAt: Date, now: Date): NoticeDecision {
  const paidAtEarliest = new Date(row.createdAt.getTime() - rowDelayMs)
  const eligible = eligibleFrom(paidAtEarliest, appointmentEndsAt, row.country)
  const earliest = new Date(eligible.getTime() - noticeWithinMs)
  return now < earliest ? { kind: 'wait', reason: 'too_early', until: earliest } : { kind: 'ask' }
}
