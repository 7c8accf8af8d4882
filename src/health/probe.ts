import { toError } from '../errors.ts'

export type HealthStatus = 'pass' | 'warn' | 'fail'
export type ProbeState = 'up' | 'slow' | 'down' | 'misconfigured' | 'disabled' | 'unknown'

/** What one check came to. An `up` with an output, or with a retryAfterMs, is a warning. */
export interface ProbeFinding<Observed = Measures> {
  readonly state: Exclude<ProbeState, 'unknown'>
  /** Why, in words without secrets. */
  readonly output?: string
  readonly observed?: Observed
  /** Misconfigured, and yet no failure: our key lacks a permission. */
  readonly scopeOnly?: boolean
  /** It asked to be left alone for so long: the next check comes no sooner. */
  readonly retryAfterMs?: number
}

/** Figures by name, each with its unit in the name. */
export type Measures = Readonly<Record<string, number>>

/** What is known about a dependency. `unknown`: a check has begun and gave no answer in time. */
export interface ProbeResult<Observed = Measures> {
  readonly name: string
  readonly status: HealthStatus
  readonly state: ProbeState
  readonly critical: boolean
  readonly latencyMs: number
  readonly checkedAt: Date
  /** For how long it is good, before jitter. */
  readonly ttlMs: number
  readonly output?: string
  readonly observed?: Observed
}

export interface Probe<Observed = Measures> {
  readonly name: string
  /** The newest result, checked again when it is too old; answers within `maxWaitMs` (2.3 s) whatever hangs. */
  read(maxWaitMs?: number): Promise<ProbeResult<Observed>>
  /** What is known, or undefined when that is nothing or long ago. Starts no check. */
  last(): ProbeResult<Observed> | undefined
}

export interface ProbeLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface ProbeOptions<Observed = Measures> {
  readonly name: string
  /** Whether its failure makes the whole service fail. */
  readonly critical: boolean
  readonly ttlMs: number
  /** For results that fail, so that a recovery is seen soon; a quarter of ttlMs unless given. */
  readonly failureTtlMs?: number
  /** The longest a check may take; then its signal fires and it counts as down. */
  readonly timeoutMs: number
  readonly clock: () => Date
  readonly check: (signal: AbortSignal) => Promise<ProbeFinding<Observed>>
  readonly log: ProbeLog
  readonly random?: () => number
}

// The contract is an answer within 2.5 s; the rest is for the way out.
const defaultMaxWaitMs = 2_300
const lastIsUsefulForTtls = 3

/**
 * A check of one dependency that may be asked for at any rate: it runs at most once per TTL (give or take a tenth, so
 * that replicas do not check in step) and once at a time, and nobody waits for one that hangs. Reports each change of
 * state once. No hysteresis: the monitors that watch the routes have their own.
 */
export function createProbe<Observed = Measures>(options: ProbeOptions<Observed>): Probe<Observed> {
  const { clock, critical, log, name, random = Math.random, ttlMs } = options
  let known: { readonly result: ProbeResult<Observed>; readonly goodForMs: number } | undefined
  let underway: Promise<ProbeResult<Observed>> | undefined

  const ageMs = (result: ProbeResult<Observed>): number => clock().getTime() - result.checkedAt.getTime()
  const isFresh = (): boolean => {
    if (known === undefined) return false
    const age = ageMs(known.result)
    return age >= 0 && age < known.goodForMs // a clock that was set back must not keep a result for ever
  }
  const check = async (): Promise<ProbeResult<Observed>> => {
    const startedAt = performance.now()
    const finding = await runCheck(options)
    const result = toResult(options, finding, Math.round(performance.now() - startedAt))
    reportChange(log, known?.result, result)
    known = { result, goodForMs: Math.max(result.ttlMs * (0.9 + 0.2 * random()), finding.retryAfterMs ?? 0) }
    return result
  }
  return {
    name,
    last: () => {
      if (known === undefined) return undefined
      const usefulForMs = Math.max(known.goodForMs, lastIsUsefulForTtls * ttlMs)
      return ageMs(known.result) < usefulForMs ? known.result : undefined
    },
    read: async (maxWaitMs = defaultMaxWaitMs) => {
      if (known !== undefined && isFresh()) return known.result
      underway ??= check().finally(() => {
        underway = undefined
      })
      return await settleWithin(underway, maxWaitMs, () => {
        if (known !== undefined) return toStale(known.result)
        return {
          name,
          status: 'fail',
          state: 'unknown',
          critical,
          latencyMs: maxWaitMs,
          checkedAt: clock(),
          ttlMs: 0,
          output: 'no answer in time',
        }
      })
    },
  }
}

/** Never throws and never outlasts timeoutMs, even where the check ignores its signal: then its late answer is lost. */
async function runCheck<Observed>({ check, timeoutMs }: ProbeOptions<Observed>): Promise<ProbeFinding<Observed>> {
  const controller = new AbortController()
  try {
    return await settleWithin(check(controller.signal), timeoutMs, () => {
      controller.abort()
      return { state: 'down', output: `no answer within ${timeoutMs} ms` }
    })
  } catch (thrown) {
    // Messages of drivers and of the network stack carry addresses and user names; codes do not.
    return { state: 'down', output: `the check failed (${codeOf(toError(thrown))})` }
  }
}

function toResult<Observed>(
  { clock, critical, failureTtlMs, name, ttlMs }: ProbeOptions<Observed>,
  finding: ProbeFinding<Observed>,
  latencyMs: number,
): ProbeResult<Observed> {
  const { observed, output, state } = finding
  const status = statusOf(finding)
  return {
    name,
    status,
    state,
    critical,
    latencyMs,
    checkedAt: clock(),
    ttlMs: status === 'fail' ? (failureTtlMs ?? ttlMs / 4) : ttlMs,
    ...(output === undefined ? {} : { output }),
    ...(observed === undefined ? {} : { observed }),
  }
}

function statusOf({ output, retryAfterMs, scopeOnly, state }: ProbeFinding<unknown>): HealthStatus {
  if (state === 'misconfigured' && scopeOnly === true) return 'warn'
  if (state === 'down' || state === 'misconfigured') return 'fail'
  if (state === 'disabled') return 'pass'
  return state === 'up' && output === undefined && retryAfterMs === undefined ? 'pass' : 'warn'
}

/** A failure stays one until a check says otherwise; anything else is in doubt. */
function toStale<Observed>(last: ProbeResult<Observed>): ProbeResult<Observed> {
  const output = `no answer in time; the last one was ${last.state}`
  if (last.status === 'fail') return { ...last, ttlMs: 0, output }
  return { ...last, ttlMs: 0, status: 'warn', state: 'unknown', output }
}

function reportChange(log: ProbeLog, before: ProbeResult<unknown> | undefined, now: ProbeResult<unknown>): void {
  if (before?.state === now.state) return
  if (before === undefined && now.status === 'pass') return
  const fields = { probe: now.name, from: before?.state, to: now.state, output: now.output, latencyMs: now.latencyMs }
  if (now.status === 'fail') log.warn(fields, 'probe changed')
  else log.info(fields, 'probe changed')
}

async function settleWithin<T>(promise: Promise<T>, limitMs: number, otherwise: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<T>(resolve => {
    timer = setTimeout(() => {
      resolve(otherwise())
    }, limitMs)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

function codeOf(err: Error): string {
  const code = 'code' in err ? err.code : err.name
  return typeof code === 'string' && /^\w{2,40}$/.test(code) ? code : 'no error code'
}
