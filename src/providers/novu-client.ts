import { AsyncLocalStorage } from 'node:async_hooks'
import type { Novu } from '@novu/api'
import { toError } from '../errors.ts'
import { limitTime } from '../time-limit.ts'
import type { Fetch } from './http.ts'

export interface NovuClient {
  /**
   * Makes one request through the official SDK and says what came of it; an answer of the vendor is no exception here.
   * Throws only for a mistake of ours, before anything was sent.
   */
  ask(request: NovuRequest, signal: AbortSignal): Promise<Asked>
  /** As `ask`, for a GET that needs no SDK: `path` is what follows the API's address. */
  get(path: string, signal: AbortSignal): Promise<Asked>
}

export type NovuRequest = (novu: Novu) => Promise<unknown>

/** What came of a request, as it was on the wire. */
export interface Asked {
  /** False when it never left this process. */
  readonly sent: boolean
  readonly status: number | undefined
  /** Of a whole answer that is JSON, without the envelope around it; undefined for any other. */
  readonly body: unknown
  readonly retryAfter: string | null
  /** The vendor repeats its answer to an earlier request with the same idempotency key. */
  readonly replayed: boolean
  /** Why there is no whole answer. */
  readonly error: Error | undefined
}

export interface NovuClientOptions {
  readonly url: string
  readonly secretKey: string
  readonly fetch: Fetch
  readonly timeoutMs: number
}

interface Call {
  /** Ends the request. */
  readonly cut: AbortSignal
  sent: boolean
  status: number | undefined
  text: string | undefined
  retryAfter: string | null
  replayed: boolean
  error: Error | undefined
}

/** The SDK, imported and built at the first request: importing it costs half a second and 70 MB. */
export function createNovuClient(options: NovuClientOptions): NovuClient {
  const calls = new AsyncLocalStorage<Call>()
  let loading: Promise<Novu> | undefined
  return {
    ask: async (request, signal) => {
      const novu = await (loading ??= load(options, calls))
      return await note(options, signal, async call => await calls.run(call, async () => await request(novu)))
    },
    get: async (path, signal) => {
      const headers = { authorization: `ApiKey ${options.secretKey}` }
      const request = new Request(`${options.url}${path}`, { headers })
      return await note(options, signal, async call => await fetchNoted(options.fetch, request, call))
    },
  }
}

async function note(
  { timeoutMs }: NovuClientOptions,
  signal: AbortSignal,
  work: (call: Call) => Promise<unknown>,
): Promise<Asked> {
  // For the whole call, its answer included. It is not handed to the SDK, whose requests may lose it.
  const deadline = limitTime(timeoutMs, signal)
  const call: Call = {
    cut: deadline.signal,
    sent: false,
    status: undefined,
    text: undefined,
    retryAfter: null,
    replayed: false,
    error: undefined,
  }
  try {
    await work(call)
  } catch (thrown) {
    // The SDK refuses whole answers for one field that it does not know; what the wire said is what counts.
    if (!call.sent && !deadline.signal.aborted) throw toError(thrown)
    call.error ??= toError(thrown)
  } finally {
    deadline.clear()
  }
  const { error, replayed, retryAfter, sent, status, text } = call
  return { sent, status, body: readBody(text), retryAfter, replayed, error }
}

async function load(options: NovuClientOptions, calls: AsyncLocalStorage<Call>): Promise<Novu> {
  const { HTTPClient, Novu } = await import('@novu/api')
  return new Novu({
    secretKey: options.secretKey,
    serverURL: options.url,
    // Its own retries go on for an hour and do not stop for a signal: all retries are ours.
    retryConfig: { strategy: 'none' },
    httpClient: new HTTPClient({
      fetcher: async input => await fetchNoted(options.fetch, input as Request, calls.getStore()),
    }),
  })
}

/**
 * The fetch under the SDK. It unpacks the platform's own request, which undici's fetch refuses, and gives back a platform
 * response, without which the SDK's checks of failures fail.
 */
async function fetchNoted(fetch: Fetch, request: Request, call: Call | undefined): Promise<Response> {
  if (call === undefined) throw new Error('a request to novu was made past its client')
  const { method, url } = request
  call.cut.throwIfAborted()
  const body = method === 'GET' ? null : await request.text()
  const headers = [...request.headers].filter(([name, value]) => name !== 'cookie' || value !== '')
  call.sent = true
  try {
    const response = await fetch(url, { method, headers, body, signal: call.cut, redirect: 'manual' })
    call.status = response.status
    call.retryAfter = response.headers.get('retry-after')
    call.replayed = response.headers.get('idempotency-replay') === 'true'
    call.text = await response.text()
    return new Response(hasBody(response.status) ? call.text : null, {
      status: response.status,
      headers: [...response.headers],
    })
  } catch (thrown) {
    call.error = toError(thrown)
    throw call.error
  }
}

function hasBody(status: number): boolean {
  return status !== 204 && status !== 205 && status !== 304
}

/** Novu wraps most answers in `{ data }`, and none of those that have more fields. */
function readBody(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    const body: unknown = JSON.parse(text)
    const isEnvelope = typeof body === 'object' && body !== null && 'data' in body && Object.keys(body).length === 1
    return isEnvelope ? body.data : body
  } catch {
    return undefined
  }
}
