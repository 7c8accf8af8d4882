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
  /** For one try, its whole answer included; 60 s unless given. */
  readonly timeoutMs?: number
  /** What the vendor's own Terraform provider holds itself to, 8 calls in a second, unless given. */
  readonly callsPerSecond?: number
  /** Waits between tries; a real pause unless given. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Below the address, or whole on the same origin. */
  readonly target: string
  readonly body?: Readonly<Record<string, unknown>>
}

/** What one call came to. `status` is missing where no whole answer came. */
export type Answered =
  | { readonly status: number; readonly body: unknown; readonly reason: string; readonly retryAfterMs?: number }
  | { readonly status?: undefined; readonly reason: string; readonly mayStillArrive: boolean }

export type Calls = (call: Call, signal: AbortSignal) => Promise<Answered>

const usualCallsPerSecond = 8
const tries = 4
const firstWaitMs = 1_000
const throttledWaitMs = 10_000
const longestWaitMs = 300_000
const maxAnswerBytes = 16 * 1024 * 1024
const timedOut = new Error('no answer in time')

/**
 * Calls of Better Stack's API (betterstack.com/docs/uptime/api): at most 8 in a second, no redirect followed, and tried
 * again on 429, 5xx and broken connections, except a POST, which is sent once. Throws KeyRefusedError on 401 and 403.
 */
export function createCalls(access: BetterStackAccess): Calls {
  const { callsPerSecond = usualCallsPerSecond, wait = pause } = access
  const limiter = createLimiter({ limit: callsPerSecond, intervalMs: 1_000 })
  return async (call, signal) => {
    const most = call.method === 'POST' ? 1 : tries
    for (let attempt = 1; ; attempt += 1) {
      await limiter.takeTurn('', signal)
      const answered = await send(access, call, signal)
      if (answered.status === 401 || answered.status === 403) throw refuseKey(answered.status, answered.reason)
      if (attempt === most || !mayPass(answered.status)) return answered
      const retryAfterMs = answered.status === undefined ? undefined : answered.retryAfterMs
      const grown = (answered.status === 429 ? throttledWaitMs : firstWaitMs) * 2 ** (attempt - 1)
      await wait(retryAfterMs ?? Math.min(grown, longestWaitMs), signal)
    }
  }
}

function mayPass(status: number | undefined): boolean {
  return status === undefined || status === 429 || status >= 500
}

function refuseKey(status: number, reason: string): Error {
  const advice =
    status === 401
      ? 'is BETTERSTACK_API_TOKEN an Uptime API token of this team?'
      : 'the token may only read, or the plan does not include this'
  return new KeyRefusedError(`Better Stack refused our token (${reason}): ${advice}`)
}

async function send(
  { fetch, timeoutMs = 60_000, token, url }: BetterStackAccess,
  { body, method, target }: Call,
  signal: AbortSignal,
): Promise<Answered> {
  const limit = limitTime(timeoutMs, signal)
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
    signal.throwIfAborted()
    const wasLate = limit.signal.aborted
    return { reason: wasLate ? timedOut.message : `no answer (${codeOf(thrown)})`, mayStillArrive: wasLate }
  } finally {
    limit.clear()
  }
}

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
  return headers.flatMap(({ value }: { value?: unknown }) => (typeof value === 'string' ? [value] : []))
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
