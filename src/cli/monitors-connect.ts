import { loadBetterStack, loadMonitoring, type BetterStackAccess, type MonitoringAccess } from '../config.ts'
import { jobs } from '../jobs/index.ts'
import { createBetterStack } from '../providers/betterstack.ts'
import { createHttp } from '../providers/http.ts'
import type { Monitoring } from '../providers/monitoring.ts'
import { wantedHeartbeatGroup, wantHeartbeats } from '../provision/heartbeats.ts'
import { wantedMonitorGroup, wantMonitors } from '../provision/monitors.ts'
import { wantedPolicy } from '../provision/policy.ts'
import type { PlanLimits, Wanted } from '../provision/wanted.ts'

const standInCallsPerSecond = 1_000

export interface PlanChoice {
  readonly planLimit?: number
  readonly shortestCheck: number
  readonly policy: boolean
  readonly prune?: boolean
  readonly json?: boolean
}

export interface ApplyChoice extends PlanChoice {
  readonly writeEnv?: string
  readonly force?: boolean
  readonly print?: boolean
}

export interface ImportChoice extends PlanChoice {
  readonly apply?: boolean
}

export interface Access extends MonitoringAccess {
  readonly wanted: readonly Wanted[]
  readonly limits: PlanLimits
  /** What a person should know before anything is done. */
  readonly warnings: readonly string[]
}

type Work<A, T> = (monitoring: Monitoring, access: A, signal: AbortSignal) => Promise<T>

/** Reads what Better Stack has, and closes what it opened. Throws ConfigError without a token. */
export async function withBetterStack<T>(work: Work<BetterStackAccess, T>): Promise<T> {
  return await connect(loadBetterStack(), work)
}

/** The same, with everything that has to be there. Throws ConfigError, and an Error in a preview. */
export async function withMonitoring<T>(choice: PlanChoice, work: Work<Access, T>): Promise<T> {
  const access = loadMonitoring()
  if (access.preview) throw new Error('this is a preview (IS_PULL_REQUEST): nothing watches it')
  const limits = { most: choice.planLimit, shortestCheckSeconds: choice.shortestCheck, policies: choice.policy }
  const wanted = listWanted(access, limits)
  return await connect({ ...access, wanted, limits, warnings: warn(access, wanted, limits) }, work)
}

async function connect<A extends BetterStackAccess, T>(access: A, work: Work<A, T>): Promise<T> {
  const http = createHttp()
  const stopping = new AbortController()
  const onSignal = (): void => stopping.abort()
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  try {
    const { token, url } = access
    // Plain http is a stand-in on this machine, which nobody has to spare.
    const spared = url.startsWith('http:') ? { callsPerSecond: standInCallsPerSecond } : {}
    return await work(createBetterStack({ url, token, fetch: http.fetch, ...spared }), access, stopping.signal)
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    await http.close()
  }
}

function listWanted({ operators, publicUrl }: MonitoringAccess, limits: PlanLimits): Wanted[] {
  const { token } = chooseOperator(operators)
  return [
    ...(limits.policies ? [wantedPolicy] : []),
    wantedHeartbeatGroup,
    wantedMonitorGroup,
    ...wantHeartbeats(jobs, limits.policies),
    ...wantMonitors({ publicUrl, token }, limits),
  ]
}

// A name of its own can be taken back without taking it from a person.
const watcher = 'betterstack'

function chooseOperator(operators: MonitoringAccess['operators']) {
  const [first] = operators
  const chosen = operators.find(({ name }) => name === watcher) ?? first
  if (chosen === undefined) throw new Error('OPERATOR_TOKEN names no operator')
  return chosen
}

const freePlan = { most: 10, shortestCheckSeconds: 180 }

function warn({ operators }: MonitoringAccess, wanted: readonly Wanted[], { most, shortestCheckSeconds }: PlanLimits) {
  const { name } = chooseOperator(operators)
  const counted = (['heartbeat', 'monitor'] as const).map(kind => wanted.filter(one => one.kind === kind).length)
  const isOver = most === undefined && counted.some(count => count > freePlan.most)
  const isOften = shortestCheckSeconds < freePlan.shortestCheckSeconds
  return [
    ...(name === watcher
      ? []
      : [`monitors show the token of ${name}: give them their own, as ${watcher}:<token> in OPERATOR_TOKEN`]),
    ...(isOver
      ? [`a free plan holds ${freePlan.most} heartbeats and ${freePlan.most} monitors: say --plan-limit`]
      : []),
    ...(isOften ? ['a free plan checks every 180 s at most: say --shortest-check 180 where it is yours'] : []),
  ]
}
