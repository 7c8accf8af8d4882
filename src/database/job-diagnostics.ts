import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** What goes on around a run that failed. */
export interface JobDiagnostics {
  readonly errorCode: string | null
  readonly message: string | null
  /** Jobs whose newest run has failed, this one among them. */
  readonly failingJobs: readonly string[]
  /** Open findings of other kinds, as `kind × count`. */
  readonly openFindings: readonly string[]
  /** Notices that have not gone out, or not for sure, whenever they are tried next. */
  readonly waitingNotices: number
  /** Of these, those that may have arrived all the same. */
  readonly unknownNotices: number
}

// A fortnight of runs at least: a job runs once a day or more often, and the table keeps those of a year.
const newest = 5_000

/** Looks at what else is wrong at this moment, in one statement. */
export async function readJobDiagnostics(db: Db, runId: string): Promise<JobDiagnostics> {
  const { rows } = await jobDiagnostics(runId).execute(db)
  return (
    rows[0] ?? {
      errorCode: null,
      message: null,
      failingJobs: [],
      openFindings: [],
      waitingNotices: 0,
      unknownNotices: 0,
    }
  )
}

export function jobDiagnostics(runId: string) {
  return sql<JobDiagnostics>`
    select r.error_code as "errorCode", r.message,
      array(
        select job from (
          select distinct on (job) job, state
          from (select id, job, state, dry_run from jobs.runs order by id desc limit ${newest}) n
          where not dry_run order by job, id desc) latest
        where state in ('failed', 'incomplete', 'abandoned') order by 1) as "failingJobs",
      array(select format('%s × %s', kind, count(*)) from jobs.findings
        where state <> 'resolved' and kind <> 'job-failing' group by kind order by kind) as "openFindings",
      o.waiting as "waitingNotices", o.unknown as "unknownNotices"
    from jobs.runs r cross join lateral (
      select count(*)::int as waiting, (count(*) filter (where state = 'unknown'))::int as unknown
      from jobs.outbox where state in ('pending', 'sending', 'unknown')) o
    where r.id = ${runId}`
}
