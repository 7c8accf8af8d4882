import { sql } from 'kysely'
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
  return (await insertNotices(db, [notice])).has(notice.transactionId)
}

/**
 * Writes notices in one statement, each to be sent unless it has its end already. Gives the ids of those that are new, by
 * their transaction ids; what was written before does not change.
 */
export async function insertNotices(db: Db, notices: readonly NewNotice[]): Promise<ReadonlyMap<string, string>> {
  const { rows } = await sql<{ id: string; transaction_id: string }>`
    insert into jobs.outbox (kind, subject, recipient, occurrence, facts, transaction_id, next_attempt_at, useful_until,
      run_id, created_at, state, note, finished_at)
    select kind, subject, recipient, occurrence, facts::jsonb, transaction_id, at, useful_until, run_id, at, state, note,
      case when state <> 'pending' then at end
    from jsonb_to_recordset(${toJson(notices.map(toRow))}::jsonb) as n (kind text, subject text, recipient text,
      occurrence text, facts text, transaction_id text, at timestamptz, useful_until timestamptz, run_id uuid, state text,
      note text)
    order by transaction_id -- So that two who write the same ones wait for each other in one direction only.
    on conflict (kind, subject, recipient, occurrence) do nothing
    returning id, transaction_id`.execute(db)
  return new Map(rows.map(({ id, transaction_id: transactionId }) => [transactionId, id]))
}

function toRow({ at, end, facts, kind, occurrence, recipient, runId, subject, ...notice }: NewNotice) {
  const what = { kind, subject, recipient, occurrence, facts: toJson(facts) ?? '{}' }
  const { transactionId: transaction_id, usefulUntil: useful_until } = notice
  const { note = null, state = 'pending' } = end ?? {}
  return { ...what, transaction_id, at, useful_until, run_id: runId, state, note }
}
