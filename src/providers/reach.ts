import { toError } from '../errors.ts'
import type { Fetch } from './http.ts'
import type { Reached } from './reachability.ts'

export interface ReachOptions {
  readonly fetch: Fetch
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** For the whole answer, body included; the signal may end it sooner. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** What a 3xx or a 4xx other than 429 means here. */
  readonly judge: (status: number) => Pick<Reached, 'state' | 'detail'>
}

/** What came back, and for how long the vendor asked to be left alone, where it did. */
export type Asked = Reached & { readonly retryAfterMs?: number }

const maxBodyBytes = 64 * 1024
const maxRetryAfterSeconds = 900

/**
 * One GET whose body is read up to 64 kB and thrown away; it follows no redirect and never throws. What went wrong is
 * told by status or error code alone, because messages of the network stack carry addresses and sometimes headers.
 */
export async function reach(options: ReachOptions): Promise<Asked> {
  const { fetch, headers = {}, signal, timeoutMs, url } = options
  const startedAt = performance.now()
  const limit = AbortSignal.timeout(timeoutMs)
  const answer = await fetch(url, { headers, redirect: 'manual', signal: AbortSignal.any([signal, limit]) })
    .then(async response => {
      await discard(response.body)
      return judgeResponse(response.status, response.headers.get('retry-after'), options.judge)
    })
    .catch((thrown: unknown) => {
      if (limit.aborted) return { state: 'down' as const, detail: `no answer within ${timeoutMs} ms` }
      if (signal.aborted) return { state: 'down' as const, detail: 'no answer before the caller gave up' }
      return { state: 'down' as const, detail: `no answer (${codeOf(toError(thrown))})` }
    })
  return { ...answer, latencyMs: Math.round(performance.now() - startedAt) }
}

function judgeResponse(
  status: number,
  retryAfter: string | null,
  judge: ReachOptions['judge'],
): Omit<Asked, 'latencyMs'> {
  if (status >= 200 && status < 300) return { state: 'up', detail: '' }
  if (status >= 500) return { state: 'down', detail: `answered ${status}` }
  if (status !== 429) return judge(status)
  const seconds = /^\d+$/.test(retryAfter ?? '') ? Math.min(Number(retryAfter), maxRetryAfterSeconds) : undefined
  return {
    state: 'up',
    detail: 'answered 429: it asks us to call less often',
    ...(seconds === undefined ? {} : { retryAfterMs: seconds * 1000 }),
  }
}

/** Reading to the end lets the connection be used again; an endless body is cut off. */
async function discard(body: AsyncIterable<Uint8Array> | null): Promise<void> {
  if (body === null) return
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    // Leaving the loop cancels the body.
    if (bytes > maxBodyBytes) return
  }
}

function codeOf(err: Error): string {
  const cause = err.cause ?? err
  const code = typeof cause === 'object' && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' && /^\w{2,40}$/.test(code) ? code : 'no error code'
}
