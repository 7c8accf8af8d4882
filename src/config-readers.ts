export type Environment = Readonly<Record<string, string | undefined>>

export interface Operator {
  readonly name: string
  readonly token: string
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
const heartbeatBase = 'https://uptime.betterstack.com/api/v1/heartbeat/'
// Where Better Stack takes pings (reference/monitoring.md section 1.1).
const heartbeatHosts = ['uptime.betterstack.com', 'betteruptime.com', 'incidents.betterstack.com']
const minOperatorTokenLength = 24

export type Reader = ReturnType<typeof createReader>

/** Readers of one variable each, for config.ts: they note what is wrong and return something of the right type, so that reading goes on. */
export function createReader(env: Environment, problems: string[]) {
  const optional: Optional = name => {
    const value = env[name]?.trim()
    return value === undefined || value === '' ? undefined : value
  }
  const required: Required = (name, hint) => {
    const value = optional(name)
    if (value === undefined) problems.push(`${name} is missing: ${hint}`)
    return value ?? ''
  }
  return {
    optional,
    required,
    ...createValueReaders(optional, problems),
    ...createAddressReaders(optional, required, problems),
    ...createSecretReaders(optional, required, problems),
  }
}

type Optional = (name: string) => string | undefined
type Required = (name: string, hint: string) => string

function createValueReaders(optional: Optional, problems: string[]) {
  return {
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
    instant: (name: string) => {
      const value = optional(name)
      const at = value === undefined ? undefined : parseInstant(value)
      if (value !== undefined && at === undefined) {
        problems.push(`${name} must be a date (2026-03-01, in UTC) or a time with its zone (2026-03-01T00:00:00Z)`)
      }
      return at
    },
  }
}

function createAddressReaders(optional: Optional, required: Required, problems: string[]) {
  const check = (name: string, value: string): string => {
    const problem = findUrlProblem(value)
    if (problem !== undefined) problems.push(`${name} ${problem}`)
    return value.replace(/\/+$/, '')
  }
  return {
    vendorUrl: (name: string, preset: string) => check(name, optional(name) ?? preset),
    ownUrl: (name: string, preset: string | undefined, hint: string) => {
      const value = optional(name) ?? preset
      return value === undefined ? required(name, hint) : check(name, value)
    },
    databaseUrl: (name: string) => {
      const value = required(name, 'a postgres:// connection string')
      const protocol = URL.canParse(value) ? new URL(value).protocol : ''
      if (value !== '' && !['postgres:', 'postgresql:'].includes(protocol)) {
        problems.push(`${name} is no postgres:// connection string`)
      }
      return value
    },
    /** Scheme, host and port alone. */
    originUrl: (name: string) => {
      const value = optional(name)
      if (value === undefined) return undefined
      const address = check(name, value)
      if (URL.canParse(address) && new URL(address).pathname !== '/') problems.push(`${name} must have no path`)
      return address
    },
    /** A whole address, or the token at the end of Better Stack's. */
    heartbeat: (name: string, production: boolean) => {
      const value = optional(name)
      if (value === undefined) return undefined
      if (/^[\w-]{8,}$/.test(value)) return `${heartbeatBase}${value}`
      const address = check(name, value)
      const hostname = URL.canParse(address) ? new URL(address).hostname : undefined
      if (production && hostname !== undefined && !heartbeatHosts.includes(hostname) && !isLoopback(hostname)) {
        problems.push(`${name} must be at ${heartbeatHosts.join(', ')} (or on loopback, for tests)`)
      }
      return address
    },
  }
}

function createSecretReaders(optional: Optional, required: Required, problems: string[]) {
  return {
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
    stripeKey: (name: string, production: boolean) => {
      const value = required(name, "Stripe's dashboard shows it under API keys; a restricted key will do")
      if (value !== '' && !/^[sr]k_(?:live|test)_\w+$/.test(value)) {
        problems.push(`${name} is no secret or restricted key of Stripe (sk_live_, sk_test_, rk_live_ or rk_test_)`)
      } else if (production && /change-?me/i.test(value)) {
        problems.push(`${name} is the one of .env.example: no key at all`)
      }
      return { secretKey: value, live: /^[sr]k_live_/.test(value) }
    },
  }
}

/** Undefined for a time without a zone, which would mean another moment on another machine, and for days that no month has. */
function parseInstant(value: string): Date | undefined {
  const [, day, time] = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.exec(value) ?? []
  const midnight = new Date(`${day}T00:00:00Z`)
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(`${day}T`)) return undefined
  const at = new Date(time === undefined ? midnight : `${day}${time}`)
  return Number.isNaN(at.getTime()) ? undefined : at
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
export function parseOperators(value: string, production: boolean, problems: string[]): Operator[] {
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
