import type { HealthStatus } from '../health/probe.ts'
import { type ComponentName, componentNames, type ComponentReport, type Look, worstOf } from './component.ts'
import { type Asked, createExaminer } from './examine.ts'

export interface Diagnosis {
  readonly status: HealthStatus
  readonly checkedAt: string
  readonly tookMs: number
  readonly components: Readonly<Partial<Record<ComponentName, ComponentReport>>>
}

export interface Diagnostics {
  /** Looks at these components side by side. Never throws, and answers within three seconds whatever hangs. */
  diagnose(names: readonly ComponentName[]): Promise<Diagnosis>
  /** All of them in words, for somebody who is told that something fails; within `budgetMs`, 1.5 s unless given. */
  describeMoment(budgetMs?: number): Promise<string>
  /** As `diagnose`, in another process than the service: what is loaded first counts for nobody, nor does this process. */
  diagnoseFromOutside(names: readonly ComponentName[]): Promise<Diagnosis>
}

export interface DiagnosticsOptions {
  readonly looks: Readonly<Record<ComponentName, readonly Look[]>>
  readonly clock: () => Date
  /** Loads what looks would load at their first time. */
  readonly load?: () => Promise<unknown>
  /** For each look; 2.5 s unless given. */
  readonly timeoutMs?: number
  /** How long a report is good, so that asking often costs vendors nothing; 5 s unless given. */
  readonly keptMs?: number
}

/** Somebody waits two seconds for all of it. */
export const momentMs = 1_500

/** Each look has its own time and its own fate: one vendor that hangs hides nothing of the others. */
export function createDiagnostics(options: DiagnosticsOptions): Diagnostics {
  const { clock, keptMs = 5_000, load = async () => {}, looks, timeoutMs = 2_500 } = options
  const examine = createExaminer(looks, timeoutMs, keptMs)

  const diagnose = async (names: readonly ComponentName[], askedFor: Asked): Promise<Diagnosis> => {
    const startedAt = performance.now()
    // The pool first: it must not be seen as busy with what all others ask.
    const poolFirst = componentNames
      .filter(name => names.includes(name))
      .toSorted((a, b) => Number(b === 'database') - Number(a === 'database'))
    const seen = await Promise.all(poolFirst.map(async name => [name, await examine(name, askedFor)] as const))
    const reports = seen.toSorted(([a], [b]) => componentNames.indexOf(a) - componentNames.indexOf(b))
    return {
      status: worstOf(reports.map(([, { status }]) => status)),
      checkedAt: clock().toISOString(),
      tookMs: Math.round(performance.now() - startedAt),
      components: Object.fromEntries(reports),
    }
  }
  return {
    diagnose: async names => await diagnose(names, { limitMs: timeoutMs }),
    describeMoment: async (budgetMs = momentMs) =>
      describeDiagnosis(await diagnose(componentNames, { limitMs: Math.min(timeoutMs, budgetMs) })),
    diagnoseFromOutside: async names => {
      await load()
      return await diagnose(names, { limitMs: timeoutMs, fromOutside: true })
    },
  }
}

/** In words: the components that are not well, those that fail first, with what is wrong and what to do. */
export function describeDiagnosis({ checkedAt, components }: Diagnosis): string {
  const all = Object.entries(components)
  const ill = (['fail', 'warn'] as const).flatMap(wanted => all.filter(([, { status }]) => status === wanted))
  if (ill.length === 0) return `Everything else was well at ${checkedAt}.`
  const parts = ill.map(([name, { issues, recommendations, status }]) =>
    [
      `${name}: ${status}`,
      ...issues.map(issue => `- ${issue}`),
      ...recommendations.map(advice => `  > ${advice}`),
    ].join('\n'),
  )
  return [`At ${checkedAt}:`, ...parts].join('\n')
}
