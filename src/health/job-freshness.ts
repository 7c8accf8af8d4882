import type { HealthStatus } from './probe.ts'

/** When a job should have run. The functions are the runner's slot arithmetic, bound to the job. */
export interface DueJob {
  readonly name: string
  readonly priority: 'critical' | 'high' | 'medium' | 'low'
  readonly graceSeconds: number
  /** The latest slot at or before a moment. */
  readonly lastDueAt: (at: Date) => Date
  /** Every slot in [from, to), oldest first. */
  readonly listDueBetween: (from: Date, to: Date) => readonly Date[]
}

/** What the ledger knows of a job. */
export interface JobRecord {
  readonly firstBootAt: Date
  readonly pausedAt: Date | null
  readonly resumedAt: Date | null
  /** The newest slot that a run succeeded in. */
  readonly lastSlot: Date | null
  /** The start of the newest succeeded run that belongs to no slot: one that an operator started. */
  readonly lastManualAt: Date | null
  readonly lastSuccessAt: Date | null
  /** Slots of the time looked at, of which the ledger has any record. */
  readonly recordedSlots: readonly Date[]
  /** Slots of the time looked at, that a second message wanted as well. */
  readonly doubledSlots: number
}

export type Freshness = 'fresh' | 'overdue' | 'paused' | 'waiting'

export interface JobFreshness {
  readonly name: string
  readonly status: HealthStatus
  /** `waiting`: no slot has come due since the first boot or since it was resumed. */
  readonly state: Freshness
  /** The slot that should have had its success by now. */
  readonly overdueSlot?: Date
  readonly lastSuccessAt?: Date
  /** Slots of the time looked at, that nobody delivered, their grace over. */
  readonly missedSlots: number
  readonly doubledSlots: number
}

/**
 * Whether a job is overdue at `now`: a slot and its grace have passed, and no run has succeeded for that slot or a
 * later one. Slots before the first boot or before the job was resumed are owed by nobody, and a paused job owes
 * nothing. A run that an operator started covers the slots before its start. Pure.
 */
export function judgeFreshness(
  job: DueJob,
  record: JobRecord | undefined,
  now: Date,
  lookBackMs: number,
): JobFreshness {
  if (record === undefined) return { name: job.name, status: 'pass', state: 'waiting', missedSlots: 0, doubledSlots: 0 }
  const { doubledSlots, lastSuccessAt } = record
  const facts = { name: job.name, doubledSlots, ...(lastSuccessAt === null ? {} : { lastSuccessAt }) }
  if (record.pausedAt !== null) return { ...facts, status: 'pass', state: 'paused', missedSlots: 0 }

  const owedFrom = latest(record.firstBootAt, record.resumedAt)
  // A slot is missed when slot + grace < now, so the slots in question end one tick of the clock before now - grace.
  const graceOverAt = new Date(now.getTime() - job.graceSeconds * 1000)
  const missedSlots = countMissed(job, record, latest(owedFrom, new Date(now.getTime() - lookBackMs)), graceOverAt)
  const slot = job.lastDueAt(new Date(graceOverAt.getTime() - 1))
  if (slot < owedFrom) return { ...facts, status: 'pass', state: 'waiting', missedSlots }

  const coveredUntil = latest(record.lastSlot ?? new Date(0), record.lastManualAt)
  if (slot <= coveredUntil) return { ...facts, status: 'pass', state: 'fresh', missedSlots }
  const status = job.priority === 'critical' ? 'fail' : 'warn'
  return { ...facts, status, state: 'overdue', overdueSlot: slot, missedSlots }
}

function countMissed(job: DueJob, record: JobRecord, from: Date, to: Date): number {
  if (from >= to) return 0
  const recorded = new Set(record.recordedSlots.map(slot => slot.getTime()))
  return job.listDueBetween(from, to).filter(slot => !recorded.has(slot.getTime())).length
}

function latest(a: Date, b: Date | null): Date {
  return b === null || a > b ? a : b
}
