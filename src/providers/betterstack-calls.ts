import { setTimeout as sleep } from 'node:timers/promises'
import { KeyRefusedError, toError } from '../errors.ts'
import { limitTime } from '../time-limit.ts'
import { readFailure } from './betterstack-failure.ts'
import type { Fetch } from './http.ts'
import { createLimiter } from './limiter.ts'

export interface BetterStackAccess {
  /** Without a slash at the end. */
  readonly url: string
  readonly token: string
  readonly fetch: Fetch
  /** For one try, its whole answer included; 25 s unless given. */
  readonly timeoutMs?: number
  /** What the vendor's own Terraform provider holds itself to, 8 calls in a second, unless given. */
  readonly callsPerSecond?: number
  /** Waits between tries; a real pause unless given. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
  /** Hears of each wait before it begins, in words without secrets. */
  readonly onWait?: (text: string) => void
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Below the address, or whole on the same origin. */
  readonly target: string
  readonly body?: Readonly<Record<string, unknown>>
}

/** What one call came to. `status` is missing where no whole answer came; `wasSent`: the vendor may have heard it. */
export type Answered =
  | { readonly status: number; readonly body: unknown; readonly reason: string; readonly retryAfterMs?: number }
  | { readonly status?: undefined; readonly reason: string; readonly wasSent: boolean }

export type Calls = (call: Call, signal: AbortSignal) => Promise<Answered>

const usualCallsPerSecond = 8
// Shorter than the nets of `createHttp`, so that it is ours that ends a call.
const usualTimeoutMs = 25_000
const tries = 4
// Whoever says nothing for so long will hardly say something the third time, and a person waits.
const triesInSilence = 2
const firstWaitMs = 1_000
const throttledWaitMs = 10_000
const longestWaitMs = 300_000
const maxAnswerBytes = 16 * 1024 * 1024
const timedOut = new Error('no answer in time')

/**
 * Calls of Better Stack's API (betterstack.com/docs/uptime/api): at most 8 in a second, no redirect followed, and tried
 * again on 429, 5xx and broken connections, except a POST, which is sent once; all waits together last 5 minutes at most.
 * The signal stops a read at once, and a write before it is sent: one that has been sent ends by itself. Throws
 * KeyRefusedError on 401 and 403.
 */
export function createCalls(access: BetterStackAccess): Calls {
  const { callsPerSecond = usualCallsPerSecond, onWait = () => {}, wait = pause } = access
  const limiter = createLimiter({ limit: callsPerSecond, intervalMs: 1_000 })
  let patienceMs = longestWaitMs
  return async (call, signal) => {
    const isRead = call.method === 'GET'
    await limiter.takeTurn('', signal)
    for (let attempt = 1; ; attempt += 1) {
      const answered = await send(access, call, isRead ? signal : undefined)
      if (answered.status === 401 || answered.status === 403) throw refuseKey(call, answered.status, answered.reason)
      const waitMs = planWait(call, answered, attempt)
      if (waitMs === undefined || waitMs > patienceMs || (signal.aborted && !isRead)) return answered
      patienceMs -= waitMs
      onWait(`Better Stack: ${describe(answered)}; trying again in ${Math.ceil(waitMs / 1_000)} s`)
      const isOver = await stopsDuring(signal, async () => {
        await wait(waitMs, signal)
        await limiter.takeTurn('', signal)
      })
      if (isOver && !isRead) return answered
      signal.throwIfAborted()
    }
  }
}

/** How long to wait before the next try; undefined: there is none. */
function planWait({ method }: Call, answered: Answered, attempt: number): number | undefined {
  const { status } = answered
  if (method === 'POST' || !(status === undefined || status === 429 || status >= 500)) return undefined
  if (attempt >= (answered.reason === timedOut.message ? triesInSilence : tries)) return undefined
  const asked = status === undefined ? undefined : answered.retryAfterMs
  return asked ?? (status === 429 ? throttledWaitMs : firstWaitMs) * 2 ** (attempt - 1)
}

/** Not the vendor's own words: this is said while work goes on. */
function describe({ reason, status }: Answered): string {
  return status === undefined ? reason : `status ${status}`
}

async function stopsDuring(signal: AbortSignal, work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return false
  } catch (thrown) {
    if (signal.aborted) return true
    throw thrown
  }
}

function refuseKey({ target }: Call, status: number, reason: string): Error {
  const lesser = target.includes('/policies') ? ' (escalation policies: --no-policy makes do without)' : ''
  const advice =
    status === 401
      ? 'is BETTERSTACK_API_TOKEN an Uptime API token of this team?'
      : `the token may only read, or the plan does not include this${lesser}`
  // What it says to a token that it does not know is about its own pages.
  const said = status === 401 ? `status ${status}` : reason
  return new KeyRefusedError(`Better Stack refused our token (${said}): ${advice}`)
}

async function send(
  { fetch, timeoutMs = usualTimeoutMs, token, url }: BetterStackAccess,
  { body, method, target }: Call,
  signal: AbortSignal | undefined,
): Promise<Answered> {
  const limit = limitTime(timeoutMs, ...(signal === undefined ? [] : [signal]))
  try {
    const response = await fetch(new URL(target, url), {
      method,
      redirect: 'manual',
      signal: limit.signal,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${token}`,
        'user-agent': 'eleva-jobs',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await readText(response.body)
    const parsed = parse(text)
    const { status } = response
    const reason = readFailure(status, parsed, [token, ...listSecrets(body)])
    return { status, body: parsed, reason, ...readRetryAfter(response.headers.get('retry-after')) }
  } catch (thrown) {
    signal?.throwIfAborted()
    if (limit.signal.aborted) return { reason: timedOut.message, wasSent: true }
    const code = codeOf(thrown)
    return { reason: silences.has(code) ? timedOut.message : `no answer (${code})`, wasSent: !unreached.has(code) }
  } finally {
    limit.clear()
  }
}

// Before anything was written to anybody. Whatever else breaks a call, the vendor may have heard it.
const unreached: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])
const silences: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

async function readText(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxAnswerBytes) throw Object.assign(new Error('too long'), { code: 'ANSWER_TOO_LONG' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** Undefined where it is no JSON, which a proxy's page is not. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What we sent that an error of the vendor may repeat, and that nobody is to read. */
function listSecrets(body: Call['body']): string[] {
  const headers = body?.['request_headers']
  if (!Array.isArray(headers)) return []
  return headers.flatMap((header: { value?: unknown } | null) =>
    typeof header?.value === 'string' ? [header.value] : [],
  )
}

function readRetryAfter(header: string | null): { retryAfterMs?: number } {
  return /^\d{1,5}$/.test(header ?? '') ? { retryAfterMs: Math.min(Number(header) * 1000, longestWaitMs) } : {}
}

function codeOf(thrown: unknown): string {
  for (let err: unknown = toError(thrown), depth = 0; err instanceof Error && depth < 5; err = err.cause, depth += 1) {
    if ('code' in err && typeof err.code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(err.code)) return err.code
  }
  return 'connection broke'
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal })
}
