import { sql, type Updateable } from 'kysely'
import type { Db } from './connection.ts'
import type { HeartbeatPingsTable, PingKind } from './tables.ts'

export interface PingClaiming {
  /** This process. */
  readonly owner: string
  /** The jobs whose heartbeat is known here. Pings of others wait for a process that knows it, while they are true. */
  readonly jobs: readonly string[]
  /** Only this job's pings; all when undefined. */
  readonly job?: string
  readonly limit: number
  /** How long nobody else may send it. Longer than sending and recording takes. */
  readonly claimMs: number
  readonly now: Date
}

/** A ping on its way. `attempts` counts this try, and tells this claim apart from every other of the same ping. */
export interface ClaimedPing {
  readonly id: string
  readonly job: string
  readonly runId: string | null
  readonly kind: PingKind
  readonly body: string | null
  readonly attempts: number
}

export interface DroppedPing {
  readonly id: string
  readonly job: string
  readonly kind: PingKind
  readonly note: string
}

export interface PingClaims {
  readonly claimed: readonly ClaimedPing[]
  readonly dropped: readonly DroppedPing[]
}

/**
 * Claims what may be sent now: the newest ping of each job that has none on its way. Older ones, and ones that are no
 * longer true, are dropped at the same time; the ping of a sender that vanished comes back.
 *
 * What is true and due is measured by `now`, the clock that wrote those times. A claim ends by the database's clock, as
 * leases do: two processes must agree on its end, or the one whose clock is ahead would send a second time.
 */
export async function claimPings(db: Db, claiming: PingClaiming): Promise<PingClaims> {
  const rows = await judgePings(db, claiming)
  // A ping that came back still blocked its heartbeat in the statement that brought it back.
  if (rows.some(row => row.verdict === 'release')) rows.push(...(await judgePings(db, claiming)))
  return {
    claimed: rows.flatMap(row => (row.verdict === 'send' ? [toClaimed(row)] : [])),
    dropped: rows.flatMap(({ id, job, kind, verdict }) =>
      verdict === 'send' || verdict === 'release' ? [] : [{ id, job, kind, note: verdict }],
    ),
  }
}

/** Ends a claim for good. False when the claim had run out and somebody else has the ping; then nothing changes. */
export async function finishPing(
  db: Db,
  ping: ClaimedPing,
  { note, now, state }: { readonly state: 'delivered' | 'dropped'; readonly note: string | null; readonly now: Date },
): Promise<boolean> {
  return await endClaim(db, ping, { state, note, finished_at: now })
}

/** Gives a claim back for a later try. False when the claim had run out; then nothing changes. */
export async function returnPing(db: Db, ping: ClaimedPing, nextAttemptAt: Date, note: string): Promise<boolean> {
  return await endClaim(db, ping, { state: 'pending', note, next_attempt_at: nextAttemptAt })
}

/** Pings that still have to arrive. */
export async function countOwedPings(db: Db): Promise<number> {
  const { owed } = await db
    .selectFrom('jobs.heartbeat_pings')
    .select(({ fn }) => fn.countAll<string>().as('owed'))
    .where('state', 'in', ['pending', 'sending'])
    .executeTakeFirstOrThrow()
  return Number(owed)
}

interface JudgedRow {
  id: string
  job: string
  run_id: string | null
  kind: PingKind
  body: string | null
  attempts: number
  verdict: 'send' | 'release' | 'superseded' | 'no longer true' | 'no heartbeat is known'
}

/**
 * One statement: (1) lock all owed pings, so that two processes judge one after the other and the second sees what the
 * first one did; (2) judge each; (3) claim or drop. Any newer ping of the job, in whatever state, supersedes: a success
 * that has arrived must not be followed by an older fail.
 */
async function judgePings(db: Db, { claimMs, job, jobs, limit, now, owner }: PingClaiming): Promise<JudgedRow[]> {
  const { rows } = await sql<JudgedRow>`
    with owed as materialized (
      select id, job, state, true_until, next_attempt_at, claimed_until from jobs.heartbeat_pings
      where state in ('pending', 'sending') and (${job ?? null}::text is null or job = ${job ?? null})
      order by id for update
    ), judged as (
      select o.id, case
        when o.state = 'sending' then case when o.claimed_until <= clock_timestamp() then 'release' end
        when exists (select from jobs.heartbeat_pings n where n.job = o.job and n.id > o.id) then 'superseded'
        when o.true_until <= ${now}
          then case when o.job = any (${[...jobs]}::text[]) then 'no longer true' else 'no heartbeat is known' end
        when o.job = any (${[...jobs]}::text[]) and o.next_attempt_at <= ${now}
          and not exists (select from owed s where s.job = o.job and s.state = 'sending') then 'send'
      end as verdict
      from owed o
    )
    update jobs.heartbeat_pings p set
      state = case j.verdict when 'send' then 'sending' when 'release' then 'pending' else 'dropped' end,
      attempts = p.attempts + case j.verdict when 'send' then 1 else 0 end,
      claimed_by = case j.verdict when 'send' then ${owner}::text end,
      claimed_until = case j.verdict when 'send'
        then clock_timestamp() + make_interval(secs => ${claimMs}::double precision / 1000) end,
      finished_at = case when j.verdict not in ('send', 'release') then ${now}::timestamptz end,
      note = case j.verdict when 'send' then p.note when 'release' then 'its sender vanished' else j.verdict end
    from judged j
    where p.id = j.id and j.verdict is not null
      and (j.verdict <> 'send' or j.id in (select id from judged where verdict = 'send' order by id limit ${limit}))
    returning p.id, p.job, p.run_id, p.kind, p.body, p.attempts, j.verdict`.execute(db)
  return rows
}

function toClaimed({ attempts, body, id, job, kind, run_id }: JudgedRow): ClaimedPing {
  return { id, job, runId: run_id, kind, body, attempts }
}

async function endClaim(db: Db, ping: ClaimedPing, change: Updateable<HeartbeatPingsTable>): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('jobs.heartbeat_pings')
    .set({ ...change, claimed_by: null, claimed_until: null })
    .where('id', '=', ping.id)
    .where('state', '=', 'sending')
    .where('attempts', '=', ping.attempts)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}
