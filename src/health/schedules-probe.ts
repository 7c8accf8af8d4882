import { KeyRefusedError, RetryLaterError } from '../errors.ts'
import type { SchedulePlan } from '../provision/plan-schedules.ts'
import { createProbe, type Probe, type ProbeFinding, type ProbeOptions } from './probe.ts'

export type SchedulesProbeOptions = Pick<ProbeOptions, 'clock' | 'log' | 'random'> & {
  /** Asks the vendor and compares; undefined where there is nothing to ask with. */
  readonly readPlan: ((signal: AbortSignal) => Promise<SchedulePlan>) | undefined
  /** Why not, in that case. */
  readonly disabled: string
}

/** `qstash-schedules`: whether the schedules are those that the jobs ask for. A difference is a warning, no failure. */
export function createSchedulesProbe({ disabled, readPlan, ...options }: SchedulesProbeOptions): Probe<SchedulePlan> {
  return createProbe<SchedulePlan>({
    ...options,
    name: 'qstash-schedules',
    critical: false,
    ttlMs: 60_000,
    timeoutMs: 2_200,
    check: async signal => {
      if (readPlan === undefined) return { state: 'disabled', output: disabled }
      return await readPlan(signal).then(judge, judgeFailure)
    },
  })
}

function judge(plan: SchedulePlan): ProbeFinding<SchedulePlan> {
  const { changes, creates, doubtful, orphans, paused } = plan
  const counts = {
    missing: creates.length,
    different: changes.length,
    doubtful: doubtful.length,
    orphans: orphans.length,
    paused: paused.length,
  }
  const told = Object.entries(counts).filter(([, count]) => count > 0)
  const output = told.map(([what, count]) => `${count} ${what}`).join(', ')
  return { state: 'up', observed: plan, ...(output === '' ? {} : { output }) }
}

function judgeFailure(thrown: unknown): ProbeFinding<SchedulePlan> {
  if (thrown instanceof KeyRefusedError) return { state: 'misconfigured', output: thrown.message }
  if (thrown instanceof RetryLaterError) {
    return { state: 'up', output: thrown.message, retryAfterMs: thrown.delaySeconds * 1000 }
  }
  throw thrown
}
