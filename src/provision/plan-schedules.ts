import type { Schedule, ScheduleSettings, Schedules } from '../providers/schedules.ts'
import { compareSchedules, type Difference } from './compare-schedules.ts'
import { freePlanLimit } from './schedule-limit.ts'
import { listWantedSchedules, ownedPrefix, type ScheduledJob } from './wanted-schedules.ts'

/** The difference between the schedules that there should be and those that there are. */
export interface SchedulePlan {
  readonly creates: readonly ScheduleSettings[]
  readonly changes: readonly ScheduleChange[]
  /** Ours, and no job has it: to be removed, last. */
  readonly orphans: readonly Schedule[]
  readonly unchanged: readonly Schedule[]
  /** Ours, of a job, and paused at the vendor: it stays paused, whatever else is changed. */
  readonly paused: readonly Schedule[]
  /**
   * Ours, paused when they were changed last, and running now: somebody resumed them, or that change was cut off. Not
   * touched until they are paused, or somebody says that they were resumed.
   */
  readonly doubtful: readonly Schedule[]
  /** Somebody else's: never touched. */
  readonly unmanaged: readonly Unmanaged[]
  /** What a person should know before applying it. */
  readonly warnings: readonly string[]
}

export interface ScheduleChange {
  readonly wanted: ScheduleSettings
  readonly paused: boolean
  /** The host that it calls at the same path: another environment of this service, as it seems. */
  readonly movedFrom: string | undefined
  readonly differences: readonly Difference[]
}

export interface Unmanaged {
  readonly schedule: Schedule
  /** The job that it calls too. */
  readonly job: string | undefined
}

export interface PlanOptions {
  readonly jobs: Iterable<ScheduledJob>
  /** Where QStash reaches this service. */
  readonly publicUrl: string
  /** How many schedules the account may have; unless given, as many as the free plan allows or as there are. */
  readonly planLimit?: number
  /** Ids of which a person says that they were resumed on purpose. */
  readonly resumed?: readonly string[]
}

/** Asks what there is and compares. Throws what `Schedules.list` throws, and what `planSchedules` does. */
export async function readSchedulePlan(
  schedules: Pick<Schedules, 'list'>,
  options: PlanOptions,
  signal: AbortSignal,
): Promise<SchedulePlan> {
  return planSchedules(await schedules.list(signal), options)
}

/** Compares. Pure. Throws an Error when an id is listed twice: nobody can tell then which of the two is meant. */
export function planSchedules(real: readonly Schedule[], options: PlanOptions): SchedulePlan {
  const byId = new Map(real.map(schedule => [schedule.id, schedule]))
  if (byId.size < real.length) throw new Error(`QStash lists ${findTwice(real)} twice: nothing can be told apart`)
  const wanted = listWantedSchedules(options.jobs, options.publicUrl)
  const wantedIds = new Set(wanted.map(({ id }) => id))
  const pairs = wanted.flatMap(settings => {
    const found = byId.get(settings.id)
    return found === undefined
      ? []
      : [{ wanted: settings, real: found, differences: compareSchedules(settings, found) }]
  })
  const isOwned = ({ id }: Schedule): boolean => id.startsWith(ownedPrefix)
  const isDoubtful = ({ id, keptPaused, paused }: Schedule): boolean =>
    keptPaused && !paused && options.resumed?.includes(id) !== true
  const unmanaged = real.filter(schedule => !isOwned(schedule))
  const plan = {
    creates: wanted.filter(({ id }) => !byId.has(id)),
    changes: pairs
      .filter(({ differences, real }) => differences.length > 0 && !isDoubtful(real))
      .map(({ differences, real, wanted }) => ({
        wanted,
        paused: real.paused,
        movedFrom: findMove(real.destination, wanted.destination),
        differences,
      })),
    orphans: real.filter(schedule => isOwned(schedule) && !wantedIds.has(schedule.id)),
    unchanged: pairs.filter(({ differences }) => differences.length === 0).map(({ real }) => real),
    paused: pairs.map(({ real }) => real).filter(({ paused }) => paused),
    doubtful: pairs.map(({ real }) => real).filter(isDoubtful),
    unmanaged: unmanaged.map(schedule => ({ schedule, job: findJobCalled(schedule, wanted) })),
  }
  return { ...plan, warnings: listWarnings(plan, wanted, options) }
}

/** How many things would be changed. */
export function countPending({ changes, creates, orphans }: SchedulePlan): number {
  return creates.length + changes.length + orphans.length
}

function findTwice(real: readonly Schedule[]): string {
  const ids = real.map(({ id }) => id)
  return [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))].join(', ')
}

/** By the address and by the old one, at any host: this service and the old site are called for the same work. */
function findJobCalled({ destination, headers }: Schedule, wanted: readonly ScheduleSettings[]): string | undefined {
  // The old forwarder is told by a header what to call.
  const addresses = [destination, headers['x-qstash-target-url'] ?? '']
  const called = addresses.map(address => /\/(?:jobs|api\/cron)\/([\w-]+)\/?(?:\?.*)?$/.exec(address)?.[1])
  const names = wanted.map(({ id }) => id.slice(ownedPrefix.length))
  return names.find(name => called.includes(name))
}

function findMove(from: string, to: string): string | undefined {
  if (!URL.canParse(from)) return undefined
  const { host, origin, pathname } = new URL(from)
  const there = new URL(to)
  return origin !== there.origin && pathname === there.pathname ? host : undefined
}

type Compared = Omit<SchedulePlan, 'warnings'>

function listWarnings(plan: Compared, wanted: readonly ScheduleSettings[], options: PlanOptions): string[] {
  const { planLimit, publicUrl } = options
  const after = wanted.length + plan.unmanaged.length
  // What is there already was allowed, whatever the plan is.
  const there = after - plan.creates.length + plan.orphans.length
  const allowed = planLimit ?? Math.max(freePlanLimit, there)
  const origin = new URL(publicUrl).origin
  const elsewhere = plan.changes.flatMap(({ differences, wanted }) =>
    differences
      .filter(({ field, is }) => field === 'destination' && !is.startsWith(`${origin}/`))
      .map(({ is }) => `${wanted.id} calls ${hostOf(is)} now: is this the QStash account of another environment?`),
  )
  return [
    ...(after > allowed
      ? [
          `${after} schedules would be in this account, and its plan may allow only ${allowed} (the free one has ${freePlanLimit}): QStash then refuses the rest`,
        ]
      : []),
    ...elsewhere,
    ...plan.doubtful.map(
      ({ id }) =>
        `${id} was paused when it was changed last, and runs now: somebody resumed it, or that change was cut off; pause it in the console, or say \`schedules apply --resumed ${id}\` if it may run`,
    ),
    ...plan.unmanaged
      .filter(({ job }) => job !== undefined)
      .map(
        ({ job, schedule }) =>
          `${schedule.id} is not ours and calls ${job} too, a second time for nothing: remove it in the console`,
      ),
  ]
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : 'no address'
}
