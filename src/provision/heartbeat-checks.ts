import type { Resource } from '../providers/monitoring.ts'
import { graceSeconds, periodSeconds } from '../runner/slots.ts'
import { tokenOf } from './adopt.ts'
import { nameHeartbeat, type WatchedJob } from './heartbeats.ts'
import { ownedPrefix } from './wanted.ts'

export type HeartbeatStatus = 'pending' | 'up' | 'down' | 'paused' | 'unknown'

/** How a job is watched. Holds no address. */
export interface HeartbeatCheck {
  readonly job: string
  readonly variable: string
  readonly configured: boolean
  /** What it is called at Better Stack; undefined when it is not there. */
  readonly name: string | undefined
  readonly status: HeartbeatStatus | undefined
  readonly pausedAt: string | undefined
  readonly wanted: { readonly periodSeconds: number; readonly graceSeconds: number }
  readonly real: { readonly periodSeconds: number; readonly graceSeconds: number } | undefined
  /** What a person must do something about; empty when all is well. */
  readonly problems: readonly string[]
  /** What is worth knowing and no problem. */
  readonly notes: readonly string[]
}

/** Whether each job has a heartbeat that knows how often it runs and that has ever heard of it. Pure. */
export function checkHeartbeats(
  jobs: readonly WatchedJob[],
  configured: ReadonlyMap<string, string>,
  real: readonly Resource[],
): HeartbeatCheck[] {
  const heartbeats = real.filter(({ kind }) => kind === 'heartbeat')
  return jobs.map(job => checkOne(job, { jobs, configured, heartbeats }))
}

interface Known {
  readonly jobs: readonly WatchedJob[]
  readonly configured: ReadonlyMap<string, string>
  readonly heartbeats: readonly Resource[]
}

function checkOne(job: WatchedJob, known: Known): HeartbeatCheck {
  const { configured, heartbeats } = known
  const url = configured.get(job.heartbeat)
  const token = tokenOf(url)
  const own =
    token === undefined ? undefined : heartbeats.find(({ attributes }) => tokenOf(attributes['url']) === token)
  const named = heartbeats.filter(({ name }) => name === nameHeartbeat(job))
  const found = own ?? named[0]
  const wanted = { periodSeconds: periodSeconds(job), graceSeconds: graceSeconds(job) }
  const status = found === undefined ? undefined : readStatus(found)
  const pausedAt = found?.attributes['paused_at']
  const problems = [
    ...checkAddress(job, token, own, named),
    ...checkOthers(job, token, own, known),
    ...(found === undefined ? [] : [...checkTimes(found, wanted), ...checkStatus(status, own !== undefined)]),
  ]
  return {
    job: job.name,
    variable: job.heartbeat,
    configured: url !== undefined,
    name: found?.name,
    status,
    pausedAt: typeof pausedAt === 'string' ? pausedAt : undefined,
    wanted,
    real: found === undefined ? undefined : readTimes(found),
    problems,
    notes: status === 'paused' ? ['paused at Better Stack: nobody is alerted until it is resumed there'] : [],
  }
}

function checkAddress(
  job: WatchedJob,
  token: string | undefined,
  own: Resource | undefined,
  named: readonly Resource[],
): string[] {
  const several =
    named.length > 1 ? [`${named.length} heartbeats are called ${nameHeartbeat(job)}: delete all but one`] : []
  if (token === undefined) {
    const advice =
      named.length > 0 ? '`monitors apply --write-env` hands over its address' : '`monitors apply` makes one'
    return [`not configured: set ${job.heartbeat} (${advice})`, ...several]
  }
  if (own === undefined) {
    const advice = named.length > 0 ? ' (`monitors apply --write-env` hands over the right one)' : ''
    return [`${job.heartbeat} is the address of no heartbeat of this account${advice}`, ...several]
  }
  if (named.length === 0 || own.name.startsWith(ownedPrefix)) return several
  const way = `set ${job.heartbeat} to its address, or delete it and look at \`monitors import\``
  return [`${nameHeartbeat(job)} hears nothing, the pings go to one that was made by hand: ${way}`, ...several]
}

/** Two jobs that report to one heartbeat hide each other, and one that reports to another's is missed under its name. */
function checkOthers(
  job: WatchedJob,
  token: string | undefined,
  own: Resource | undefined,
  { configured, jobs }: Known,
): string[] {
  const others = jobs.filter(({ name }) => name !== job.name)
  const sharing = others.filter(other => token !== undefined && tokenOf(configured.get(other.heartbeat)) === token)
  const owner = others.find(other => own?.name === nameHeartbeat(other))
  return [
    ...sharing.map(other => `${job.heartbeat} is the address of ${other.heartbeat} too: give each job its own`),
    ...(owner === undefined ? [] : [`${job.heartbeat} is the address of the heartbeat of ${owner.name}`]),
  ]
}

function checkTimes(found: Resource, wanted: HeartbeatCheck['wanted']): string[] {
  const real = readTimes(found)
  return [
    ...(real.periodSeconds === wanted.periodSeconds
      ? []
      : [`period is ${real.periodSeconds} s and should be ${wanted.periodSeconds} s`]),
    ...(real.graceSeconds === wanted.graceSeconds
      ? []
      : [`grace is ${real.graceSeconds} s and should be ${wanted.graceSeconds} s`]),
  ]
}

function checkStatus(status: HeartbeatStatus | undefined, isReached: boolean): string[] {
  if (status === 'pending') {
    const advice = isReached ? ' (`heartbeats test` sends one)' : ''
    return [`never pinged: it alerts nobody until its first ping${advice}`]
  }
  return status === 'down' ? ['down: the last ping was a failure, or is overdue'] : []
}

function readTimes({ attributes }: Resource): { periodSeconds: number; graceSeconds: number } {
  return { periodSeconds: Number(attributes['period']), graceSeconds: Number(attributes['grace']) }
}

function readStatus({ attributes }: Resource): HeartbeatStatus {
  const { status } = attributes
  if ((attributes['paused_at'] ?? null) !== null) return 'paused'
  return status === 'pending' || status === 'up' || status === 'down' || status === 'paused' ? status : 'unknown'
}
