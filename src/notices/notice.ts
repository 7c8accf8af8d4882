import type { Db } from '../database/connection.ts'
import type { PaymentReads } from '../providers/payments.ts'

/** What people can be told about. */
export const noticeKinds = [
  'appointment-reminder-24h',
  'appointment-reminder-1h',
  'payment-reminder-gentle',
  'payment-reminder-urgent',
  'reservation-expired',
  'transfer-recorded',
  'expert-payout-notification',
  'payout-failed',
  'payout-upcoming',
  'job-failing',
  'job-recovered',
] as const
export type NoticeKind = (typeof noticeKinds)[number]

/** One thing that one person is to be told once: kind, subject, recipient and occurrence make it that one. */
export interface Notice {
  readonly kind: NoticeKind
  /** What it is about: our own id, never a name or an address. */
  readonly subject: string
  /** The person's id at the vendor; notices/recipients.ts makes it. */
  readonly recipient: string
  /** Tells two notices about one subject apart; the same for every try of one notice. */
  readonly occurrence: string
  /** What the wording needs, by the schema of the kind; wording, language and time zone are applied when it is sent. */
  readonly facts: Readonly<Record<string, unknown>>
  readonly runId: string | null
  readonly at: Date
  /** After this moment it helps nobody: it is dropped then. Null: it stays useful. */
  readonly usefulUntil: Date | null
}

/** A notice that is about to go out. */
export interface OutgoingNotice extends Omit<Notice, 'runId' | 'at'> {
  readonly id: string
  readonly createdAt: Date
  /** The attempt that this is; 1 for the first. */
  readonly attempt: number
}

export interface RecheckContext {
  readonly db: Db
  readonly payments: PaymentReads
  /** Right now. */
  readonly now: Date
  readonly signal: AbortSignal
}

/**
 * Whether a notice is still true, right before it goes: `send`, or why it must not. Whether it is still of use is the
 * sender's business. Reads only. Throws when that cannot be told now; the notice then waits for a later try.
 */
export type Recheck = (notice: OutgoingNotice, context: RecheckContext) => Promise<RecheckVerdict>

export type RecheckVerdict =
  /** With facts, as they are by now; without, as they were when it was decided. */
  { readonly kind: 'send'; readonly facts?: Notice['facts'] } | { readonly kind: 'drop'; readonly reason: string }
