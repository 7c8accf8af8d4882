import type { Fetch } from './http.ts'
import { judgeRefusal } from './judge-refusal.ts'
import { isRecord, reach } from './reach.ts'
import type { Reachability } from './reachability.ts'
import { apiVersion } from './stripe-client.ts'

export interface StripeReachabilityOptions {
  readonly secretKey: string
  /** Scheme, host and port. Stripe's own address unless given. */
  readonly url?: string | undefined
  readonly fetch: Fetch
  /** 3 s unless given. */
  readonly timeoutMs?: number
}

/**
 * Stripe, asked for the platform's balance, whose amounts are thrown away: it names no person, and a restricted key that
 * can pay out can read it. Past the SDK, which is slow to load, and past the limiter, whose queue is no outage.
 */
export function createStripeReachability(options: StripeReachabilityOptions): Reachability {
  const { fetch, secretKey, timeoutMs = 3_000, url = 'https://api.stripe.com' } = options
  return {
    check: async signal =>
      await reach({
        fetch,
        url: `${url}/v1/balance`,
        headers: { authorization: `Bearer ${secretKey}`, 'stripe-version': apiVersion },
        timeoutMs,
        signal,
        isItsOwn: body => isRecord(body) && body['object'] === 'balance' && isOfMode(body['livemode'], secretKey),
        judge: status => {
          if (status !== 403) return judgeRefusal(status, { key: 'STRIPE_SECRET_KEY', address: 'STRIPE_API_BASE_URL' })
          const detail = 'our key may not read the balance (403), which payouts need: give it Balance, Read'
          return { state: 'misconfigured', scopeOnly: true, detail }
        },
      }),
  }
}

/** Whether the money is of the kind that the key is for. */
function isOfMode(livemode: unknown, secretKey: string): boolean {
  const mode = /^[rs]k_(live|test)_/.exec(secretKey)?.[1]
  return mode === undefined || livemode === (mode === 'live')
}
