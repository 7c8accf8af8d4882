import { sql } from 'kysely'
import type { Db } from './connection.ts'

export interface RunFigures {
  /** Messages that came to an end since then, dry runs aside. */
  readonly finished: number
  readonly failed: number
}

/**
 * Of the newest runs and pings alone, found from the end of the primary key: a fortnight of them at least, while a table
 * keeps those of a year. Who comes up often must not cost what is kept for long.
 */
const newest = 5_000

/** How runs have gone since a moment that is not long ago. An interrupted one is no failure: it runs again. */
export async function readRunFigures(db: Db, since: Date): Promise<RunFigures> {
  const { rows } = await runFigures(since).execute(db)
  return rows[0] ?? { finished: 0, failed: 0 }
}

export function runFigures(since: Date) {
  return sql<RunFigures>`
    select
      count(*) filter (where state <> 'running')::int as finished,
      count(*) filter (where state in ('failed', 'incomplete', 'abandoned'))::int as failed
    from (select state, started_at, dry_run from jobs.runs order by id desc limit ${newest}) n
    where started_at >= ${since} and not dry_run`
}

export interface LastCall {
  /** The newest run that a scheduler asked for. */
  readonly lastScheduledAt: Date | null
  /** When a process first booted with its jobs. */
  readonly firstBootAt: Date | null
}

/** When a scheduler last called, and since when it may. */
export async function readLastCall(db: Db): Promise<LastCall> {
  const { rows } = await lastCall.execute(db)
  return rows[0] ?? { lastScheduledAt: null, firstBootAt: null }
}

export const lastCall = sql<LastCall>`
  select
    (select max(started_at)
      from (select trigger, started_at, dry_run from jobs.runs order by id desc limit ${newest}) n
      where not dry_run and trigger in ('schedule', 'cron')) as "lastScheduledAt",
    (select min(first_boot_at) from jobs.job_settings) as "firstBootAt"`

export interface PausedJob {
  readonly job: string
  readonly since: Date
  readonly reason: string
}

/** The jobs that operators have paused, the one that waits longest first. */
export async function listPausedJobs(db: Db): Promise<PausedJob[]> {
  const { rows } = await sql<PausedJob>`
    select job, paused_at as since, pause_reason as reason from jobs.job_settings
    where paused_at is not null order by paused_at, job`.execute(db)
  return rows
}

export interface FindingFigures {
  readonly kind: string
  readonly count: number
  readonly firstSeenAt: Date
  /** What they are about; five at most. */
  readonly subjects: readonly string[]
}

/** The findings that nobody has resolved, by kind, the most numerous first; of these jobs alone where some are given. */
export async function listFindingFigures(db: Db, jobs?: readonly string[]): Promise<FindingFigures[]> {
  const ofJobs = jobs === undefined ? sql`true` : sql`job = any(${jobs})`
  const { rows } = await sql<FindingFigures>`
    select kind, count(*)::int as count, min(first_seen_at) as "firstSeenAt",
      (array_agg(subject order by subject))[1:5] as subjects
    from jobs.findings where state <> 'resolved' and ${ofJobs}
    group by kind order by count desc, kind`.execute(db)
  return rows
}

export interface NoticeFigures {
  /** Written and not gone out, whenever they are tried next; some may be under way. */
  readonly waiting: number
  readonly oldestAt: Date | null
  /** May have reached the vendor, and nobody knows yet. */
  readonly unknown: number
  readonly poison: number
  readonly sentSince: number
}

/** How notices go, and how many of the newest have gone out since a moment. */
export async function readNoticeFigures(db: Db, since: Date): Promise<NoticeFigures> {
  const { rows } = await noticeFigures(since).execute(db)
  return rows[0] ?? { waiting: 0, oldestAt: null, unknown: 0, poison: 0, sentSince: 0 }
}

export function noticeFigures(since: Date) {
  return sql<NoticeFigures>`
    select
      count(*) filter (where state <> 'unknown')::int as waiting,
      min(created_at) filter (where state <> 'unknown') as "oldestAt",
      count(*) filter (where state = 'unknown')::int as unknown,
      (select count(*)::int from jobs.outbox where state = 'poison') as poison,
      (select count(*)::int from (select state, finished_at from jobs.outbox order by id desc limit ${newest}) n
        where state = 'sent' and finished_at >= ${since}) as "sentSince"
    from jobs.outbox where state in ('pending', 'sending', 'unknown')`
}

export interface PingFigures {
  readonly job: string
  readonly lastArrivedAt: Date | null
  readonly lastKind: 'success' | 'fail' | null
  /** Not arrived, and still true. */
  readonly owed: number
  readonly oldestOwedAt: Date | null
}

/** What has become of the pings of each job that had one lately, or owes one. */
export async function listPingFigures(db: Db, now: Date): Promise<PingFigures[]> {
  const { rows } = await pingFigures(now).execute(db)
  return rows
}

export function pingFigures(now: Date) {
  return sql<PingFigures>`
    with arrived as (
      select distinct on (job) job, finished_at, kind
      from (select id, job, state, kind, finished_at from jobs.heartbeat_pings order by id desc limit ${newest}) n
      where state = 'delivered' order by job, id desc
    ), owed as (
      select job, count(*)::int as count, min(happened_at) as oldest from jobs.heartbeat_pings
      where state in ('pending', 'sending') and true_until > ${now} group by job
    )
    select job, a.finished_at as "lastArrivedAt", a.kind as "lastKind",
      coalesce(o.count, 0) as owed, o.oldest as "oldestOwedAt"
    from arrived a full join owed o using (job) order by job`
}

export interface OperationFigures {
  readonly state: string
  readonly count: number
  readonly since: Date
}

/** The operations that are not over, by state, with the moment of the one that was touched longest ago. */
export async function listOperationFigures(db: Db): Promise<OperationFigures[]> {
  const { rows } = await sql<OperationFigures>`
    select state, count(*)::int as count, min(updated_at) as since from jobs.money_operations
    where state in ('planned', 'held', 'sending', 'unknown', 'blocked') group by state order by state`.execute(db)
  return rows
}

/** How many rows of the marketplace operations have been about since then. */
export async function countMovedRows(db: Db, since: Date): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(distinct i.payment_transfer_id)::int as count
    from jobs.money_operations o join jobs.money_operation_items i on i.operation_id = o.id
    where o.created_at >= ${since}`.execute(db)
  return rows[0]?.count ?? 0
}

/** When the site was done with these events of the payment vendor; undefined where it keeps no such list. */
export async function findProcessedEvents(db: Db, ids: readonly string[]): Promise<Map<string, Date> | undefined> {
  const { rows: tables } = await sql<{ there: boolean }>`
    select to_regclass('public.stripe_processed_events') is not null as there`.execute(db)
  if (tables[0]?.there !== true) return undefined
  const { rows } = await sql<{ event_id: string; processed_at: Date }>`
    select event_id, processed_at from public.stripe_processed_events where event_id = any(${ids})`.execute(db)
  return new Map(rows.map(({ event_id: id, processed_at: at }) => [id, at]))
}
