import type { Db } from '../database/connection.ts'
import { type JobFreshnessRow, listJobFreshness } from '../database/job-freshness.ts'
import { type DueJob, type JobFreshness, type JobRecord, judgeFreshness } from './job-freshness.ts'
import { createProbe, type Probe, type ProbeFinding, type ProbeOptions } from './probe.ts'

export type JobsProbeOptions = Pick<ProbeOptions, 'clock' | 'log' | 'random'> & {
  readonly db: Db
  readonly jobs: readonly DueJob[]
}

/** The jobs one by one, in the order of the list. Absent when the ledger could not be read. */
export interface JobsObserved {
  readonly jobs: readonly JobFreshness[]
}

const lookBackMs = 24 * 3_600_000

/** `jobs`: down when a critical job is overdue or the ledger cannot be read, slow when only other jobs are late. */
export function createJobsProbe({ db, jobs, ...options }: JobsProbeOptions): Probe<JobsObserved> {
  return createProbe<JobsObserved>({
    ...options,
    name: 'jobs',
    critical: true,
    ttlMs: 15_000,
    timeoutMs: 2_000,
    check: async () => {
      const now = options.clock()
      const rows = await listJobFreshness(db, new Date(now.getTime() - lookBackMs))
      const records = new Map(rows.map(row => [row.job, toRecord(row)]))
      return toFinding(jobs.map(job => judgeFreshness(job, records.get(job.name), now, lookBackMs)))
    },
  })
}

function toRecord(row: JobFreshnessRow): JobRecord {
  return {
    firstBootAt: row.first_boot_at,
    pausedAt: row.paused_at,
    resumedAt: row.resumed_at,
    lastSlot: row.last_slot,
    lastManualAt: row.last_manual_at,
    lastSuccessAt: row.last_success_at,
    recordedSlots: row.recorded_slots,
    doubledSlots: row.doubled_slots,
  }
}

function toFinding(jobs: readonly JobFreshness[]): ProbeFinding<JobsObserved> {
  const overdue = jobs.filter(job => job.state === 'overdue')
  if (overdue.length === 0) return { state: 'up', observed: { jobs } }
  const state = overdue.some(job => job.status === 'fail') ? 'down' : 'slow'
  return { state, output: `overdue: ${overdue.map(job => job.name).join(', ')}`, observed: { jobs } }
}
