import { createReader, type Environment, type Operator, parseOperators, type Reader } from './config-readers.ts'
import { readBetterStack, readNovu, readVendors, type Vendors } from './config-vendors.ts'

/** The variables that hold a heartbeat's address, one per job; a test compares them with the job files. */
export const heartbeatVariables = [
  'BETTERSTACK_APPOINTMENT_REMINDERS_HEARTBEAT',
  'BETTERSTACK_APPOINTMENT_REMINDERS_1HR_HEARTBEAT',
  'BETTERSTACK_BLOCKED_DATES_HEARTBEAT',
  'BETTERSTACK_CLEANUP_RESERVATIONS_HEARTBEAT',
  'BETTERSTACK_EXPERT_TRANSFERS_HEARTBEAT',
  'BETTERSTACK_KEEP_ALIVE_HEARTBEAT',
  'BETTERSTACK_PAYMENT_REMINDERS_HEARTBEAT',
  'BETTERSTACK_PENDING_PAYOUTS_HEARTBEAT',
  'BETTERSTACK_TASKS_HEARTBEAT',
  'BETTERSTACK_UPCOMING_PAYOUTS_HEARTBEAT',
] as const

export type { Environment, Operator }

/** Everything the process takes from outside, checked. Holds secrets: never log it. */
export interface Config extends Vendors {
  readonly mode: 'production' | 'development' | 'test'
  /** A preview deployment: it must neither ping heartbeats nor be scheduled. */
  readonly preview: boolean
  /** The deployed commit, where the platform tells it. */
  readonly release: string | undefined
  /** The platform's name for this process, where it has one. */
  readonly instance: string | undefined
  readonly host: string
  readonly port: number
  readonly logLevel: string
  readonly databaseUrl: string
  /** What QStash signs: absolute, without a slash at the end. */
  readonly publicUrl: string
  /** The marketplace's site, without a slash at the end. */
  readonly appUrl: string
  readonly cronSecret: string | undefined
  readonly operators: readonly Operator[]
  readonly money: {
    /** A larger movement waits for an operator, in minor units of its currency. */
    readonly maxSingleCents: number
    /** What may move in 24 hours before the next movement waits for an operator, per currency. */
    readonly maxTotalCents: number
    /** What was paid before may have been paid out by the old jobs. Undefined: the first boot counts. */
    readonly since: Date | undefined
  }
  /** Heartbeat addresses by variable; those that are not set are absent. */
  readonly heartbeats: ReadonlyMap<string, string>
  readonly leaseMs: number
  readonly drainMs: number
}

