import { KeyRefusedError, toError } from '../errors.ts'
import type { HealthStatus } from '../health/probe.ts'
import { redactDetails } from '../runner/redact-details.ts'
import {
  type ComponentName,
  componentNames,
  type ComponentReport,
  type Look,
  type Observation,
  toReport,
  worstOf,
} from './component.ts'

export interface Diagnosis {
  readonly status: HealthStatus
  readonly checkedAt: string
  readonly tookMs: number
  readonly components: Readonly<Partial<Record<ComponentName, ComponentReport>>>
}

export interface Diagnostics {
  /** Looks at these components side by side. Never throws, and answers within three seconds whatever hangs. */
  diagnose(names: readonly ComponentName[]): Promise<Diagnosis>
  /** All of them in words, for somebody who is told that something fails. In less than two seconds. */
  describeMoment(): Promise<string>
}

export interface DiagnosticsOptions {
  readonly looks: Readonly<Record<ComponentName, readonly Look[]>>
  readonly clock: () => Date
  /** For each look; 2.5 s unless given. */
  readonly timeoutMs?: number
  /** How long a report is good, so that asking often costs vendors nothing; 5 s unless given. */
  readonly keptMs?: number
}

/** Each look has its own time and its own fate: one vendor that hangs hides nothing of the others. */
export function createDiagnostics(options: DiagnosticsOptions): Diagnostics {
  const { clock, keptMs = 5_000, looks, timeoutMs = 2_500 } = options
  const kept = new Map<ComponentName, { readonly report: Promise<ComponentReport>; readonly until: number }>()

  const examine = async (name: ComponentName, limitMs: number): Promise<ComponentReport> => {
    const known = kept.get(name)
    if (known !== undefined && performance.now() < known.until) return await known.report
    const seen = looks[name].map(async look => await seeInTime(look, limitMs))
    const report = Promise.all(seen).then(observations => redactDetails(toReport(observations)))
    kept.set(name, { report, until: performance.now() + keptMs })
    return await report
  }
  const diagnose = async (names: readonly ComponentName[], limitMs: number): Promise<Diagnosis> => {
    const startedAt = performance.now()
    const wanted = componentNames.filter(name => names.includes(name))
    // The pool first: it must not be seen as busy with what all others ask.
    const ofDatabase = wanted.includes('database') ? examine('database', limitMs) : undefined
    const reports = await Promise.all(
      wanted.map(async name => {
        const report = name === 'database' && ofDatabase !== undefined ? ofDatabase : examine(name, limitMs)
        return [name, await report] as const
      }),
    )
    return {
      status: worstOf(reports.map(([, { status }]) => status)),
      checkedAt: clock().toISOString(),
      tookMs: Math.round(performance.now() - startedAt),
      components: Object.fromEntries(reports),
    }
  }
  return {
    diagnose: async names => await diagnose(names, timeoutMs),
    describeMoment: async () => describeDiagnosis(await diagnose(componentNames, Math.min(timeoutMs, momentMs))),
  }
}

// Somebody waits two seconds for all of it.
const momentMs = 1_500

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

/** What a look came to; that it threw, or had no answer in time, is an issue too. */
async function seeInTime({ advice, asksVendor = false, reads, see }: Look, timeoutMs: number): Promise<Observation> {
  const controller = new AbortController()
  const late = Promise.withResolvers<Observation>()
  const timer = setTimeout(() => {
    const issue = `could not read ${reads} within ${timeoutMs} ms`
    late.resolve({ issues: [{ severity: 'fail', issue, advice }] })
    controller.abort()
  }, timeoutMs)
  const seen = (async () => await see(controller.signal))().catch((thrown: unknown): Observation => {
    return {
      issues: [{ severity: 'fail', issue: `could not read ${reads}: ${wordsOf(toError(thrown), asksVendor)}`, advice }],
    }
  })
  try {
    return await Promise.race([seen, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * A refused key is told in our words, any other error of a provider as far as a colon, behind which a vendor may be
 * quoted. Of all others only the code is told: a driver may put anything into its messages.
 */
function wordsOf(err: Error, ofVendor: boolean): string {
  if (err instanceof KeyRefusedError) return err.message
  if (ofVendor) return err.message.split(':', 1)[0] ?? err.name
  const code = 'code' in err ? err.code : undefined
  return typeof code === 'string' && /^\w{2,40}$/.test(code) ? code : err.name
}
