import { sql } from 'kysely'
import type { Db } from './connection.ts'
import type { RunState } from './tables.ts'

export interface SlotRunRow {
  slot: Date
  state: RunState
  runId: string
  attempt: number
  startedAt: Date
  errorCode: string | null
  message: string | null
  messages: number
}

/**
 * The job's runs that belong to a slot in [from, to): one row for each slot and state, that of the newest run, with the
 * number of messages that wanted the slot, so that a storm of deliveries costs no memory. Dry runs count for nothing.
 */
export async function listSlotRuns(db: Db, job: string, from: Date, to: Date): Promise<SlotRunRow[]> {
  const { rows } = await sql<SlotRunRow>`
    select distinct on (slot, state) slot, state, id as "runId", attempt, started_at as "startedAt",
      error_code as "errorCode", message, (count(*) over (partition by slot))::integer as messages
    from jobs.runs
    where job = ${job} and not dry_run and slot >= ${from} and slot < ${to}
    order by slot, state, id desc`.execute(db)
  return rows
}

export interface PauseRow {
  job: string
  from: Date
  to: Date | null
  reason: string | null
}

/** Every pause that was not over at `since`, of all jobs, as the audit has them: the setting knows only the present one. */
export async function listPauses(db: Db, since: Date): Promise<PauseRow[]> {
  const { rows } = await sql<PauseRow>`
    select * from (
      select p.subject as job, p.at as "from", p.details->>'reason' as reason,
        (select r.at from jobs.audit_entries r
         where r.subject = p.subject and r.action = 'job.resume' and r.id > p.id order by r.id limit 1) as "to"
      from jobs.audit_entries p
      where p.action = 'job.pause'
    ) pauses
    where "to" is null or "to" > ${since}
    order by job, "from"`.execute(db)
  return rows
}
