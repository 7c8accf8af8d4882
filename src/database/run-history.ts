import { sql } from 'kysely'
import type { Db } from './connection.ts'
import type { RunState, RunsTable } from './tables.ts'

export interface RunFilter {
  readonly job?: string | undefined
  readonly state?: string | undefined
  /** Only runs older than this one. */
  readonly before?: string | undefined
  readonly limit: number
}

export type RunSummary = Omit<RunsTable, 'attempts' | 'effective_slot' | 'plan' | 'report' | 'term' | 'deliveries'> & {
  deliveries: number
  report: Record<string, unknown> | null
}

const summaryColumns = [
  'id',
  'job',
  'message_id',
  'slot',
  'trigger',
  'attempt',
  'state',
  'final',
  'dry_run',
  'owner',
  'deadline_at',
  'started_at',
  'finished_at',
  'deliveries',
  'report',
  'plan_hash',
  'error_code',
  'message',
  'operator',
] as const

/** Runs, newest first; at most `limit`. */
export async function listRuns(db: Db, filter: RunFilter): Promise<RunSummary[]> {
  let query = db.selectFrom('jobs.runs').select(summaryColumns).orderBy('id', 'desc').limit(filter.limit)
  if (filter.job !== undefined) query = query.where('job', '=', filter.job)
  if (filter.state !== undefined) query = query.where('state', '=', filter.state as RunState)
  if (filter.before !== undefined) query = query.where('id', '<', filter.before)
  return await query.execute()
}

/** One run with its plan, its earlier attempts and the pings it caused; undefined when there is none. */
export async function findRun(db: Db, id: string) {
  const run = await db.selectFrom('jobs.runs').selectAll().where('id', '=', id).executeTakeFirst()
  if (run === undefined) return undefined
  const pings = await db
    .selectFrom('jobs.heartbeat_pings')
    .select(['id', 'kind', 'state', 'happened_at', 'attempts', 'finished_at', 'note'])
    .where('run_id', '=', id)
    .orderBy('id')
    .execute()
  return { ...run, pings }
}

/** The stored plan of the newest dry run of the job with this hash; undefined when nobody made it. */
export async function findPlanByHash(db: Db, job: string, planHash: string) {
  const row = await db
    .selectFrom('jobs.runs')
    .select('plan')
    .where('job', '=', job)
    .where('plan_hash', '=', planHash)
    .where('plan', 'is not', null)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.plan ?? undefined
}

/** How many runs failed in a row up to this one, at most `limit`; dry runs, interruptions and stale plans are left aside. */
export async function countFailuresInARow(db: Db, job: string, runId: string, limit: number): Promise<number> {
  const rows = await db
    .selectFrom('jobs.runs')
    .select('state')
    .where('job', '=', job)
    .where('dry_run', '=', false)
    .where('state', 'in', ['succeeded', 'failed', 'incomplete', 'abandoned'])
    // The code of attempt.ts for a plan that has changed since an operator approved it.
    .where(sql<boolean>`error_code is distinct from 'plan_changed'`)
    .where('id', '<=', runId)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  const streakEnd = rows.findIndex(row => row.state === 'succeeded')
  return streakEnd === -1 ? rows.length : streakEnd
}

export interface UntoldFailure {
  readonly job: string
  readonly runId: string
  readonly attempt: number
  /** No attempt follows: it said so itself, or the scheduler has given the message up. */
  readonly final: boolean
}

/**
 * The jobs whose newest run failed within this time, and of which nobody has been told since: neither is a finding
 * live, nor has somebody resolved one after the run.
 */
export async function listUntoldFailures(db: Db, from: Date, to: Date): Promise<UntoldFailure[]> {
  const { rows } = await sql<UntoldFailure>`
    select newest.job, newest.id as "runId", newest.attempt,
      newest.final or exists (select from jobs.dead_letters d where d.message_id = newest.message_id) as final
    from (select distinct job from jobs.leases) l
    cross join lateral (
      select * from jobs.runs r
      where r.job = l.job and not r.dry_run and r.state in ('succeeded', 'failed', 'incomplete', 'abandoned')
      order by r.id desc limit 1) newest
    where newest.state <> 'succeeded' and newest.finished_at between ${from} and ${to} and not exists (
      select from jobs.findings f where f.kind = 'job-failing' and f.subject = newest.job
        and (f.state <> 'resolved' or f.closed_at >= newest.finished_at))
    order by newest.job`.execute(db)
  return rows
}

/** What the job's newest succeeded runs left undone, newest first. */
export async function listLeftovers(db: Db, job: string, limit: number): Promise<number[]> {
  const rows = await db
    .selectFrom('jobs.runs')
    .select(sql<number>`coalesce((report->>'left')::integer, 0)`.as('left'))
    .where('job', '=', job)
    .where('dry_run', '=', false)
    .where('state', '=', 'succeeded')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(row => row.left)
}
