import { loadBetterStack, loadMonitoring, type BetterStackAccess, type MonitoringAccess } from '../config.ts'
import { jobs } from '../jobs/index.ts'
import { createBetterStack } from '../providers/betterstack.ts'
import { createHttp } from '../providers/http.ts'
import type { Monitoring } from '../providers/monitoring.ts'
import { findSilenced } from '../provision/adopt.ts'
import { listMistakes } from '../provision/check-wanted.ts'
import { wantedHeartbeatGroup, wantHeartbeats } from '../provision/heartbeats.ts'
import { wantedMonitorGroup, wantMonitors } from '../provision/monitors.ts'
import type { Step } from '../provision/plan-monitoring.ts'
import { wantedPolicy } from '../provision/policy.ts'
import type { PlanLimits, Wanted } from '../provision/wanted.ts'
import { redact } from '../runner/redact.ts'
import { printNote } from './print.ts'

const standInCallsPerSecond = 1_000

export interface PlanChoice {
  readonly planLimit?: number
  readonly shortestCheck: number
  readonly policy: boolean
  readonly prune?: boolean
  readonly json?: boolean
  /** Whose things, for a token of the whole organisation. */
  readonly team?: string
}

export interface ApplyChoice extends PlanChoice {
  readonly writeEnv?: string
  readonly force?: boolean
  readonly print?: boolean
  readonly dryRun?: boolean
  readonly beside?: boolean
  readonly move?: boolean
}

export interface ImportChoice extends PlanChoice {
  readonly apply?: boolean
}

export interface Access extends MonitoringAccess {
  readonly wanted: readonly Wanted[]
  readonly limits: PlanLimits
  /** What a person should know before anything is done, by the plan. */
  readonly warn: (steps: readonly Step[]) => readonly string[]
}

type Work<A, T> = (monitoring: Monitoring, access: A, signal: AbortSignal) => Promise<T>

/** Reads what Better Stack has, and closes what it opened. Throws ConfigError without a token. */
export async function withBetterStack<T>(team: string | undefined, work: Work<BetterStackAccess, T>): Promise<T> {
  return await connect(loadBetterStack(), team, work)
}

/**
 * The same, with everything that has to be there. Throws ConfigError, and an Error in a preview, on a machine that nobody
 * outside reaches, and for what Better Stack would refuse.
 */
export async function withMonitoring<T>(choice: PlanChoice, work: Work<Access, T>): Promise<T> {
  const access = loadMonitoring()
  if (access.preview) throw new Error('this is a preview (IS_PULL_REQUEST): nothing watches it')
  if (isLoopback(access.publicUrl) && !isLoopback(access.url)) {
    throw new Error(
      `PUBLIC_URL is ${access.publicUrl}, which Better Stack cannot reach: give the address of the service`,
    )
  }
  const limits = { most: choice.planLimit, shortestCheckSeconds: choice.shortestCheck, policies: choice.policy }
  const wanted = listWanted(access, limits)
  const mistakes = listMistakes(wanted)
  if (mistakes.length > 0) throw new Error(`Better Stack would refuse ${mistakes.join('; ')}`)
  return await connect({ ...access, wanted, limits, warn: steps => warn(access, steps, limits) }, choice.team, work)
}

/** Nobody else is reached there. */
function isLoopback(url: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[::1?\])$/i.test(new URL(url).hostname)
}

async function connect<A extends BetterStackAccess, T>(
  access: A,
  team: string | undefined,
  work: Work<A, T>,
): Promise<T> {
  const http = createHttp()
  const stopping = new AbortController()
  const onSignal = (): void => {
    stopping.abort()
    printNote('stopping after what is under way; once more stops at once')
  }
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  try {
    const { token, url } = access
    const betterStack = createBetterStack({
      url,
      token,
      fetch: http.fetch,
      onWait: printNote,
      ...(team === undefined ? {} : { team }),
      // Plain http is a stand-in on this machine, which nobody has to spare.
      ...(url.startsWith('http:') ? { callsPerSecond: standInCallsPerSecond } : {}),
    })
    return await work(betterStack, access, stopping.signal)
  } catch (thrown) {
    if (stopping.signal.aborted) throw new Error('interrupted', { cause: thrown })
    throw thrown
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    await http.close()
  }
}

function listWanted({ operators, publicUrl }: MonitoringAccess, limits: PlanLimits): Wanted[] {
  return [
    ...(limits.policies ? [wantedPolicy] : []),
    wantedHeartbeatGroup,
    wantedMonitorGroup,
    ...wantHeartbeats(jobs, limits.policies),
    ...wantMonitors({ publicUrl, token: findWatcher(operators)?.token }, limits),
  ]
}

const watcher = 'betterstack'

/** Its own operator, who can be taken back alone: a person's token is a person's, and all of a team may read what a monitor shows. */
function findWatcher(operators: MonitoringAccess['operators']) {
  return operators.find(({ name }) => name === watcher)
}

const freePlan = { most: 10, shortestCheckSeconds: 180 }

function warn({ heartbeats, operators }: MonitoringAccess, steps: readonly Step[], limits: PlanLimits): string[] {
  const made = steps.flatMap(step => (step.action === 'create' ? [step.kind] : []))
  const wanted = steps.filter(step => 'wanted' in step)
  const isOver = (['heartbeat', 'monitor'] as const).some(
    kind => made.includes(kind) && wanted.filter(one => one.kind === kind).length > freePlan.most,
  )
  const isOften = made.includes('monitor') && limits.shortestCheckSeconds < freePlan.shortestCheckSeconds
  const silenced = findSilenced(steps, heartbeats)
  return [
    ...(findWatcher(operators) === undefined
      ? [`monitors see no details: OPERATOR_TOKEN has no ${watcher}:<token>, and they are given no other`]
      : []),
    ...(isOver && limits.most === undefined
      ? [`a free plan holds ${freePlan.most} heartbeats and ${freePlan.most} monitors: say --plan-limit`]
      : []),
    ...(isOften ? ['a free plan checks every 180 s at most: say --shortest-check 180 where it is yours'] : []),
    ...silenced.map(
      ({ byHand, wanted: { name, variable } }) =>
        `${name} hears nothing: ${variable} is the address of ${redact(byHand.name)}, made by hand; set it to that of ours ` +
        '(--write-env), or delete ours and look at `monitors import`',
    ),
  ]
}
