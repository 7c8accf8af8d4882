import { sql } from 'kysely'
import type { Db } from './connection.ts'

export interface DeadLetter {
  readonly messageId: string
  readonly job: string | null
  readonly dlqId: string | null
  readonly scheduleId: string | null
  readonly status: number | null
  readonly retried: number | null
  /** When the message was made, where the callback says. */
  readonly createdAt: Date | null
  readonly receivedAt: Date
}

export interface RecordedDeadLetter {
  /** False when this message's dead letter was known already. */
  readonly fresh: boolean
  readonly runId: string | null
  /** The message's run has succeeded meanwhile. */
  readonly healed: boolean
  /** The run's failure was reported to the heartbeat already. */
  readonly pinged: boolean
  /** The job has succeeded since this message was made. */
  readonly overtaken: boolean
}

/** Records that the scheduler gave a message up, together with what its run has come to. */
export async function recordDeadLetter(db: Db, letter: DeadLetter): Promise<RecordedDeadLetter> {
  const { rows } = await sql<{
    run_id: string | null
    healed: boolean
    pinged: boolean
    overtaken: boolean
    fresh: boolean
  }>`
    with run as (
      select r.id, r.started_at, r.state = 'succeeded' as healed,
        exists (select from jobs.heartbeat_pings p where p.run_id = r.id and p.kind = 'fail') as pinged
      from jobs.runs r
      where r.job = ${letter.job} and r.message_id = ${letter.messageId} and not r.dry_run
    ), recorded as (
      insert into jobs.dead_letters (message_id, job, dlq_id, schedule_id, status, retried, run_id, healed, received_at)
      select ${letter.messageId}, ${letter.job}, ${letter.dlqId}, ${letter.scheduleId}, ${letter.status},
        ${letter.retried}, (select id from run), coalesce((select healed from run), false), ${letter.receivedAt}
      on conflict (message_id) do nothing
      returning 1
    )
    select (select id from run) as run_id, coalesce((select healed from run), false) as healed,
      coalesce((select pinged from run), false) as pinged, exists (
        select from jobs.runs n where n.job = ${letter.job} and n.state = 'succeeded' and not n.dry_run
          and n.finished_at > coalesce(${letter.createdAt}::timestamptz, (select started_at from run))
      ) as overtaken, exists (select from recorded) as fresh
  `.execute(db)
  const row = rows[0]
  return {
    fresh: row?.fresh === true,
    runId: row?.run_id ?? null,
    healed: row?.healed === true,
    pinged: row?.pinged === true,
    overtaken: row?.overtaken === true,
  }
}

export interface OwedFailure {
  readonly job: string
  readonly runId: string | null
  readonly body: string
  readonly happenedAt: Date
  readonly trueUntil: Date
}

/** Writes a `/fail` ping that no closing of a run could write, because the run never came to its end here. */
export async function oweFailPing(db: Db, ping: OwedFailure): Promise<void> {
  await db
    .insertInto('jobs.heartbeat_pings')
    .values({
      job: ping.job,
      run_id: ping.runId,
      kind: 'fail',
      body: ping.body,
      happened_at: ping.happenedAt,
      true_until: ping.trueUntil,
      next_attempt_at: ping.happenedAt,
    })
    .execute()
}
