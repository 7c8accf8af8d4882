import type { Db } from '../database/connection.ts'
import { readLastCall } from '../database/service-figures.ts'
import type { JobsObserved } from '../health/jobs-probe.ts'
import type { Probe } from '../health/probe.ts'
import { countPending, type SchedulePlan } from '../provision/plan-schedules.ts'
import { fail, type Issue, type Look, type Observation, warn } from './component.ts'
import { databaseAdvice } from './database.ts'
import { toCount, toSpan } from './thresholds.ts'

export interface QstashParts {
  readonly db: Db
  readonly clock: () => Date
  /** A preview is never scheduled. */
  readonly preview: boolean
  /** Undefined without a token. */
  readonly schedules: ScheduleReads | undefined
  readonly criticalJobs: readonly string[]
  /** For how long no schedule at all may call. */
  readonly quietMs: number
  readonly timeliness: Probe<JobsObserved>
}

export interface ScheduleReads {
  readPlan(signal: AbortSignal): Promise<SchedulePlan>
  countDeadLetters(signal: AbortSignal): Promise<number>
}

const applyAdvice = 'run `npm run cli -- schedules plan`, then `npm run qstash:schedule`'
const asksQstash = {
  asksVendor: true,
  advice: 'look at status.upstash.com and wait: schedules go on without this answer; if it is up, is QSTASH_URL right?',
  adviceWhenRefused: 'check that QSTASH_TOKEN is of the region in QSTASH_URL',
}
const doorAdvice =
  'compare PUBLIC_URL and both signing keys with the QStash console, and look for 401 in its log of deliveries'

/** Whether QStash has the schedules that the jobs ask for, and whether its calls arrive. */
export function lookAtQstash(parts: QstashParts): readonly Look[] {
  const { preview, schedules } = parts
  if (preview)
    return [{ reads: '', advice: '', see: () => ({ issues: [], details: { scheduled: 'a preview never is' } }) }]
  const asked: Look[] =
    schedules === undefined
      ? [{ reads: '', advice: '', see: seeNoToken }]
      : [
          {
            reads: 'the schedules at QStash',
            ...asksQstash,
            see: async signal => judgePlan(await schedules.readPlan(signal), parts.criticalJobs),
          },
          {
            reads: 'what QStash gave up',
            ...asksQstash,
            see: async signal => judgeDeadLetters(await schedules.countDeadLetters(signal)),
          },
        ]
  return [
    ...asked,
    { reads: 'when a schedule last called', advice: databaseAdvice, see: async () => await seeCalls(parts) },
    { reads: 'whether jobs are on time', advice: databaseAdvice, see: async () => await seeTimeliness(parts) },
  ]
}

function seeNoToken(): Observation {
  const issue = 'QSTASH_TOKEN is not set: nobody can tell whether the schedules are there'
  return { issues: [warn(issue, 'set QSTASH_TOKEN to the token that the QStash console shows')] }
}

function judgePlan(plan: SchedulePlan, criticalJobs: readonly string[]): Observation {
  const { changes, creates, orphans, paused, unchanged, unmanaged, warnings } = plan
  const isCritical = (id: string): boolean => criticalJobs.some(job => id.endsWith(`.${job}`))
  const issues: Issue[] = [
    ...creates.map(({ id }) => (isCritical(id) ? fail : warn)(`the schedule ${id} is missing`, applyAdvice)),
    ...changes.map(({ differences, wanted: { id } }) => {
      const fields = differences.map(({ field }) => field).join(', ')
      return warn(`the schedule ${id} is not as its job asks for: ${fields}`, applyAdvice)
    }),
    ...orphans.map(({ id }) => warn(`the schedule ${id} calls a job that does not exist`, applyAdvice)),
    ...paused.map(({ id }) =>
      (isCritical(id) ? fail : warn)(
        `the schedule ${id} is paused`,
        'resume it in the QStash console, if its reason is over',
      ),
    ),
    ...warnings.map(warning => warn(warning, 'look at `npm run qstash:list`')),
  ]
  const details = {
    schedulesAsWanted: unchanged.length,
    schedulesPending: countPending(plan),
    schedulesPaused: paused.length,
    schedulesOfOthers: unmanaged.length,
  }
  return { issues, details }
}

function judgeDeadLetters(deadLetters: number): Observation {
  const issue = `QStash gave up ${toCount(deadLetters, 'message', deadLetters === 100)}`
  const advice = 'run their jobs by hand (`npm run cli -- run <job>`), then delete them in the QStash console'
  return { issues: deadLetters > 0 ? [warn(issue, advice)] : [], details: { deadLetters } }
}

async function seeCalls({ clock, db, quietMs }: QstashParts): Promise<Observation> {
  const now = clock()
  const { firstBootAt, lastScheduledAt } = await readLastCall(db)
  const since = lastScheduledAt ?? firstBootAt ?? now
  const quiet = now.getTime() - since.getTime()
  const issue =
    lastScheduledAt === null
      ? `no schedule has ever called this service, in ${toSpan(quiet)}`
      : `no schedule has called for ${toSpan(quiet)}`
  return { issues: quiet > quietMs ? [fail(issue, doorAdvice)] : [], details: { lastScheduledAt } }
}

async function seeTimeliness({ timeliness }: QstashParts): Promise<Observation> {
  const { observed, output = '' } = await timeliness.read()
  if (observed === undefined) throw Object.assign(new Error('the runs could not be read'), { code: codeIn(output) })
  const late = observed.jobs.filter(({ state }) => state === 'overdue')
  const missed = observed.jobs.filter(({ missedSlots }) => missedSlots > 0)
  const issues = late.map(({ name, overdueSlot, status }) => {
    const issue = `${name} is overdue since its slot of ${overdueSlot?.toISOString() ?? 'unknown time'}`
    const advice = `\`npm run cli -- slots --job ${name} --days 1\` says why; \`npm run cli -- run ${name}\` makes up for it`
    return (status === 'fail' ? fail : warn)(issue, advice)
  })
  return { issues, details: { missedSlots24h: Object.fromEntries(missed.map(job => [job.name, job.missedSlots])) } }
}

/** A probe says in brackets what it met. */
function codeIn(output: string): string {
  return /\((\w+)\)$/.exec(output)?.[1] ?? 'NO_ANSWER'
}