/** The configuration does not fit. Ends the process; `problems` lists every one of them and shows no value. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(describe(problems))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** The first line says what is missing, because many show no other. */
function describe(problems: readonly string[]): string {
  const [first, ...more] = problems
  if (more.length === 0) return `the configuration has a problem: ${first}`
  const names = new Set(problems.flatMap(problem => /^[A-Z][A-Z0-9_]+/.exec(problem) ?? []))
  const list = problems.map(problem => `  - ${problem}`).join('\n')
  return `the configuration has ${problems.length} problems (${[...names].join(', ')}):\n${list}`
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']
const minCronSecretLength = 16
const maxCents = 1_000_000_000

/**
 * Reads and checks the whole environment at once. Throws one ConfigError with every problem; no message shows a value.
 * By hand and not by a schema library, because an operator needs to be told what to do about each variable, and because
 * a schema validator prints the value it refuses. An empty variable counts as not set.
 */
export function loadConfig(env: Environment = process.env): Config {
  const problems: string[] = []
  const read = createReader(env, problems)
  const mode = parseMode(read.optional('NODE_ENV'))
  const production = mode === 'production'
  const config: Config = {
    mode,
    ...readProcess(read),
    databaseUrl: read.databaseUrl('DATABASE_URL'),
    publicUrl: readPublicUrl(read),
    appUrl: read.ownUrl('APP_URL', undefined, "the address of the marketplace's site"),
    ...readVendors(read, production, problems),
    cronSecret: read.secret('CRON_SECRET', minCronSecretLength, production),
    operators: parseOperators(read.required('OPERATOR_TOKEN', 'openssl rand -hex 32 makes one'), production, problems),
    money: {
      maxSingleCents: read.integer('MONEY_MAX_SINGLE', 200_000, 0, maxCents),
      maxTotalCents: read.integer('MONEY_MAX_TOTAL', 2_000_000, 0, maxCents),
      since: read.instant('MONEY_SINCE'),
    },
    heartbeats: readHeartbeats(read),
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

/** Reads and checks DATABASE_URL alone, for commands that need nothing else. Throws ConfigError. */
export function loadDatabaseUrl(env: Environment = process.env): string {
  const problems: string[] = []
  const url = createReader(env, problems).databaseUrl('DATABASE_URL')
  if (problems.length > 0) throw new ConfigError(problems)
  return url
}

/** Reads and checks how Novu is reached, for the command that needs nothing else. Throws ConfigError. */
export function loadNovu(env: Environment = process.env): Pick<Config['novu'], 'secretKey' | 'url'> {
  const problems: string[] = []
  const novu = readNovu(createReader(env, problems))
  if (problems.length > 0) throw new ConfigError(problems)
  return novu
}

/** What the schedules at QStash are read and removed with. */
export interface QstashAccess {
  readonly url: string
  readonly token: string
  /** A preview is never scheduled. */
  readonly preview: boolean
}

/** What they are made with. */
export interface SchedulingAccess extends QstashAccess {
  readonly publicUrl: string
}

/** Reads and checks how the API of QStash is reached, for commands that need nothing else. Throws ConfigError. */
export function loadQstash(env: Environment = process.env): QstashAccess {
  return loadAlone(env, readQstashAccess)
}

/** The same, with the address that schedules call. Throws ConfigError. */
export function loadScheduling(env: Environment = process.env): SchedulingAccess {
  return loadAlone(env, read => ({ ...readQstashAccess(read), publicUrl: readPublicUrl(read) }))
}

/** What heartbeats at Better Stack are compared with. */
export interface BetterStackAccess {
  readonly url: string
  readonly token: string
  readonly heartbeats: Config['heartbeats']
}

/** What heartbeats and monitors are made with. */
export interface MonitoringAccess extends BetterStackAccess {
  readonly publicUrl: string
  readonly operators: readonly Operator[]
  /** A preview has neither. */
  readonly preview: boolean
}

/** What `npm run` kept of an option before the `--`: its value, `true`, or '' after `--no-`. Undefined: it was not typed. */
export function readNpmOption(name: string, env: Environment = process.env): string | undefined {
  if (env['npm_command'] !== 'run' && env['npm_command'] !== 'run-script') return undefined
  return env[`npm_config_${name.replaceAll('-', '_')}`]
}

/** Reads and checks the addresses of heartbeats alone. Throws ConfigError. */
export function loadHeartbeats(env: Environment = process.env): Config['heartbeats'] {
  return loadAlone(env, readHeartbeats)
}

/** The same, and whether they may be pinged at all: a preview must not. Throws ConfigError. */
export function loadPings(env: Environment = process.env): Pick<Config, 'heartbeats' | 'preview'> {
  return loadAlone(env, read => ({
    heartbeats: readHeartbeats(read),
    preview: read.optional('IS_PULL_REQUEST') === 'true',
  }))
}

/** Reads and checks how the API of Better Stack is reached, for commands that need nothing else. Throws ConfigError. */
export function loadBetterStack(env: Environment = process.env): BetterStackAccess {
  return loadAlone(env, readBetterStackAccess)
}

/** The same, with what monitors call and show. Throws ConfigError. */
export function loadMonitoring(env: Environment = process.env): MonitoringAccess {
  return loadAlone(env, (read, problems) => {
    const isProduction = parseMode(read.optional('NODE_ENV')) === 'production'
    const access = readBetterStackAccess(read)
    const publicUrl = readPublicUrl(read)
    const operators = read.required('OPERATOR_TOKEN', 'monitors show it to see details')
    return {
      ...access,
      publicUrl,
      operators: parseOperators(operators, isProduction, problems),
      preview: read.optional('IS_PULL_REQUEST') === 'true',
    }
  })
}

function loadAlone<T>(env: Environment, readPart: (read: Reader, problems: string[]) => T): T {
  const problems: string[] = []
  const part = readPart(createReader(env, problems), problems)
  if (problems.length > 0) throw new ConfigError(problems)
  return part
}

function readQstashAccess(read: Reader): QstashAccess {
  return {
    url: read.vendorUrl('QSTASH_URL', 'https://qstash.upstash.io'),
    token: read.required('QSTASH_TOKEN', 'the QStash console shows it for each region'),
    preview: read.optional('IS_PULL_REQUEST') === 'true',
  }
}

function readBetterStackAccess(read: Reader): BetterStackAccess {
  const { token: _, url } = readBetterStack(read)
  const hint = "Better Stack's API tokens page shows it: an Uptime API token of the team, which may write"
  return { url, token: read.required('BETTERSTACK_API_TOKEN', hint), heartbeats: readHeartbeats(read) }
}

function readPublicUrl(read: Reader): string {
  return read.ownUrl('PUBLIC_URL', read.optional('RENDER_EXTERNAL_URL'), 'where QStash reaches this service')
}

function parseMode(value: string | undefined): Config['mode'] {
  return value === 'development' || value === 'test' ? value : 'production'
}

/** Where and how this process runs. */
function readProcess(read: Reader) {
  return {
    preview: read.optional('IS_PULL_REQUEST') === 'true',
    release: read.optional('RENDER_GIT_COMMIT'),
    instance: read.optional('RENDER_INSTANCE_ID'),
    host: read.optional('HOST') ?? '0.0.0.0',
    port: read.integer('PORT', 10_000, 0, 65_535),
    logLevel: read.oneOf('LOG_LEVEL', 'info', logLevels),
    leaseMs: read.integer('LEASE_SECONDS', 30, 2, 3600) * 1000,
    drainMs: read.integer('DRAIN_SECONDS', 90, 0, 290) * 1000,
  }
}

function readHeartbeats(read: Reader): Config['heartbeats'] {
  const production = parseMode(read.optional('NODE_ENV')) === 'production'
  const addresses = heartbeatVariables.map(name => [name, read.heartbeat(name, production)] as const)
  return new Map(addresses.flatMap(([name, address]) => (address === undefined ? [] : [[name, address]])))
}
