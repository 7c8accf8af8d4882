import type { SchedulePlan } from '../provision/plan-schedules.ts'
import type { Check, Checks } from './aggregate.ts'
import type { Answer } from './answers.ts'
import type { Probe } from './probe.ts'

/** What is known of the configuration: names and whether they are there, never a value. */
export interface SchedulesConfigured {
  /** The variables that are missing. */
  readonly missing: readonly string[]
  readonly preview: boolean
  /** What the schedules should call. */
  readonly publicUrl: string
}

/** For operators: configuration, whether QStash answers, and each schedule that is not what its job asks for. */
export async function answerSchedules(probe: Probe<SchedulePlan>, configured: SchedulesConfigured): Promise<Answer> {
  const { checkedAt, latencyMs, observed, output, state, status, ttlMs } = await probe.read()
  const { missing, preview, publicUrl } = configured
  const isIncomplete = missing.length > 0 && !preview
  const answered: Check = {
    status,
    state,
    componentId: 'qstash',
    componentType: 'system',
    observedValue: latencyMs,
    observedUnit: 'ms',
    time: checkedAt.toISOString(),
    ...(output === undefined ? {} : { output }),
  }
  const configuration: Check = {
    status: isIncomplete ? 'warn' : 'pass',
    componentType: 'component',
    observedValue: publicUrl,
    ...(isIncomplete ? { output: `not set: ${missing.join(', ')}` } : {}),
  }
  const checks: Checks = {
    configuration: [configuration],
    'qstash:responseTime': [answered],
    ...(observed === undefined ? {} : describePlan(observed, checkedAt)),
  }
  const notes = [...(preview ? ['a preview is never scheduled'] : []), ...(observed?.warnings ?? [])]
  const overall = status === 'pass' && isIncomplete ? 'warn' : status
  return { body: { status: overall, ...(notes.length === 0 ? {} : { notes }), checks }, ttlMs }
}

function describePlan(plan: SchedulePlan, checkedAt: Date): Checks {
  const { changes, creates, doubtful, orphans, paused, unchanged, unmanaged } = plan
  const time = checkedAt.toISOString()
  const one = (id: string, status: Check['status'], output: string): [string, Check[]] => [
    `${id}:schedule`,
    [{ status, componentId: id, componentType: 'component', time, output }],
  ]
  const all = creates.length + changes.length + doubtful.length + unchanged.length
  const count: Check = { status: creates.length > 0 ? 'warn' : 'pass', observedValue: all - creates.length, time }
  return {
    'schedules:registered': [{ ...count, observedUnit: `of ${all}` }],
    ...Object.fromEntries([
      ...paused.map(({ id }) => one(id, 'warn', 'paused in the console')),
      ...creates.map(({ id }) => one(id, 'warn', 'missing: `schedules apply` creates it')),
      ...changes.map(({ differences, paused, wanted: { id } }) => {
        const words = differences.map(({ field, is, wanted }) => `${field} is ${is}, wanted ${wanted}`)
        return one(id, 'warn', [...(paused ? ['paused in the console'] : []), ...words].join('; '))
      }),
      ...doubtful.map(({ id }) => one(id, 'warn', 'runs, and was paused when it was changed last')),
      ...orphans.map(({ id }) => one(id, 'warn', 'no job has it: `schedules apply` removes it')),
      ...unmanaged.map(({ job, schedule: { id } }) =>
        one(id, job === undefined ? 'pass' : 'warn', job === undefined ? 'not ours' : `not ours, and calls ${job} too`),
      ),
    ]),
  }
}
