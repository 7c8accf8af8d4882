import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Stripe } from 'stripe'
import type { Test } from 'tap'
import { startStripe, type StripeOptions, type StripeStandIn } from '../../src/sandbox/stripe.ts'

const file = new URL('../../../shared/data/stripe-openapi-subset.json', import.meta.url)

/** Why answers are not compared with Stripe's description; false when it is there. */
export const specMissing = existsSync(file)
  ? false
  : 'there is no ../shared/data/stripe-openapi-subset.json beside this checkout'

/** Where Stripe's description is, for `startStripe`; undefined when it is not there. */
export const specPath = specMissing === false ? fileURLToPath(file) : undefined

export const noon = new Date('2026-10-01T12:00:00Z')

/** A stand-in whose clock stands still and whose answers are compared with Stripe's description, and the official SDK that asks it, without retries of its own. */
export async function stripeWorld(
  t: Test,
  options: StripeOptions = {},
): Promise<{ stripe: StripeStandIn; sdk: Stripe }> {
  const stripe = await startStripe({ clock: () => noon, specPath, ...options })
  t.teardown(stripe.close)
  return { stripe, sdk: connectStripe(stripe) }
}

/** Fails the test at its end when we asked, or were answered, what Stripe's description does not allow. */
export function requireDescribed(t: Test, { invalid }: Pick<StripeStandIn, 'invalid'>): void {
  t.teardown(() => {
    const wrong = invalid()
    if (wrong.length > 0) throw new Error(`not as Stripe describes it: ${wrong.join('; ')}`)
  })
}

export function connectStripe(
  { secretKey, url }: Pick<StripeStandIn, 'secretKey' | 'url'>,
  settings: { readonly key?: string; readonly timeoutMs?: number; readonly retries?: number } = {},
): Stripe {
  const { hostname, port } = new URL(url)
  return new Stripe(settings.key ?? secretKey, {
    host: hostname,
    port,
    protocol: 'http',
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: settings.retries ?? 0,
    timeout: settings.timeoutMs ?? 5_000,
    telemetry: false,
  })
}

export interface Refused {
  readonly type: string
  readonly status: number | undefined
  readonly code: string | undefined
  readonly param: string | undefined
  readonly message: string
  readonly replayed: boolean
}

/** What a call was refused with, or the answer that it should not have got. */
export async function refusalOf(call: Promise<unknown>): Promise<Refused | { readonly answer: unknown }> {
  return await call.then(
    answer => ({ answer }),
    (err: Stripe.errors.StripeError) => ({
      type: err.type,
      status: err.statusCode,
      code: err.code,
      param: err.param,
      message: err.message,
      replayed: isReplay(err.headers),
    }),
  )
}

/** With its fetch client the SDK gives the headers of an answer as Headers, and those of an error as a plain object. */
export function isReplay(headers: unknown): boolean {
  const found = headers instanceof Headers ? Object.fromEntries(headers) : headers
  return (found as Record<string, string> | undefined)?.['idempotent-replayed'] === 'true'
}
