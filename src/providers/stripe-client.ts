import { AsyncLocalStorage } from 'node:async_hooks'
import type { Stripe } from 'stripe'
import { Headers, type RequestInit, type Response } from 'undici'
import { limitTime } from '../time-limit.ts'
import type { Fetch } from './http.ts'
import type { Limiter } from './limiter.ts'
import { type Failure, readFailure } from './stripe-failure.ts'

/** The version that this code was written against: raising it is a change of its own, with the types it brings. */
export const apiVersion = '2026-10-28.endive'

export interface StripeClient {
  /**
   * Makes one request through the official SDK, and says what came of it: an answer of the vendor is no exception here.
   * Throws only for a mistake of ours, before anything was sent.
   */
  ask<T>(request: (stripe: Stripe) => Promise<T>, limits: AskLimits): Promise<Asked<T>>
}

export interface AskLimits {
  /** While it waits for its turn it ends at once; after that it has `graceMs` left. */
  readonly signal: AbortSignal
  /** From the moment the request leaves until its whole answer is there. */
  readonly timeoutMs: number
  readonly graceMs: number
  /** On the monotonic clock: after it nothing is sent any more. */
  readonly sendBefore?: number
}

export type Asked<T> =
  | {
      readonly kind: 'answered'
      readonly object: T
      readonly replayed: boolean
      readonly version: string | null
      /** By the vendor's clock. */
      readonly at: Date | undefined
    }
  | { readonly kind: 'failed'; readonly failure: Failure }

export interface StripeClientOptions {
  readonly secretKey: string
  /** Stripe's own address unless given; without a path. */
  readonly url?: string | undefined
  readonly fetch: Fetch
  readonly limiter: Limiter
}

/** What one request came to, noted by the fetch under the SDK, which itself keeps too little of it. */
export interface Call {
  readonly limits: AskLimits
  /** Cuts the request off once it is under way. */
  readonly cut: AbortSignal
  /** Its whole answer was read, or it was given up. */
  readonly done: AbortSignal
  sent: boolean
  status: number | undefined
  replayed: boolean
  version: string | null
  at: Date | undefined
  /** It was made on behalf of a Connect account, or asked for one. */
  ofAccount: boolean
}

// The SDK's own limit would count the wait for a turn; ours begins when the request leaves, in `fetchInTurn`.
const neverMs = 24 * 60 * 60 * 1000

/** The SDK, imported and built at the first request: importing it costs a fifth of a second (STYLE section 15). */
export function createStripeClient(options: StripeClientOptions): StripeClient {
  const calls = new AsyncLocalStorage<Call>()
  let loading: Promise<Stripe> | undefined
  return {
    ask: async (request, limits) => {
      const stripe = await (loading ??= load(options, calls))
      const done = new AbortController()
      const cut = limits.graceMs === 0 ? limits.signal : delay(limits.signal, limits.graceMs, done.signal)
      const call: Call = {
        limits,
        cut,
        done: done.signal,
        sent: false,
        status: undefined,
        replayed: false,
        version: null,
        at: undefined,
        ofAccount: false,
      }
      try {
        const object = await calls.run(call, async () => await request(stripe))
        const { at, replayed, status = 0, version } = call
        // The SDK takes an answer without an `error` for a success, whatever its status.
        if (status < 200 || status > 299) return { kind: 'failed', failure: readFailure(undefined, call) }
        return { kind: 'answered', object, replayed, version, at }
      } catch (thrown) {
        const givenUp = limits.signal.aborted || isTooLate(limits)
        if (!call.sent && !givenUp) throw thrown
        return { kind: 'failed', failure: readFailure(thrown, call) }
      } finally {
        done.abort()
      }
    },
  }
}

async function load(options: StripeClientOptions, calls: AsyncLocalStorage<Call>): Promise<Stripe> {
  const { Stripe } = await import('stripe')
  return new Stripe(options.secretKey, {
    apiVersion,
    // The SDK's retries neither know our signal nor 429: all retries are ours.
    maxNetworkRetries: 0,
    timeout: neverMs,
    telemetry: false,
    appInfo: { name: 'eleva-jobs' },
    // It calls with an address in a string; the types of undici and of Node differ in name.
    httpClient: Stripe.createFetchHttpClient(createFetchInTurn(options, calls) as unknown as typeof globalThis.fetch),
    ...(options.url === undefined ? {} : addressOf(options.url)),
  })
}

function addressOf(url: string) {
  const { hostname, port, protocol } = new URL(url)
  const scheme: 'http' | 'https' = protocol === 'http:' ? 'http' : 'https'
  return { host: hostname, port: port === '' ? { http: 80, https: 443 }[scheme] : Number(port), protocol: scheme }
}

/** Every request that the SDK makes passes here: it waits for its turn, and leaves with a true deadline. */
function createFetchInTurn({ fetch, limiter }: StripeClientOptions, calls: AsyncLocalStorage<Call>) {
  return async (url: string, init: RequestInit): Promise<Response> => {
    const call = calls.getStore()
    if (call === undefined) throw new Error('a request to stripe was made past its client')
    const { limits } = call
    await limiter.takeTurn(laneOf(url, init.method), limits.signal)
    if (isTooLate(limits)) throw new Error('the turn came too late')
    call.sent = true
    call.ofAccount = isOfAccount(url, init)
    const limit = limitTime(limits.timeoutMs, call.cut, ...(init.signal ? [init.signal] : []))
    call.done.addEventListener('abort', limit.clear, { once: true })
    const response = await fetch(url, { ...init, redirect: 'manual', signal: limit.signal })
    call.status = response.status
    call.replayed = response.headers.get('idempotent-replayed') === 'true'
    call.version = response.headers.get('stripe-version')
    call.at = readDate(response.headers.get('date'))
    return response
  }
}

function readDate(header: string | null): Date | undefined {
  const at = new Date(header ?? '')
  return Number.isNaN(at.getTime()) ? undefined : at
}

/** Stripe limits each endpoint by itself: `GET payment_intents` for any one of them. */
function laneOf(url: string, method = 'GET'): string {
  return `${method} ${new URL(url).pathname.split('/')[2] ?? ''}`
}

function isOfAccount(url: string, { headers }: RequestInit): boolean {
  return new Headers(headers).has('stripe-account') || /^\/v1\/accounts\/[^/]/.test(new URL(url).pathname)
}

function isTooLate({ sendBefore }: AskLimits): boolean {
  return sendBefore !== undefined && performance.now() > sendBefore
}

/** Fires that much later than `signal`, and not at all after `done`. */
function delay(signal: AbortSignal, ms: number, done: AbortSignal): AbortSignal {
  const delayed = new AbortController()
  const start = (): void => {
    const timer = setTimeout(() => {
      delayed.abort(signal.reason)
    }, ms)
    done.addEventListener('abort', () => clearTimeout(timer), { once: true })
  }
  signal.addEventListener('abort', start, { once: true, signal: done })
  return delayed.signal
}
