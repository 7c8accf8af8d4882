import type { HealthStatus } from '../health/probe.ts'

/** What can be asked for, in the order in which it is shown. */
export const componentNames = ['environment', 'database', 'qstash', 'novu', 'webhooks', 'heartbeats', 'stripe'] as const

export type ComponentName = (typeof componentNames)[number]

/** Something that is not as it should be, and what to do about it. Neither names a person or shows a secret. */
export interface Issue {
  readonly severity: 'warn' | 'fail'
  readonly issue: string
  readonly advice: string
}

/** What one look came to. */
export interface Observation {
  readonly issues: readonly Issue[]
  /** Figures and ids for whoever wants to know more; each name once in a component. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** One question to one place, independent of all others. */
export interface Look {
  /** What it asks for, after "could not read". */
  readonly reads: string
  /** What to do when there is no answer. */
  readonly advice: string
  /** What to do when the vendor answers and refuses our key; as `advice` unless given. */
  readonly adviceWhenRefused?: string
  /** It waits for what others of its component wait for too, and they tell that it is late. */
  readonly lateIsTold?: boolean
  /** It asks a provider of ours, whose errors are written for people: of them, what comes before a colon is told. */
  readonly asksVendor?: boolean
  /** It is about the process that looks: no use where that is not the service. */
  readonly ofThisProcess?: boolean
  /** Asks. Whatever it throws becomes an issue. */
  readonly see: (signal: AbortSignal) => Observation | Promise<Observation>
}

/** How a component is, for a person. */
export interface ComponentReport {
  readonly status: HealthStatus
  /** The worst first. */
  readonly issues: readonly string[]
  /** What to do, in the order of the issues, each once. */
  readonly recommendations: readonly string[]
  readonly details: Readonly<Record<string, unknown>>
}

export function warn(issue: string, advice: string): Issue {
  return { severity: 'warn', issue, advice }
}

export function fail(issue: string, advice: string): Issue {
  return { severity: 'fail', issue, advice }
}

/** One report from what every look came to. */
export function toReport(observations: readonly Observation[]): ComponentReport {
  const all = observations.flatMap(({ issues }) => issues)
  const issues = [
    ...all.filter(({ severity }) => severity === 'fail'),
    ...all.filter(({ severity }) => severity === 'warn'),
  ]
  return {
    status: issues[0]?.severity ?? 'pass',
    issues: issues.map(({ issue }) => issue),
    recommendations: [...new Set(issues.map(({ advice }) => advice))],
    details: Object.assign({}, ...observations.map(({ details = {} }) => details)) as Record<string, unknown>,
  }
}

/** The worst of several. */
export function worstOf(statuses: readonly HealthStatus[]): HealthStatus {
  if (statuses.includes('fail')) return 'fail'
  return statuses.includes('warn') ? 'warn' : 'pass'
}
