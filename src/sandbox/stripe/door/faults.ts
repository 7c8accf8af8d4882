import type { State } from '../state.ts'
import { Refusal } from './refusal.ts'

/** What can go wrong with a request. */
export type StripeFault =
  /** The connection breaks without an answer. */
  | { readonly kind: 'drop'; readonly executed: boolean }
  /** The connection stays open and nothing comes. */
  | { readonly kind: 'freeze'; readonly executed: boolean }
  /** A 5xx in Stripe's shape; `stored` keeps it under the key for a day, whether the request was carried out or not. */
  | {
      readonly kind: 'error'
      readonly executed: boolean
      readonly stored: boolean
      /** 500 unless given. */
      readonly status?: number
      /** The Stripe-Should-Retry header, absent unless given. */
      readonly shouldRetry?: boolean
    }
  /** 429, before the key is looked at. */
  | { readonly kind: 'limit'; readonly code?: 'rate_limit' | 'lock_timeout' }
  /** 409, as if the key were at work elsewhere. */
  | { readonly kind: 'conflict' }
  /** Carried out, and half of the answer's body arrives before the connection breaks. */
  | { readonly kind: 'truncate' }
  /** A page of a proxy in place of the answer; 502 unless given. */
  | { readonly kind: 'html'; readonly executed: boolean; readonly status?: number }
  /** The key is at work meanwhile; carried out at the end, also when the caller has gone, unless `executes` is `first`. */
  | { readonly kind: 'slow'; readonly delayMs: number; readonly executes?: 'first' | 'last' }
  | { readonly kind: 'unauthorized' }
  /** Our key is a restricted one, and may not do this. */
  | { readonly kind: 'forbidden' }

/** Which requests it meets: all of them unless narrowed. */
export interface FaultScope {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  /** A whole path; `:id` stands for any one step. */
  readonly path?: string
  /** The Stripe-Account header; null for requests without one. */
  readonly account?: string | null
  /** How many requests it meets: one unless given. The SDK repeats some requests by itself, with the same key. */
  readonly times?: number
  /** How many requests in its scope pass first: none unless given. */
  readonly after?: number
}

export type FaultOrder = StripeFault & FaultScope

export interface Injected {
  readonly order: FaultOrder
  skips: number
  left: number
}

export interface Standing {
  /** How many more requests it will meet. */
  readonly left: () => number
  readonly remove: () => void
}

/** Puts a fault in front of the requests to come. Where several fit, the oldest goes first. */
export function injectFault({ faults }: State, order: FaultOrder): Standing {
  const injected: Injected = { order, skips: order.after ?? 0, left: order.times ?? 1 }
  faults.push(injected)
  return {
    left: () => injected.left,
    remove: () => {
      injected.left = 0
    },
  }
}

/** The fault that this request meets, counted. */
export function takeFault(
  state: State,
  request: { readonly method: string; readonly path: string; readonly account: string | undefined },
): StripeFault | undefined {
  for (const injected of state.faults) {
    if (injected.left <= 0 || !isMet(injected.order, request)) continue
    if (injected.skips > 0) {
      injected.skips -= 1
      continue
    }
    injected.left -= 1
    return injected.order
  }
  return undefined
}

// As Stripe says it to a restricted key, without any code.
const lacksPermission =
  "The provided key 'rk_test_***' does not have the required permissions for this endpoint. Having the " +
  "'rak_payout_write' permission would allow this request to continue."

/** The refusal that a fault is, where it comes before anything else. */
export function refusalOf(fault: StripeFault | undefined): Refusal | undefined {
  switch (fault?.kind) {
    case 'limit': {
      const code = fault.code ?? 'rate_limit'
      const message =
        code === 'rate_limit'
          ? 'Too many requests hit the API too quickly.'
          : 'This object cannot be accessed right now because another API request is accessing it.'
      return new Refusal(429, { type: 'invalid_request_error', code, message }, false)
    }
    case 'unauthorized':
      return new Refusal(
        401,
        { type: 'invalid_request_error', message: 'Invalid API Key provided: sk_test_***' },
        false,
      )
    case 'forbidden':
      return new Refusal(403, { type: 'invalid_request_error', message: lacksPermission }, false)
    case 'conflict':
    case 'drop':
    case 'error':
    case 'freeze':
    case 'html':
    case 'slow':
    case 'truncate':
    case undefined:
      return undefined
  }
}

function isMet(
  { account, method, path }: FaultOrder,
  request: { readonly method: string; readonly path: string; readonly account: string | undefined },
): boolean {
  if (method !== undefined && method !== request.method) return false
  if (account !== undefined && account !== (request.account ?? null)) return false
  return path === undefined || fits(path, request.path)
}

function fits(pattern: string, path: string): boolean {
  const steps = path.split('/')
  const wanted = pattern.split('/')
  return steps.length === wanted.length && wanted.every((step, at) => step.startsWith(':') || step === steps[at])
}
