import { Cron } from 'croner'
import type { JobClass } from './define-job.ts'

/** When a job is due. */
export interface Timing {
  readonly cron: string
  /** IANA zone in which `cron` is read. */
  readonly timeZone: string
}

const maxEarlyMs = 60_000
const minGraceSeconds = 300
// Long enough to see a yearly gap, and both clock changes of any zone.
const gapsLookedAt = 1_000
const gapsFrom = new Date('2025-01-01T00:00:00Z')

/**
 * The slot that a scheduled delivery belongs to: the latest due time not after its first arrival plus a little. The
 * little (60 s, or a quarter of the shortest gap if that is less) keeps a slightly slow clock of ours from falling back
 * into the slot before.
 */
export function slotOf(job: Timing, arrivedAt: Date): Date {
  const early = Math.min(maxEarlyMs, Math.floor(gaps(job).shortestMs / 4))
  return lastDueAt(job, new Date(arrivedAt.getTime() + early))
}

/** The latest due time at or before `now`. */
export function lastDueAt(job: Timing, now: Date): Date {
  // The search is exclusive, so it starts one tick of the clock later.
  const [due] = cronOf(job).previousRuns(1, new Date(now.getTime() + 1))
  if (due === undefined) throw new Error(`the cron expression ${job.cron} was never due`)
  return due
}

/** The first due time after `after`. */
export function nextDueAt(job: Timing, after: Date): Date {
  const due = cronOf(job).nextRun(after)
  if (due === null) throw new Error(`the cron expression ${job.cron} is never due again`)
  return due
}

/** Every due time in [from, to), oldest first. */
export function listDueBetween(job: Timing, from: Date, to: Date): Date[] {
  const due: Date[] = []
  let next = nextDueAt(job, new Date(from.getTime() - 1))
  while (next < to) {
    due.push(next)
    next = nextDueAt(job, next)
  }
  return due
}

/** The longest time between two due times, in seconds: what a heartbeat has to wait for. */
export function periodSeconds(job: Timing): number {
  return gaps(job).longestMs / 1000
}

const graceShare: Readonly<Record<JobClass, number>> = {
  financial: 0.2,
  revenue: 0.2,
  experience: 0.3,
  operational: 0.5,
}

/** How late a success may be before it counts as missing, in seconds. */
export function graceSeconds(job: Timing & { readonly class: JobClass; readonly graceSeconds?: number }): number {
  return job.graceSeconds ?? Math.max(minGraceSeconds, Math.round(periodSeconds(job) * graceShare[job.class]))
}

interface Gaps {
  readonly shortestMs: number
  readonly longestMs: number
}

// Both depend on the expression alone, so each is worked out once per process.
const crons = new Map<string, Cron>()
const gapsByCron = new Map<string, Gaps>()

function cronOf({ cron, timeZone }: Timing): Cron {
  const key = `${timeZone} ${cron}`
  const known = crons.get(key)
  if (known !== undefined) return known
  const made = new Cron(cron, { timezone: timeZone, mode: '5-part', paused: true })
  crons.set(key, made)
  return made
}

function gaps(job: Timing): Gaps {
  const key = `${job.timeZone} ${job.cron}`
  const known = gapsByCron.get(key)
  if (known !== undefined) return known
  const due = cronOf(job).nextRuns(gapsLookedAt, gapsFrom)
  const lengths = due.slice(1).map((at, index) => at.getTime() - (due[index] ?? at).getTime())
  const found = { shortestMs: Math.min(...lengths), longestMs: Math.max(...lengths) }
  gapsByCron.set(key, found)
  return found
}
