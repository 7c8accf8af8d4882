import { setTimeout as sleep } from 'node:timers/promises'
import type { Schedules } from '@upstash/qstash'
import { KeyRefusedError, PermanentError, RetryLaterError, toError } from '../errors.ts'
import { limitTime } from '../time-limit.ts'
import type { Fetch } from './http.ts'
import { networkCodeOf, readText } from './network.ts'
import { readReset } from './read-reset.ts'

/** What the official SDK sends its requests with. */
export type Requester = ConstructorParameters<typeof Schedules>[0]
type Request = Parameters<Requester['request']>[0]

export interface QstashCallOptions {
  /** The region's address, without a slash at the end. */
  readonly url: string
  readonly token: string
  readonly fetch: Fetch
  readonly clock: () => Date
  /** For each try; 10 s unless given. */
  readonly timeoutMs?: number
  /** The longest that a 429 is waited for; 15 s unless given. With 0 nothing is tried twice. */
  readonly longestWaitMs?: number
  /** Told before each such wait. */
  readonly onWait?: (waitMs: number) => void
}

const maxBodyBytes = 8 * 1024 * 1024
// More than anybody is shown: cut here, a secret could lose the half by which it is known.
const maxSaid = 2_000
// A burst is over within seconds. Who is told to wait for longer has to come back.
const defaultLongestWaitMs = 15_000
// Unless a 429 says when there is room again.
const defaultWaitMs = 1_000
const mostTries = 4
const notWaitedFor = 'QStash was not waited for any longer'

/**
 * Sends the SDK's requests in the place of its own client, which has no deadline, follows redirects with the token, and
 * prints failures past the log. Waits for as long as a 429 says and tries again, three times at most; nothing else is
 * tried twice. Throws as `Schedules` in schedules.ts says.
 */
export function createRequester(options: QstashCallOptions, signal: AbortSignal): Requester {
  return {
    request: async <Result>(request: Request) => (await ask(options, request, signal)) as Result & { error?: string },
    requestStream: () => {
      throw new Error('nothing here reads a stream of QStash')
    },
  }
}

async function ask(options: QstashCallOptions, request: Request, signal: AbortSignal): Promise<unknown> {
  const { clock, longestWaitMs = defaultLongestWaitMs, onWait } = options
  for (let tries = 1; ; tries += 1) {
    const { headers, status, text } = await send(options, request, signal)
    if (status >= 200 && status < 300) return request.parseResponseAsJson === false ? undefined : parse(text)
    if (status !== 429) throw judge(status, text.replaceAll(options.token, '(our token)'))
    const waitMs = readReset(headers, clock()) ?? defaultWaitMs
    if (longestWaitMs === 0 || tries === mostTries || waitMs > longestWaitMs) {
      const seconds = Math.max(1, Math.ceil(waitMs / 1000))
      throw new RetryLaterError(`QStash answered 429: its limit of calls is used up for ${seconds} s`, seconds)
    }
    onWait?.(waitMs)
    await sleep(waitMs, undefined, { signal }).catch((thrown: unknown) => {
      throw new Error(notWaitedFor, { cause: thrown })
    })
  }
}

async function send(
  { fetch, timeoutMs = 10_000, token, url }: QstashCallOptions,
  request: Request,
  signal: AbortSignal,
) {
  const limit = limitTime(timeoutMs, signal)
  // The SDK's headers and body are of Node's fetch, which is another one than ours.
  const headers = new Headers(request.headers as ConstructorParameters<typeof Headers>[0])
  headers.set('authorization', `Bearer ${token}`)
  try {
    const response = await fetch([url, ...request.path].join('/'), {
      method: request.method ?? 'GET',
      headers: Object.fromEntries(headers),
      redirect: 'manual',
      signal: limit.signal,
      ...(typeof request.body === 'string' ? { body: request.body } : {}),
    })
    const text = await readText(response.body, maxBodyBytes)
    return { status: response.status, headers: response.headers, text: text ?? '' }
  } catch (thrown) {
    if (signal.aborted) throw new Error(notWaitedFor, { cause: thrown })
    if (limit.signal.aborted) throw new Error(`QStash did not answer within ${timeoutMs} ms`, { cause: thrown })
    throw new Error(`QStash did not answer (${networkCodeOf(toError(thrown))})`, { cause: thrown })
  } finally {
    limit.clear()
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (thrown) {
    throw new Error('QStash answered 200 with something that is no JSON', { cause: thrown })
  }
}

function judge(status: number, text: string): Error {
  if (status === 401 || status === 403) {
    return new KeyRefusedError(`QStash refuses our token (${status}): is QSTASH_TOKEN of the region of QSTASH_URL?`)
  }
  const said = readError(text)
  const message = `QStash answered ${status}${said === undefined ? '' : `: ${said}`}`
  if (status === 412) return new PermanentError(message, { code: 'quota' })
  if (status === 404) return new PermanentError(message, { code: 'absent' })
  return status >= 300 && status < 500 && status !== 408 ? new PermanentError(message) : new Error(message)
}

function readError(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown }
    return typeof error === 'string' ? error.slice(0, maxSaid) : undefined
  } catch {
    return undefined
  }
}
