import type { Fetch } from './http.ts'
import { createLimiter } from './limiter.ts'
import type { PaymentReads, PaymentWrites } from './payments.ts'
import type { Reachability } from './reachability.ts'
import { createStripeClient } from './stripe-client.ts'
import { createStripeReachability } from './stripe-reachability.ts'
import { createReads } from './stripe-reads.ts'
import { createWebhookReads } from './stripe-webhooks.ts'
import { createWrites } from './stripe-writes.ts'
import type { WebhookReads } from './webhooks.ts'

export interface StripeOptions {
  readonly secretKey: string
  /** For a stand-in: scheme, host and port. Stripe's own address unless given. */
  readonly url?: string | undefined
  readonly fetch: Fetch
  /** Of one endpoint, as Stripe counts them; 25 unless given. */
  readonly requestsPerSecond?: number
  /** From the moment a write leaves until its whole answer is there; reads get half of it. 20 s unless given. */
  readonly timeoutMs?: number
  /** The first of the waits between tries; 500 ms unless given. */
  readonly retryMs?: number
}

/**
 * Stripe through its official SDK, with one limiter for everything that this process asks. Reads are for everybody;
 * writes are for the ledger alone, and a test watches over it.
 */
export function createStripe(options: StripeOptions): {
  readonly reads: PaymentReads
  readonly webhooks: WebhookReads
  readonly writes: PaymentWrites
  readonly reachability: Reachability
} {
  const { fetch, requestsPerSecond = 25, retryMs = 500, secretKey, timeoutMs = 20_000, url } = options
  const limiter = createLimiter({ limit: requestsPerSecond, intervalMs: 1000 })
  const client = createStripeClient({ secretKey, url, fetch, limiter })
  const reading = { client, live: isLiveKey(secretKey), timeoutMs: timeoutMs / 2, retryMs }
  return {
    reads: createReads(reading),
    webhooks: createWebhookReads(reading),
    writes: createWrites({ client, timeoutMs, retryMs }),
    reachability: createStripeReachability({ secretKey, url, fetch }),
  }
}

/** The key moves real money: its prefix says so. */
function isLiveKey(secretKey: string): boolean {
  return /^[sr]k_live_/.test(secretKey)
}
