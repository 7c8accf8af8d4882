import type { Test } from 'tap'
import { startClerk } from '../../src/sandbox/clerk.ts'
import { startNovu } from '../../src/sandbox/novu.ts'
import { startPosthog } from '../../src/sandbox/posthog.ts'
import { startQstash } from '../../src/sandbox/qstash.ts'
import { startResend } from '../../src/sandbox/resend.ts'
import type { Fault } from '../../src/sandbox/stand-in.ts'
import { startStripe, type StripeFault } from '../../src/sandbox/stripe.ts'
import { signingKeys } from './app.ts'

/** What a vendor does to every call from now on. */
export type Trouble = 'none' | 'slow' | 'hanging' | '401' | '403' | '429' | '500' | 'reset' | 'garbage'

export interface Vendor {
  /** How many calls came in since it started. */
  readonly asked: () => number
  readonly trouble: (trouble: Trouble) => void
}

export const vendorNames = ['stripe', 'qstash', 'clerk', 'novu', 'resend', 'posthog'] as const
export type VendorName = (typeof vendorNames)[number]

export const slowMs = 1_200
export const retryAfterSeconds = 700

const secrets = {
  STRIPE_SECRET_KEY: 'rk_test_plantedStripeKey4711',
  QSTASH_TOKEN: 'planted-qstash-token-4712',
  CLERK_SECRET_KEY: 'planted-clerk-key-4713',
  NOVU_SECRET_KEY: 'planted-novu-key-4714',
  RESEND_API_KEY: 're_planted-4715',
  POSTHOG_KEY: 'phc_planted-4716',
}

/** The stand-ins of every probed vendor, and an environment that points at them; `secrets` must appear nowhere. */
export async function startVendors(t: Test) {
  const open = <Part extends { close: () => Promise<void> }>(part: Part): Part => {
    t.teardown(async () => await part.close())
    return part
  }
  const stripe = open(await startStripe({ secretKey: secrets.STRIPE_SECRET_KEY }))
  const qstash = open(await startQstash({ token: secrets.QSTASH_TOKEN, keys: signingKeys }))
  const clerk = open(await startClerk({ secretKey: secrets.CLERK_SECRET_KEY }))
  const novu = open(await startNovu({ secretKey: secrets.NOVU_SECRET_KEY }))
  const resend = open(await startResend({ apiKey: secrets.RESEND_API_KEY }))
  const posthog = open(await startPosthog({ key: secrets.POSTHOG_KEY }))
  const env = {
    ...secrets,
    STRIPE_API_BASE_URL: stripe.url,
    QSTASH_URL: qstash.url,
    CLERK_API_URL: clerk.url,
    NOVU_BASE_URL: novu.url,
    RESEND_BASE_URL: resend.url,
    POSTHOG_HOST: posthog.url,
  }
  const vendors: Record<VendorName, Vendor> = {
    stripe: {
      asked: () => stripe.calls().filter(call => call.path === '/v1/balance').length,
      trouble: trouble => {
        stripe.clearFaults()
        const fault = stripeFaults[trouble]
        if (fault !== undefined) stripe.inject({ ...fault, path: '/v1/balance', times: 1_000 })
      },
    },
    qstash: {
      asked: () => qstash.apiCalls().length,
      trouble: trouble => {
        qstash.faults.clear()
        const react = qstashReactions[trouble]
        if (react !== undefined) qstash.faults.failApiCalls(/globalParallelism/, react, 1_000)
      },
    },
    clerk: { asked: () => clerk.asked(), trouble: trouble => clerk.setFault(plainFaults[trouble]) },
    novu: {
      // Its workflows are compared too, and what that meets is told for longer.
      asked: () => novu.asked().filter(({ query }) => query === 'limit=1').length,
      trouble: trouble => {
        novu.clearFaults()
        const fault = novuFaults[trouble]
        if (fault !== undefined) novu.inject({ ...fault, query: 'limit=1', times: 1_000 })
      },
    },
    resend: { asked: () => resend.asked(), trouble: trouble => resend.setFault(plainFaults[trouble]) },
    posthog: { asked: () => posthog.asked(), trouble: trouble => posthog.setFault(plainFaults[trouble]) },
  }
  return { env, vendors, resend, posthog, secrets: Object.values(secrets) }
}

const retryAfter = String(retryAfterSeconds)

const plainFaults: Readonly<Record<Trouble, Fault | undefined>> = {
  none: undefined,
  slow: { kind: 'slow', delayMs: slowMs },
  hanging: { kind: 'hang' },
  '401': { kind: 'status', status: 401 },
  '403': { kind: 'status', status: 403 },
  '429': { kind: 'status', status: 429, retryAfter },
  '500': { kind: 'status', status: 500 },
  reset: { kind: 'reset' },
  garbage: { kind: 'garbage' },
}

const stripeFaults: Readonly<Record<Trouble, StripeFault | undefined>> = {
  none: undefined,
  slow: { kind: 'slow', delayMs: slowMs },
  hanging: { kind: 'freeze', executed: false },
  '401': { kind: 'unauthorized' },
  '403': { kind: 'forbidden' },
  // Stripe does not say for how long.
  '429': { kind: 'limit' },
  '500': { kind: 'error', executed: false, stored: false },
  reset: { kind: 'drop', executed: false },
  garbage: { kind: 'html', executed: false, status: 200 },
}

const novuFaults = {
  none: undefined,
  slow: { kind: 'slow', delayMs: slowMs },
  hanging: { kind: 'hang', taken: false },
  '401': { kind: 'unauthorized' },
  '403': { kind: 'unauthorized', status: 403 },
  '429': { kind: 'limit', retryAfter },
  '500': { kind: 'error', taken: false },
  reset: { kind: 'reset', taken: false },
  garbage: { kind: 'garbage', taken: false },
} as const

const qstashReactions = {
  none: undefined,
  slow: { delayMs: slowMs },
  hanging: 'hang',
  '401': { status: 401, headers: {} },
  '403': { status: 403, headers: {} },
  '429': { status: 429, headers: { 'Retry-After': retryAfter } },
  '500': { status: 500, headers: {} },
  reset: 'reset',
  garbage: { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html><p>not what you asked for' },
} as const
