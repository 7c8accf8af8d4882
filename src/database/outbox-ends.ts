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
  /** Checks in a row that failed; 0 unless given. */
  readonly checks?: number
  /** For one with which nothing is wrong: `recallWaiting` brings it forward. */
  readonly waitsForVendor?: boolean
}

/**
 * Ends a claim with what became of each notice, and gives the kinds of those that were still ours, by id. What is known to be sent is
 * written down whoever has the notice now, unless that has ended: then nobody sends it again.
 */
export async function endClaims(
  db: Db,
  claim: string,
  ends: readonly NoticeEnd[],
  now: Date,
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await sql<{ id: string; kind: string }>`
    update jobs.outbox o set
      state = e.state, note = e.note, lookups = e.lookups, checks = e.checks, waits_for_vendor = e.waits_for_vendor,
      claimed_by = null, claimed_until = null,
      next_attempt_at = coalesce(e.next_attempt_at, o.next_attempt_at),
      finished_at = case when e.state in ('sent', 'dropped', 'poison') then ${now}::timestamptz end
    from jsonb_to_recordset(${JSON.stringify(ends.map(toRecord))}::jsonb)
      as e(id bigint, state text, note text, lookups integer, checks integer, waits_for_vendor boolean, next_attempt_at timestamptz)
    where o.id = e.id and o.state in ('pending', 'sending', 'unknown') and (o.claimed_by = ${claim} or e.state = 'sent')
    returning o.id, o.kind`.execute(db)
  return new Map(rows.map(({ id, kind }) => [id, kind]))
}

/** Makes due what waits for nothing but the vendor; what was told when to come again waits until then. Gives how many. */
export async function recallWaiting(db: Db, now: Date): Promise<number> {
  const { numAffectedRows } = await sql`
    update jobs.outbox set next_attempt_at = ${now} where id in (
      select id from jobs.outbox
      where state = 'pending' and waits_for_vendor and next_attempt_at > ${now} for update skip locked)`.execute(db)
  return Number(numAffectedRows ?? 0n)
}

/** The note of a notice that waits because the vendor would swallow it. */
export const heldBack = 'workflow_differs'

/** Makes due what waits for its workflow alone, of these kinds. Gives how many. */
export async function recallUnready(db: Db, kinds: readonly string[], now: Date): Promise<number> {
  const { numAffectedRows } = await sql`
    update jobs.outbox set next_attempt_at = ${now} where id in (
      select id from jobs.outbox
      where state = 'pending' and kind = any(${[...kinds]}::text[]) and next_attempt_at > ${now}
        and (note in (${heldBack}, 'workflow_not_found', 'trigger_not_active') or note like 'no_workflow%')
      for update skip locked)`.execute(db)
  return Number(numAffectedRows ?? 0n)
}

function toRecord({ checks = 0, id, lookups = 0, nextAttemptAt, note, state, waitsForVendor = false }: NoticeEnd) {
  return {
    id,
    state,
    note,
    lookups,
    checks,
    waits_for_vendor: waitsForVendor,
    next_attempt_at: nextAttemptAt?.toISOString() ?? null,
  }
}
