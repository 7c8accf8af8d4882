import type { Db } from './connection.ts'
import { toJson } from './json.ts'

/** A notice as it is written down. */
export interface NewNotice {
  readonly kind: string
  readonly subject: string
  readonly recipient: string
  readonly occurrence: string
  readonly facts: Readonly<Record<string, unknown>>
  readonly transactionId: string
  readonly runId: string | null
  readonly at: Date
  readonly usefulUntil: Date | null
  /** Set for one that will never be sent, and is written so that it is accounted for. */
  readonly end?: { readonly state: 'dropped' | 'poison'; readonly note: string }
}

/** Writes a notice, to be sent unless it has its end already. False when it was written before; then nothing changes. */
export async function insertNotice(db: Db, notice: NewNotice): Promise<boolean> {
  const { at, end, facts, kind, occurrence, recipient, runId, subject, transactionId, usefulUntil } = notice
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('jobs.outbox')
    .values({
      kind,
      subject,
      recipient,
      occurrence,
      facts: toJson(facts) ?? '{}',
      transaction_id: transactionId,
      next_attempt_at: at,
      useful_until: usefulUntil,
      run_id: runId,
      created_at: at,
      ...(end === undefined ? {} : { ...end, finished_at: at }),
    })
    .onConflict(conflict => conflict.columns(['kind', 'subject', 'recipient', 'occurrence']).doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}
