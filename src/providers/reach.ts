import { toError } from '../errors.ts'
import { limitTime } from '../time-limit.ts'
import type { Fetch } from './http.ts'
import { networkCodeOf, readText } from './network.ts'
import type { Reached } from './reachability.ts'
import { readReset } from './read-reset.ts'

export interface ReachOptions {
  readonly fetch: Fetch
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Makes it a POST. */
  readonly body?: string
  /** For the whole answer, body included; the signal may end it sooner. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Whether the JSON of a success is the vendor's, and no page of something in between; not asked unless given. */
  readonly isItsOwn?: (body: unknown) => boolean
  /** What a 3xx or a 4xx other than 429 means here; `body` is its JSON, undefined where it is none or too long. */
  readonly judge: (status: number, body: unknown) => Omit<Reached, 'latencyMs'>
}

/** What came back, and for how long the vendor asked to be left alone, where it did. */
export type Asked = Reached & { readonly retryAfterMs?: number }

const maxBodyBytes = 64 * 1024
const maxRetryAfterMs = 900_000

/**
 * One call whose body is read up to 64 kB, judged and thrown away; it follows no redirect and never throws. What went
 * wrong is told by status or error code alone, because messages of the network stack carry addresses and sometimes
 * headers, and bodies whatever the vendor likes.
 */
export async function reach(options: ReachOptions): Promise<Asked> {
  const { signal, timeoutMs } = options
  const startedAt = performance.now()
  const limit = limitTime(timeoutMs, signal)
  const answer = await ask(options, limit.signal).catch((thrown: unknown) => {
    if (signal.aborted) return { state: 'down' as const, detail: 'no answer before the caller gave up' }
    if (limit.signal.aborted) return { state: 'down' as const, detail: `no answer within ${timeoutMs} ms` }
    return { state: 'down' as const, detail: `no answer (${networkCodeOf(toError(thrown))})` }
  })
  limit.clear()
  return { ...answer, latencyMs: Math.round(performance.now() - startedAt) }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function ask(options: ReachOptions, signal: AbortSignal): Promise<Omit<Asked, 'latencyMs'>> {
  const { body, fetch, headers, isItsOwn, judge, url } = options
  const response = await fetch(url, {
    // Some vendors turn away whoever does not say who they are.
    headers: { 'user-agent': 'eleva-jobs', accept: 'application/json', ...headers },
    redirect: 'manual',
    signal,
    ...(body === undefined ? {} : { method: 'POST', body }),
  })
  const { status } = response
  const answered = await readJson(response.body)
  if (status >= 500) return { state: 'down', detail: `answered ${status}` }
  if (status === 429) return judgeLimit(readRetryAfter(response.headers))
  if (status < 200 || status > 299) return judge(status, answered)
  if (isItsOwn !== undefined && !isItsOwn(answered))
    return { state: 'down', detail: `answered ${status} with something that is not its own` }
  return { state: 'up', detail: '' }
}

function judgeLimit(retryAfterMs: number | undefined): Omit<Asked, 'latencyMs'> {
  return {
    state: 'up',
    detail: 'answered 429: it asks us to call less often',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.min(retryAfterMs, maxRetryAfterMs) }),
  }
}

/** A moment is compared with the vendor's own clock. */
function readRetryAfter(headers: { get(name: string): string | null }): number | undefined {
  const now = new Date(headers.get('date') ?? '')
  return readReset(headers, Number.isNaN(now.getTime()) ? undefined : now)
}

/** Undefined where it is none, or too long. */
async function readJson(body: AsyncIterable<Uint8Array> | null): Promise<unknown> {
  const text = await readText(body, maxBodyBytes)
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
