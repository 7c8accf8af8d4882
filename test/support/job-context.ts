import { pino } from 'pino'
import type { Db } from '../../src/database/connection.ts'
import type { JobContext, Providers } from '../../src/runner/context.ts'
import type { Effect, Job, Plan } from '../../src/runner/define-job.ts'
import { noLedger, noPayments } from './no-money.ts'

export interface TestContext extends JobContext {
  /** What the job logged, oldest first. */
  readonly lines: readonly Record<string, unknown>[]
}

type Overrides = Partial<Omit<JobContext, 'providers'>> & { readonly providers?: Partial<Providers> }

/** A context made by hand, for tests that call gather, plan and apply themselves. The site is up, Clerk is not set, no money moves. */
export function testContext(db: Db, now: string, overrides: Overrides = {}): TestContext {
  const lines: Record<string, unknown>[] = []
  const at = new Date(now)
  return {
    runId: '00000000-0000-7000-8000-000000000001',
    job: 'test-job',
    attempt: 1,
    now: at,
    clock: () => at,
    signal: new AbortController().signal,
    log: pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) }),
    db,
    lease: undefined,
    ledger: noLedger,
    sendOwedPings: async () => ({ delivered: 0, dropped: 0, owed: 0 }),
    lines,
    ...overrides,
    providers: {
      site: { check: async () => ({ state: 'up', latencyMs: 3, detail: '' }) },
      qstash: undefined,
      payments: noPayments,
      calendarTokens: undefined,
      ...overrides.providers,
    },
  }
}

/** Gathers and plans, as the runner would. */
export async function planOf(job: Job, context: JobContext): Promise<Plan> {
  return job.plan(await job.gather(context, undefined), context.now)
}

/** Applies every effect in turn and adds up what they count. */
export async function applyAll(job: Job, effects: readonly Effect[], context: JobContext) {
  const counts: Record<string, number> = {}
  const findings = []
  for (const effect of effects) {
    const applied = (await job.apply(effect, context)) ?? {}
    for (const [name, count] of Object.entries(applied.counts ?? {})) counts[name] = (counts[name] ?? 0) + count
    findings.push(...(applied.findings ?? []))
  }
  return { counts, findings }
}
