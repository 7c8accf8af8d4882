import { sql } from 'kysely'
import type { Db } from './connection.ts'
import type { Recovery } from './findings.ts'

// A run that failed and went well when it was delivered again ends a streak too.
const won = sql`r.state = 'succeeded' and not r.dry_run`

/**
 * Whether this person was told of the failures of a job up to this run: since the last run that succeeded, whatever
 * became of the finding meanwhile.
 */
export async function isStreakTold(db: Db, job: string, runId: string, recipient: string): Promise<boolean> {
  const { rows } = await sql`
    select from jobs.outbox o
    where o.kind = 'job-failing' and o.subject = ${job} and o.recipient = ${recipient} and o.run_id is not null
      and not exists (
        select from jobs.runs r where r.job = ${job} and ${won} and r.id >= o.run_id and r.id <= ${runId}::uuid)
    limit 1`.execute(db)
  return rows.length > 0
}

/** Streaks that this person was told of, whose job has succeeded since, and of whose end nobody has told them. */
export async function listUntoldRecoveries(db: Db, recipient: string): Promise<Recovery[]> {
  const { rows } = await sql<Recovery>`
    select o.subject as job, o.run_id as "failedRunId", first.id as "runId", o.created_at as "failedSince"
    from jobs.outbox o
    cross join lateral (
      select r.id from jobs.runs r where r.job = o.subject and ${won} and r.id >= o.run_id order by r.id limit 1
    ) first
    where o.kind = 'job-failing' and o.recipient = ${recipient} and o.run_id is not null
      and not exists (
        select from jobs.outbox told
        where told.kind = 'job-recovered' and told.subject = o.subject and told.recipient = o.recipient
          and told.occurrence = o.occurrence)
    order by o.id`.execute(db)
  return rows
}
