import type { Freshness, JobFreshness } from './job-freshness.ts'
import type { HealthStatus, ProbeResult, ProbeState } from './probe.ts'

/** A health answer in the vocabulary of draft-inadarei-api-health-check-06. */
export interface HealthBody {
  readonly status: HealthStatus
  readonly version?: string
  readonly releaseId?: string
  readonly notes?: readonly string[]
  readonly checks?: Checks
}

/** By component, or by component and what was measured. */
export type Checks = Readonly<Record<string, readonly Check[]>>

export interface Check {
  readonly status: HealthStatus
  readonly state?: ProbeState | Freshness
  readonly componentId?: string
  readonly componentType?: 'component' | 'datastore' | 'system'
  readonly observedValue?: number | string
  readonly observedUnit?: string
  readonly time?: string
  readonly output?: string
  readonly missedSlots?: number
  readonly doubledSlots?: number
}

const datastores = new Set(['neon-database', 'migrations'])

/** One status for many: a critical failure (a refused key too) fails the whole, everything else at most warns. */
export function aggregate(results: readonly ProbeResult[]): HealthStatus {
  if (results.some(result => result.critical && result.status === 'fail')) return 'fail'
  return results.every(result => result.status === 'pass') ? 'pass' : 'warn'
}

/** What anybody may know: names and statuses. */
export function listStatuses(items: readonly { readonly name: string; readonly status: HealthStatus }[]): Checks {
  return Object.fromEntries(items.map(({ name, status }) => [name, [{ status }]]))
}

/** What operators may know of dependencies: one entry for the answer and one for each further figure. */
export function describeResults(results: readonly ProbeResult[]): Checks {
  return Object.fromEntries(results.flatMap(describeResult))
}

function describeResult(result: ProbeResult): [string, Check[]][] {
  const { name, output, state, status } = result
  const about = {
    componentId: name,
    componentType: datastores.has(name) ? ('datastore' as const) : ('system' as const),
    time: result.checkedAt.toISOString(),
  }
  const answer: Check = {
    status,
    state,
    ...about,
    observedValue: result.latencyMs,
    observedUnit: 'ms',
    ...(output === undefined ? {} : { output }),
  }
  const figures = Object.entries(result.observed ?? {})
  return [
    [`${name}:responseTime`, [answer]],
    ...figures.map(([figure, observedValue]): [string, Check[]] => [
      `${name}:${figure}`,
      [{ status, ...about, observedValue }],
    ]),
  ]
}

/** What operators may know of the jobs' timeliness. */
export function describeJobs(jobs: readonly JobFreshness[], checkedAt: Date): Checks {
  return Object.fromEntries(jobs.map(job => [`${job.name}:lastSuccess`, [describeJob(job, checkedAt)]]))
}

function describeJob(job: JobFreshness, checkedAt: Date): Check {
  const { doubledSlots, lastSuccessAt, missedSlots, name, overdueSlot, state, status } = job
  return {
    status,
    state,
    componentId: name,
    componentType: 'component',
    time: checkedAt.toISOString(),
    missedSlots,
    doubledSlots,
    ...(lastSuccessAt === undefined ? {} : { observedValue: lastSuccessAt.toISOString() }),
    ...(overdueSlot === undefined ? {} : { output: `the slot of ${overdueSlot.toISOString()} has had no success` }),
  }
}
