import { sql } from 'kysely'
import { paidStatuses, waitingStatuses } from '../money/row-statuses.ts'
import type { Db } from './connection.ts'
import { toJson } from './json.ts'
import { closedBySettled, closedBySettling, declinedKind, oneOf, operationOfFinding } from './money-rows.ts'

export interface Finding {
  readonly kind: string
  readonly subject: string
  readonly job: string | null
  readonly runId: string | null
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** Records a difference that a person must look at. True when it is new; false when an open one was counted up. */
export async function recordFinding(db: Db, finding: Finding, now: Date): Promise<boolean> {
  const details = toJson(finding.details)
  const { rows } = await sql<{ fresh: boolean }>`
    select jobs.record_finding(${finding.kind}, ${finding.subject}, ${finding.job}, ${finding.runId},
      ${finding.message}, ${details}, ${now}) as fresh`.execute(db)
  return rows[0]?.fresh === true
}

/** Closes a finding whose cause is gone; a note is added to those of people. False when there was none open. */
export async function resolveFinding(
  db: Db,
  kind: string,
  subject: string,
  by: string,
  now: Date,
  note?: string,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('jobs.findings')
    .set({
      state: 'resolved',
      closed_at: now,
      closed_by: by,
      note: sql`nullif(concat_ws('; ', note, ${note ?? null}::text), '')`,
    })
    .where('kind', '=', kind)
    .where('subject', '=', subject)
    .where('state', '<>', 'resolved')
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Closes findings about payouts that came back, of rows of this operation, once other payouts of all their rows arrived. */
export async function resolveRepaid(db: Db, operationId: string, by: string, now: Date): Promise<void> {
  await sql`
    with touched as (
      select distinct i.operation_id as id
      from jobs.money_operation_items mine
      join jobs.money_operation_items i on i.payment_transfer_id = mine.payment_transfer_id and i.kind = mine.kind
      where mine.operation_id = ${operationId} and i.operation_id <> mine.operation_id
    )
    update jobs.findings f set state = 'resolved', closed_at = ${now}, closed_by = ${by},
      note = concat_ws('; ', f.note, 'its rows were paid again, and the money has arrived')
    from touched
    where f.kind = 'payout-failed' and f.subject = touched.id::text and f.state <> 'resolved'
      and not exists (
        select from jobs.money_operation_items i
        where i.operation_id = touched.id and not exists (
          select from jobs.money_operation_items p join jobs.money_operations o on o.id = p.operation_id
          where p.payment_transfer_id = i.payment_transfer_id and o.kind = 'payout' and o.state = 'paid'))`.execute(db)
}

/** A streak of failures that is over. */
export interface Recovery {
  readonly job: string
  /** The run that was the last of the streak to fail. */
  readonly failedRunId: string
  /** The first run after it that succeeded. */
  readonly runId: string
  readonly failedSince: Date
}

// Or the run that failed, once it was delivered again.
const wonAfter = sql`select r.id from jobs.runs r
  where r.job = f.subject and r.state = 'succeeded' and not r.dry_run and r.id >= f.run_id`

/** Closes the findings of jobs that kept failing and have succeeded since. */
export async function resolveRecovered(db: Db, now: Date): Promise<Recovery[]> {
  const { rows } = await sql<Recovery>`
    update jobs.findings f set state = 'resolved', closed_at = ${now}, closed_by = 'eleva-jobs', note = 'it succeeded'
    where f.kind = 'job-failing' and f.state <> 'resolved' and exists (${wonAfter})
    returning f.subject as job, f.run_id as "failedRunId", (${wonAfter} order by r.id limit 1) as "runId",
      f.first_seen_at as "failedSince"`.execute(db)
  return rows
}

/** Closes findings of this kind about jobs of which a later run left nothing; gives the jobs' names. */
export async function resolveCaughtUp(db: Db, kind: string, now: Date): Promise<string[]> {
  const { rows } = await sql<{ subject: string }>`
    update jobs.findings f set state = 'resolved', closed_at = ${now}, closed_by = 'eleva-jobs', note = 'a run left nothing'
    where f.kind = ${kind} and f.state <> 'resolved' and exists (
      select from jobs.runs r
      where r.job = f.subject and r.state = 'succeeded' and not r.dry_run and r.id > f.run_id
        and r.report ->> 'left' = '0')
    returning f.subject`.execute(db)
  return rows.map(row => row.subject)
}

// By what somebody wrote down, not by a dispute that may pass; another row of the payment counts too.
const waitsForMoney = sql`exists (
  select from jobs.money_operation_items i
  join payment_transfers t on t.id = i.payment_transfer_id or t.payment_intent_id = i.payment_intent_id
  where i.operation_id = ${operationOfFinding} and t.payout_id is null
    and t.status in ${oneOf(waitingStatuses)} and (i.kind = 'payout' or t.status <> ${sql.lit(paidStatuses.transfer)}))`

/**
 * Closes findings of operations that were declined and of which no row waits for its money any more. The decline itself
 * stands until a person has ended it. Gives the operations.
 */
export async function resolveDeclined(db: Db, now: Date): Promise<string[]> {
  const { rows } = await sql<{ subject: string }>`
    update jobs.findings f set state = 'resolved', closed_at = ${now}, closed_by = ${closedBySettled},
      note = concat_ws('; ', f.note, 'none of its rows waits for its money any more')
    where f.kind = ${declinedKind} and f.state <> 'resolved' and not ${waitsForMoney}
    returning f.subject`.execute(db)
  return rows.map(row => row.subject)
}

/** Opens findings of declined operations that no person has resolved, and of which a row waits again. Gives the operations. */
export async function reopenDeclined(db: Db): Promise<string[]> {
  const { rows } = await sql<{ subject: string }>`
    update jobs.findings f set state = 'open', closed_at = null, closed_by = null,
      note = concat_ws('; ', f.note, 'a row of it waits for its money again')
    where f.kind = ${declinedKind} and ${closedBySettling} and ${waitsForMoney}
    returning f.subject`.execute(db)
  return rows.map(row => row.subject)
}

/**
 * Closes findings of these kinds that a run of the job was the last to see, and that its two newest complete runs have not
 * seen any more, acknowledged ones too; gives what was closed. One that is seen again meanwhile stays open.
 */
export async function resolveUnseen(db: Db, job: string, kinds: readonly string[], now: Date) {
  const { rows } = await sql<{ kind: string; subject: string }>`
    with complete as materialized (
      select started_at from jobs.runs
      where job = ${job} and state = 'succeeded' and not dry_run and report ->> 'left' = '0' and report ->> 'failed' = '0'
      order by id desc limit 2
    )
    update jobs.findings f set state = 'resolved', closed_at = ${now}, closed_by = 'eleva-jobs',
      note = concat_ws('; ', f.note, 'two complete runs in a row have not seen it any more')
    where f.kind = any(${kinds}::text[]) and f.state <> 'resolved'
      and exists (select from jobs.runs r where r.id = f.run_id and r.job = ${job})
      and (select count(*) from complete) = 2 and f.last_seen_at < (select min(started_at) from complete)
    returning f.kind, f.subject`.execute(db)
  return rows
}
