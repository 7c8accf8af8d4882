import { sql } from 'kysely'
import type { Db } from './connection.ts'

export interface JobFreshnessRow {
  job: string
  first_boot_at: Date
  paused_at: Date | null
  resumed_at: Date | null
  last_slot: Date | null
  last_manual_at: Date | null
  last_success_at: Date | null
  recorded_slots: Date[]
  doubled_slots: number
}

/**
 * What decides whether jobs are overdue, for every job this database has seen, in one query. Dry runs count for
 * nothing. Recorded and doubled slots are those from `since` on.
 */
export async function listJobFreshness(db: Db, since: Date): Promise<JobFreshnessRow[]> {
  const { rows } = await sql<JobFreshnessRow>`
    select s.job, s.first_boot_at, s.paused_at, s.resumed_at, r.*
    from jobs.job_settings s
    cross join lateral (
      select
        max(r.slot) filter (where r.state = 'succeeded') as last_slot,
        max(r.started_at) filter (where r.state = 'succeeded' and r.slot is null) as last_manual_at,
        max(r.started_at) filter (where r.state = 'succeeded') as last_success_at,
        coalesce(array_agg(distinct r.slot) filter (where r.slot >= ${since}), '{}') as recorded_slots,
        (count(distinct r.slot) filter (where r.slot >= ${since} and r.state = 'duplicate'))::integer as doubled_slots
      from jobs.runs r
      where r.job = s.job and not r.dry_run
    ) r
    order by s.job`.execute(db)
  return rows
}
