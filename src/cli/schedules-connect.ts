import { loadQstash, loadScheduling, type QstashAccess, type SchedulingAccess } from '../config.ts'
import { jobs } from '../jobs/index.ts'
import { createHttp } from '../providers/http.ts'
import { createQstashSchedules } from '../providers/qstash-schedules.ts'
import type { Schedules } from '../providers/schedules.ts'
import { type PlanOptions, readSchedulePlan, type SchedulePlan } from '../provision/plan-schedules.ts'
import { ownedPrefix } from '../provision/wanted-schedules.ts'
import { createProgress, printNote } from './print.ts'

export interface PlanChoice {
  readonly planLimit?: number
  /** Jobs whose schedules were resumed on purpose. */
  readonly resumed?: readonly string[]
  readonly json?: boolean
}

type Work<Access, T> = (schedules: Schedules, access: Access, signal: AbortSignal) => Promise<T>

/** Works with the schedules of QSTASH_TOKEN's account, and closes what it opened. Throws ConfigError without a token. */
export async function withSchedules<T>(work: Work<QstashAccess, T>): Promise<T> {
  return await withAccess(loadQstash(), work)
}

/**
 * The same, for what has to know where QStash reaches this service. Throws ConfigError, and an Error in a preview and where
 * QStash could not reach it.
 */
export async function withScheduling<T>(work: Work<SchedulingAccess, T>): Promise<T> {
  const access = loadScheduling()
  refusePreview(access)
  if (isLoopback(access.publicUrl) && !isLoopback(access.url))
    throw new Error(`PUBLIC_URL is ${access.publicUrl}, on this machine alone: QStash could not call it`)
  return await withAccess(access, work)
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}

/** A preview shares its keys with the place it previews: it must not even seem to have schedules of its own. */
export function refusePreview({ preview }: QstashAccess): void {
  if (preview) throw new Error('this is a preview (IS_PULL_REQUEST): it is never scheduled, and touches no schedules')
}

async function withAccess<Access extends QstashAccess, T>(access: Access, work: Work<Access, T>): Promise<T> {
  const http = createHttp()
  const stopping = new AbortController()
  const onSignal = (): void => {
    stopping.abort()
    printNote('stopping after what is under way; once more stops at once')
  }
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  try {
    const schedules = createQstashSchedules({
      ...access,
      fetch: http.fetch,
      clock: () => new Date(),
      onWait: waitMs => printNote(`QStash asks to be called less often: waiting for ${Math.ceil(waitMs / 1000)} s`),
    })
    return await work(schedules, access, stopping.signal)
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    await http.close()
  }
}

/** The plan for the jobs of this build. Throws an Error for a job that is none, and what `readSchedulePlan` does. */
export async function readPlan(
  schedules: Schedules,
  { publicUrl }: SchedulingAccess,
  { planLimit, resumed = [] }: PlanChoice,
  signal: AbortSignal,
): Promise<SchedulePlan> {
  const progress = createProgress()
  progress.show('asking QStash for its schedules')
  try {
    const options: PlanOptions = {
      jobs,
      publicUrl,
      resumed: resumed.map(toId),
      ...(planLimit === undefined ? {} : { planLimit }),
    }
    return await readSchedulePlan(schedules, options, signal)
  } finally {
    progress.clear()
  }
}

function toId(job: string): string {
  const name = job.startsWith(ownedPrefix) ? job.slice(ownedPrefix.length) : job
  if (jobs.some(one => one.name === name)) return `${ownedPrefix}${name}`
  throw new Error(`there is no job ${name}: there are ${jobs.map(one => one.name).join(', ')}`)
}
