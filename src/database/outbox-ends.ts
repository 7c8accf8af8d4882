import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** What became of a claimed notice. */
export interface NoticeEnd {
  readonly id: string
  readonly state: 'pending' | 'sent' | 'unknown' | 'dropped' | 'poison'
  readonly note: string | null
  /** For one that has not ended. */
  readonly nextAttemptAt?: Date
  /** For `unknown`; 0 unless given. */
  readonly lookups?: number
}

/**
 * Ends a claim with what became of each notice, and gives the ids of those that were still ours. What is known to be sent is
 * written down whoever has the notice now, unless that has ended: then nobody sends it again.
 */
export async function endClaims(
  db: Db,
  claim: string,
  ends: readonly NoticeEnd[],
  now: Date,
): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ id: string }>`
    update jobs.outbox o set
      state = e.state, note = e.note, lookups = e.lookups, claimed_by = null, claimed_until = null,
      next_attempt_at = coalesce(e.next_attempt_at, o.next_attempt_at),
      finished_at = case when e.state in ('sent', 'dropped', 'poison') then ${now}::timestamptz end
    from jsonb_to_recordset(${JSON.stringify(ends.map(toRecord))}::jsonb)
      as e(id bigint, state text, note text, lookups integer, next_attempt_at timestamptz)
    where o.id = e.id and o.state in ('pending', 'sending', 'unknown') and (o.claimed_by = ${claim} or e.state = 'sent')
    returning o.id`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

function toRecord({ id, lookups = 0, nextAttemptAt, note, state }: NoticeEnd) {
  return { id, state, note, lookups, next_attempt_at: nextAttemptAt?.toISOString() ?? null }
}
