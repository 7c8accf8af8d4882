import { sql } from 'kysely'
import type { Db } from './connection.ts'
import { recordAudit } from './audit.ts'

/** Notes the jobs this database sees for the first time: what counts as missed is counted from then. */
export async function recordFirstBoot(db: Db, jobs: readonly string[], now: Date): Promise<void> {
  await db
    .insertInto('jobs.job_settings')
    .values(jobs.map(job => ({ job, first_boot_at: now })))
    .onConflict(conflict => conflict.column('job').doNothing())
    .execute()
}

export interface Switching {
  readonly job: string
  readonly operator: string
  readonly reason: string
  readonly now: Date
}

/** Pauses a job and audits it in one transaction. False when it was paused already; then nothing changes. */
export async function pauseJob(db: Db, { job, now, operator, reason }: Switching): Promise<boolean> {
  return await db.transaction().execute(async trx => {
    const { rows } = await sql`
      insert into jobs.job_settings as s (job, first_boot_at, paused_at, paused_by, pause_reason)
      values (${job}, ${now}, ${now}, ${operator}, ${reason})
      on conflict (job) do update
      set paused_at = excluded.paused_at, paused_by = excluded.paused_by, pause_reason = excluded.pause_reason
      where s.paused_at is null
      returning s.job`.execute(trx)
    if (rows.length === 0) return false
    await recordAudit(trx, { at: now, actor: operator, action: 'job.pause', subject: job, details: { reason } })
    return true
  })
}

/** Resumes a job and audits it in one transaction. False when it was not paused; then nothing changes. */
export async function resumeJob(db: Db, { job, now, operator, reason }: Switching): Promise<boolean> {
  return await db.transaction().execute(async trx => {
    const { numUpdatedRows } = await trx
      .updateTable('jobs.job_settings')
      .set({ paused_at: null, paused_by: null, pause_reason: null, resumed_at: now })
      .where('job', '=', job)
      .where('paused_at', 'is not', null)
      .executeTakeFirst()
    if (numUpdatedRows === 0n) return false
    await recordAudit(trx, { at: now, actor: operator, action: 'job.resume', subject: job, details: { reason } })
    return true
  })
}

export interface Pause {
  readonly at: Date
  readonly by: string | null
  readonly reason: string | null
}

/** Since when a job is paused, by whom and why; undefined when it is not. */
export async function findPause(db: Db, job: string): Promise<Pause | undefined> {
  const row = await db
    .selectFrom('jobs.job_settings')
    .select(['paused_at', 'paused_by', 'pause_reason'])
    .where('job', '=', job)
    .executeTakeFirst()
  if (row === undefined || row.paused_at === null) return undefined
  return { at: row.paused_at, by: row.paused_by, reason: row.pause_reason }
}

/** The switch of every job that has one, by job name. */
export async function listJobSettings(db: Db) {
  const rows = await db.selectFrom('jobs.job_settings').selectAll().execute()
  return new Map(rows.map(row => [row.job, row]))
}
