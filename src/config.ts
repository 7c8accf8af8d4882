/** The variables that hold a heartbeat's address, one per job; a test compares them with the job files. */
export const heartbeatVariables = [
  'BETTERSTACK_BLOCKED_DATES_HEARTBEAT',
  'BETTERSTACK_KEEP_ALIVE_HEARTBEAT',
  'BETTERSTACK_TASKS_HEARTBEAT',
] as const

export type Environment = Readonly<Record<string, string | undefined>>

export interface Operator {
  readonly name: string
  readonly token: string
}

/** Everything the process takes from outside, checked. Holds secrets: never log it. */
export interface Config {
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
  readonly qstash: {
    readonly url: string
    readonly token: string | undefined
    readonly currentSigningKey: string
    readonly nextSigningKey: string
  }
  readonly cronSecret: string | undefined
  readonly operators: readonly Operator[]
  readonly clerk: { readonly url: string; readonly secretKey: string } | undefined
  /** Heartbeat addresses by variable; those that are not set are absent. */
  readonly heartbeats: ReadonlyMap<string, string>
  readonly leaseMs: number
  readonly drainMs: number
}

/** The configuration does not fit. Ends the process; `problems` lists every one of them and shows no value. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    const list = problems.map(problem => `  - ${problem}`).join('\n')
    super(`the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${list}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

// The local development server's keys are printed in its public documentation: anybody can sign with them.
const publicSigningKeys = new Set([
  'sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r',
  'sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs',
  'sig_7GVPjvuwsfqF65iC8fSrs1dfYruM',
  'sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua',
  'sig_6jWGaWRxHsw4vMSPJprXadyvrybF',
  'sig_7qHbvhmahe5GwfePDiS5Lg3pi6Qx',
  'sig_5T8FcSsynBjn9mMLBsXhpacRovJf',
  'sig_7GFR4YaDshFcqsxWRZpRB161jguD',
])
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']
const heartbeatBase = 'https://uptime.betterstack.com/api/v1/heartbeat/'
const minOperatorTokenLength = 24
const minCronSecretLength = 16

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
  if (production && read.optional('QSTASH_DEV') !== undefined) {
    problems.push('QSTASH_DEV is set: it makes the QStash SDK accept tokens that anybody can sign; remove it')
  }
  const clerkSecretKey = read.optional('CLERK_SECRET_KEY')
  const clerkUrl = read.vendorUrl('CLERK_API_URL', 'https://api.clerk.com')
  const config: Config = {
    mode,
    preview: read.optional('IS_PULL_REQUEST') === 'true',
    release: read.optional('RENDER_GIT_COMMIT'),
    instance: read.optional('RENDER_INSTANCE_ID'),
    host: read.optional('HOST') ?? '0.0.0.0',
    port: read.integer('PORT', 10_000, 0, 65_535),
    logLevel: read.oneOf('LOG_LEVEL', 'info', logLevels),
    databaseUrl: read.databaseUrl('DATABASE_URL'),
    publicUrl: read.ownUrl('PUBLIC_URL', read.optional('RENDER_EXTERNAL_URL'), 'where QStash reaches this service'),
    appUrl: read.ownUrl('APP_URL', undefined, "the address of the marketplace's site"),
    qstash: {
      url: read.vendorUrl('QSTASH_URL', 'https://qstash.upstash.io'),
      token: read.optional('QSTASH_TOKEN'),
      currentSigningKey: read.signingKey('QSTASH_CURRENT_SIGNING_KEY', production),
      nextSigningKey: read.signingKey('QSTASH_NEXT_SIGNING_KEY', production),
    },
    cronSecret: read.secret('CRON_SECRET', minCronSecretLength, production),
    operators: parseOperators(read.required('OPERATOR_TOKEN', 'openssl rand -hex 32 makes one'), production, problems),
    clerk: clerkSecretKey === undefined ? undefined : { url: clerkUrl, secretKey: clerkSecretKey },
    heartbeats: new Map(
      heartbeatVariables.flatMap(name => {
        const address = read.heartbeat(name)
        return address === undefined ? [] : [[name, address] as const]
      }),
    ),
    leaseMs: read.integer('LEASE_SECONDS', 30, 2, 3600) * 1000,
    drainMs: read.integer('DRAIN_SECONDS', 90, 0, 290) * 1000,
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

function parseMode(value: string | undefined): Config['mode'] {
  return value === 'development' || value === 'test' ? value : 'production'
}

/** Readers of one variable each: they note what is wrong and return something of the right type, so that reading goes on. */
function createReader(env: Environment, problems: string[]) {
  const optional = (name: string): string | undefined => {
    const value = env[name]?.trim()
    return value === undefined || value === '' ? undefined : value
  }
  const required = (name: string, hint: string): string => {
    const value = optional(name)
    if (value === undefined) problems.push(`${name} is missing: ${hint}`)
    return value ?? ''
  }
  const url = (name: string, value: string): string => {
    const problem = findUrlProblem(value)
    if (problem !== undefined) problems.push(`${name} ${problem}`)
    return value.replace(/\/+$/, '')
  }
  return {
    optional,
    required,
    vendorUrl: (name: string, preset: string) => url(name, optional(name) ?? preset),
    ownUrl: (name: string, preset: string | undefined, hint: string) => {
      const value = optional(name) ?? preset
      if (value !== undefined) return url(name, value)
      return required(name, hint)
    },
    databaseUrl: (name: string) => {
      const value = required(name, 'a postgres:// connection string')
      const protocol = URL.canParse(value) ? new URL(value).protocol : ''
      if (value !== '' && !['postgres:', 'postgresql:'].includes(protocol)) {
        problems.push(`${name} is no postgres:// connection string`)
      }
      return value
    },
    integer: (name: string, preset: number, min: number, max: number) => {
      const text = optional(name)
      const value = text === undefined ? preset : Number(text)
      if (Number.isInteger(value) && value >= min && value <= max) return value
      problems.push(`${name} must be a whole number from ${min} to ${max}`)
      return preset
    },
    oneOf: (name: string, preset: string, allowed: readonly string[]) => {
      const value = optional(name) ?? preset
      if (!allowed.includes(value)) problems.push(`${name} must be one of ${allowed.join(', ')}`)
      return value
    },
    signingKey: (name: string, production: boolean) => {
      const value = required(name, 'the QStash console shows it under Signing Keys')
      if (production && publicSigningKeys.has(value)) {
        problems.push(`${name} is a key of the public QStash development server: anybody can sign with it`)
      }
      return value
    },
    secret: (name: string, minLength: number, production: boolean) => {
      const value = optional(name)
      if (value !== undefined && production) noteWeakness(name, value, minLength, problems)
      return value
    },
    heartbeat: (name: string) => {
      const value = optional(name)
      if (value === undefined) return undefined
      if (/^[\w-]{8,}$/.test(value)) return `${heartbeatBase}${value}`
      return url(name, value)
    },
  }
}

