import type { Fetch } from './http.ts'

export interface HeartbeatPing {
  /** The heartbeat's full address: a secret, because whoever has it can fake the job's health. */
  readonly url: string
  readonly kind: 'success' | 'fail'
  /** Shown with the incident; null sends none. */
  readonly body: string | null
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** What one try came to. `reason` is for logs and people: it holds no address and no text of the other side. */
export type SendResult =
  | { readonly outcome: 'delivered' }
  /** The same ping can never arrive: unknown heartbeat, refused, or moved elsewhere. */
  | { readonly outcome: 'permanent'; readonly reason: string }
  /** May arrive later; `retryAfterMs` is how long the other side asked us to wait, at most five minutes; null when it did not say. */
  | { readonly outcome: 'retryable'; readonly reason: string; readonly retryAfterMs: number | null }

export interface HeartbeatSender {
  /** Tries once. Never throws. */
  send(ping: HeartbeatPing): Promise<SendResult>
  /** A heartbeat's address as logs may show it: its host and the last four characters of its token. */
  describe(url: string): string
}

const maxBodyBytes = 10_000
const maxAnswerBytes = 16_384
const maxRetryAfterMs = 5 * 60_000
const timedOut = new Error('no answer in time')

/**
 * Sends pings to Better Stack heartbeats or anything that answers like them
 * (betterstack.com/docs/uptime/cron-and-heartbeat-monitor): GET without a body, POST with one, `/fail` behind the
 * address for a failure. Redirects are not followed.
 */
export function createHeartbeatSender({ fetch }: { readonly fetch: Fetch }): HeartbeatSender {
  return {
    describe: describeHeartbeat,
    send: async ping => {
      const limit = new AbortController()
      const timer = setTimeout(() => limit.abort(timedOut), ping.timeoutMs)
      // Not AbortSignal.any: the caller's signal lives as long as the process and would collect one follower per ping.
      const giveUp = (): void => limit.abort()
      ping.signal?.addEventListener('abort', giveUp)
      if (ping.signal?.aborted === true) giveUp()
      try {
        const request = toRequest(ping.body)
        const response = await fetch(addressOf(ping), { ...request, redirect: 'manual', signal: limit.signal })
        await drain(response)
        return judge(response)
      } catch (thrown) {
        return { outcome: 'retryable', reason: nameFailure(thrown), retryAfterMs: null }
      } finally {
        clearTimeout(timer)
        ping.signal?.removeEventListener('abort', giveUp)
      }
    },
  }
}

function describeHeartbeat(url: string): string {
  if (!URL.canParse(url)) return 'unreadable address'
  const { host, pathname } = new URL(url)
  const token = pathname.split('/').findLast(segment => segment !== '') ?? ''
  return token.length < 12 ? host : `${host} …${token.slice(-4)}`
}

type Answer = Awaited<ReturnType<Fetch>>

function addressOf({ kind, url }: HeartbeatPing): string {
  const address = url.replace(/\/+$/, '')
  return kind === 'fail' ? `${address}/fail` : address
}

function toRequest(body: string | null) {
  const headers = { 'user-agent': 'eleva-jobs' }
  if (body === null) return { method: 'GET', headers }
  return { method: 'POST', headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' }, body: cutBody(body) }
}

/** The end of a long text says why it failed, so the beginning goes; never half a character. */
function cutBody(text: string): Uint8Array {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxBodyBytes) return bytes
  const notice = Buffer.from(`[cut: the end of ${bytes.length} bytes]\n`)
  let start = bytes.length - (maxBodyBytes - notice.length)
  while (((bytes[start] ?? 0) & 0b1100_0000) === 0b1000_0000) start += 1
  return Buffer.concat([notice, bytes.subarray(start)])
}

/** Reads the answer so that its connection can be used again; a long one is cut off. The status alone decides. */
async function drain({ body }: Answer): Promise<void> {
  if (body === null) return
  let read = 0
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      read += chunk.byteLength
      if (read > maxAnswerBytes) return
    }
  } catch {
    // The status has arrived; how the rest of the answer ended changes nothing.
  }
}

function judge({ headers, status }: Answer): SendResult {
  if (status >= 200 && status < 300) return { outcome: 'delivered' }
  const reason = `status ${status}`
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    return {
      outcome: 'retryable',
      reason,
      retryAfterMs: parseRetryAfter(headers.get('retry-after'), headers.get('date')),
    }
  }
  return { outcome: 'permanent', reason }
}

/** Seconds, or a date: that one is measured against the other side's own clock. */
function parseRetryAfter(value: string | null, sentAt: string | null): number | null {
  if (value === null) return null
  const isDate = value.endsWith(' GMT')
  if (!isDate && !/^\d+$/.test(value)) return null
  const waitMs = isDate ? Date.parse(value) - Date.parse(sentAt ?? '') : Number(value) * 1000
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(waitMs, 0), maxRetryAfterMs)
}

/** The code or the class of a network error and nothing else: messages may quote the address. */
function nameFailure(thrown: unknown): string {
  if (thrown === timedOut) return timedOut.message
  let name = 'unknown'
  for (let err = thrown, depth = 0; err instanceof Error && depth < 5; err = err.cause, depth += 1) {
    if (err.name === 'AbortError') return 'given up'
    const code = 'code' in err ? err.code : undefined
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) return `network error ${code}`
    if (/^[A-Za-z]{1,40}$/.test(err.name)) name = err.name
  }
  return `network error ${name}`
}
