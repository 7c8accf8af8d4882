import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { jobs } from '../jobs/index.ts'
import { graceSeconds, periodSeconds } from '../runner/slots.ts'
import type { BetterStackStandIn } from './betterstack.ts'
import type { ClerkStandIn } from './clerk.ts'
import { demoLimits } from './demo/money.ts'
import type { NovuStandIn } from './novu.ts'
import type { PosthogStandIn } from './posthog.ts'
import type { QstashStandIn } from './qstash.ts'
import type { ResendStandIn } from './resend.ts'
import type { SiteStandIn } from './site.ts'
import type { StripeStandIn } from './stripe.ts'

export interface EnvironmentParts {
  readonly betterStack: BetterStackStandIn
  readonly clerk: ClerkStandIn
  readonly databaseUrl: string
  readonly moneySince: Date
  readonly novu: NovuStandIn
  readonly operatorToken: string
  readonly port: number
  readonly posthog: PosthogStandIn
  readonly qstash: QstashStandIn
  readonly resend: ResendStandIn
  readonly site: SiteStandIn
  readonly stripe: StripeStandIn
}

const signingSecrets = [
  'STRIPE_WEBHOOK_SECRET',
  'STRIPE_CONNECT_WEBHOOK_SECRET',
  'STRIPE_IDENTITY_WEBHOOK_SECRET',
  'CLERK_WEBHOOK_SIGNING_SECRET',
]
const leaseSeconds = '10'
const drainSeconds = '5'

/** The environment as production reads it, with every vendor's address pointed at its stand-in. */
export function createEnvironment(parts: EnvironmentParts): Readonly<Record<string, string>> {
  const { betterStack, clerk, databaseUrl, moneySince, novu, operatorToken, port, posthog, qstash } = parts
  const { resend, site, stripe } = parts
  return {
    NODE_ENV: 'production',
    DATABASE_URL: databaseUrl,
    PORT: String(port),
    HOST: '127.0.0.1',
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    APP_URL: site.url,
    QSTASH_URL: qstash.url,
    QSTASH_TOKEN: qstash.token,
    QSTASH_CURRENT_SIGNING_KEY: qstash.keys.current,
    QSTASH_NEXT_SIGNING_KEY: qstash.keys.next,
    OPERATOR_TOKEN: operatorToken,
    STRIPE_SECRET_KEY: stripe.secretKey,
    STRIPE_API_BASE_URL: stripe.url,
    MONEY_SINCE: moneySince.toISOString(),
    MONEY_MAX_SINGLE: String(demoLimits.maxSingleCents),
    MONEY_MAX_TOTAL: String(demoLimits.maxTotalCents),
    // Of the site's routes; here it only matters that there are some.
    ...Object.fromEntries(signingSecrets.map(name => [name, `whsec_${randomBytes(16).toString('hex')}`])),
    NOVU_SECRET_KEY: novu.secretKey,
    NOVU_BASE_URL: novu.url,
    NOVU_ADMIN_SUBSCRIBER_ID: 'admin',
    BETTERSTACK_API_TOKEN: betterStack.apiToken,
    BETTERSTACK_API_BASE_URL: betterStack.url,
    CLERK_API_URL: clerk.url,
    CLERK_SECRET_KEY: clerk.secretKey,
    RESEND_BASE_URL: resend.url,
    RESEND_API_KEY: resend.apiKey,
    POSTHOG_HOST: posthog.url,
    POSTHOG_KEY: posthog.key,
    ...registerHeartbeats(betterStack),
    LEASE_SECONDS: leaseSeconds,
    DRAIN_SECONDS: drainSeconds,
  }
}

/** As people made them by hand, before there was a command for it: `monitors import` finds them. */
function registerHeartbeats(betterStack: BetterStackStandIn): Readonly<Record<string, string>> {
  return Object.fromEntries(
    jobs.map(job => {
      const expected = { periodSeconds: periodSeconds(job), graceSeconds: graceSeconds(job) }
      return [job.heartbeat, betterStack.register(job.name, expected)]
    }),
  )
}

export interface EnvironmentFile {
  readonly path: string
  /** Removes it. */
  close(): Promise<void>
}

/** Writes the environment into a file of its own that a shell and `node --env-file` can read, for this user alone. */
export function writeEnvironment(environment: Readonly<Record<string, string>>): EnvironmentFile {
  const dir = mkdtempSync(path.join(tmpdir(), 'eleva-jobs-env-'))
  const file = path.join(dir, 'sandbox.env')
  const lines = Object.entries(environment).map(([name, value]) => `${name}='${value}'`)
  writeFileSync(file, `${lines.join('\n')}\n`)
  chmodSync(file, 0o600)
  return {
    path: file,
    close: async () => {
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