/** What is wrong with the address, or undefined. Plain http is for loopback only: keys travel with every call. */
function findUrlProblem(value: string): string | undefined {
  if (!URL.canParse(value)) return 'is no absolute address (https://…)'
  const { hash, hostname, password, protocol, search, username } = new URL(value)
  if (protocol !== 'https:' && protocol !== 'http:') return 'must begin with https://'
  if (protocol === 'http:' && !isLoopback(hostname)) return 'must be https:// (plain http is accepted on loopback only)'
  if (search !== '' || hash !== '') return 'must have no query and no fragment'
  if (username !== '' || password !== '') return 'must not carry a user name or a password'
  return undefined
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

/** One token, or `name:token` pairs separated by commas; the name is what approvals and the audit record. */
function parseOperators(value: string, production: boolean, problems: string[]): Operator[] {
  if (value === '') return []
  const operators = value.split(',').map(entry => {
    const colon = entry.indexOf(':')
    if (colon === -1) return { name: 'operator', token: entry.trim() }
    return { name: entry.slice(0, colon).trim(), token: entry.slice(colon + 1).trim() }
  })
  const names = operators.map(operator => operator.name)
  const tokens = operators.map(operator => operator.token)
  if (names.some(name => !/^[\w.@-]{1,64}$/.test(name))) {
    problems.push('OPERATOR_TOKEN has an operator whose name is not 1 to 64 letters, digits or . _ @ -')
  }
  if (new Set(names).size < names.length)
    problems.push('OPERATOR_TOKEN names an operator twice: write name:token for each')
  if (new Set(tokens).size < tokens.length) problems.push('OPERATOR_TOKEN gives two operators the same token')
  for (const [index, { token }] of operators.entries()) {
    // By place and not by name: where the two were swapped, the name is the secret.
    const entry = operators.length === 1 ? 'OPERATOR_TOKEN' : `OPERATOR_TOKEN, entry ${index + 1},`
    if (token === '') problems.push(`${entry} has an empty token`)
    else if (production) noteWeakness(entry, token, minOperatorTokenLength, problems)
  }
  return operators
}

function noteWeakness(name: string, secret: string, minLength: number, problems: string[]): void {
  const repeats = /^(.{1,12})\1+.{0,12}$/.test(secret)
  if (secret.length < minLength || new Set(secret).size < 8 || repeats || /change-?me|password/i.test(secret)) {
    problems.push(
      `${name} is too easy to guess: at least ${minLength} varied characters; openssl rand -hex 32 makes one`,
    )
  }
}
