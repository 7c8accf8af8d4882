import type { Db } from './connection.ts'
import { toJson } from './json.ts'

/** What people can be told about. */
export type NoticeKind = 'expert-payout-notification' | 'payout-failed' | 'transfer-recorded' | 'payout-upcoming'

/** One thing that one person is to be told once: kind, subject, recipient and occurrence make it that one. */
export interface Notice {
  readonly kind: NoticeKind
  /** What it is about: our own id. */
  readonly subject: string
  /** The Clerk id of the person. */
  readonly recipient: string
  /** Tells two notices about one subject apart; the same for every try of one notice. */
  readonly occurrence: string
  /** Facts only: wording, language and time zone are decided when it is sent. */
  readonly payload: Readonly<Record<string, unknown>>
  readonly runId: string
  readonly at: Date
}

/**
 * Writes down what somebody is to be told. Call it in the transaction that decides it, so that neither exists without
 * the other. False when it was written before; then nothing changes.
 */
export async function recordNotice(db: Db, notice: Notice): Promise<boolean> {
  const { at, kind, occurrence, payload, recipient, runId, subject } = notice
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('jobs.outbox')
    .values({
      kind,
      subject,
      recipient,
      occurrence,
      payload: toJson(payload) ?? '{}',
      next_attempt_at: at,
      run_id: runId,
      created_at: at,
    })
    .onConflict(conflict => conflict.columns(['kind', 'subject', 'recipient', 'occurrence']).doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}
