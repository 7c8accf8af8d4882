import { randomBytes } from 'node:crypto'
import { Client } from '@upstash/qstash'
import { pino } from 'pino'
import { type App, createApp } from '../app.ts'
import { type Config, loadConfig } from '../config.ts'
import { createDatabase, type Db } from '../database/connection.ts'
import { migrateToLatest } from '../database/migrator.ts'
import { jobs as allJobs } from '../jobs/index.ts'
import type { Job } from '../runner/define-job.ts'

import { type BetterStackStandIn, startBetterStack } from './betterstack.ts'
import { type ClerkStandIn, startClerk } from './clerk.ts'
import { demoExperts, seedDemo } from './demo.ts'
import { applyMarketplace } from './marketplace.ts'
import { findFreePort, type PostgresServer, startPostgres } from './postgres.ts'
import { type QstashStandIn, startQstash } from './qstash.ts'
import { createSigningKey } from './qstash-token.ts'
import { type SiteStandIn, startSite } from './site.ts'
import { startStripe, type StripeStandIn } from './stripe.ts'

export interface WorldOptions {
  /** A free port unless given. */
  readonly port?: number
  readonly postgresPort?: number
  readonly qstashPort?: number
  /** How many times faster than real time the world's clock runs, for the service and QStash alike; 1 unless given. */
  readonly speed?: number
  readonly logLevel?: string
  /** Told as each part comes up. */
  readonly onProgress?: (what: string) => void
}

/** The whole of Eleva Care as this service sees it, on this machine alone. */
export interface World {
  readonly app: App
  readonly db: Db
  readonly url: string
  readonly operatorToken: string
  readonly databaseUrl: string
  readonly qstash: QstashStandIn
  readonly betterStack: BetterStackStandIn
  readonly clerk: ClerkStandIn
  readonly site: SiteStandIn
  readonly stripe: StripeStandIn
  readonly clock: () => Date
  close(): Promise<void>
}

const leaseSeconds = '10'
const drainSeconds = '5'

/** Starts everything: PostgreSQL, the demo marketplace, the stand-ins, the service and its schedules. Undoes it all on failure. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { onProgress = () => {}, speed = 1 } = options
  const startedAt = Date.now()
  const clock = (): Date => new Date(startedAt + (Date.now() - startedAt) * speed)
  const open: { close(): Promise<void> }[] = []
  const keep = <Part extends { close(): Promise<void> }>(part: Part): Part => {
    open.push(part)
    return part
  }
  const close = async (): Promise<void> => {
    for (const part of open.splice(0).toReversed()) await part.close()
  }
  try {
    onProgress('embedded PostgreSQL')
    const postgres = await startPostgres(options.postgresPort === undefined ? {} : { port: options.postgresPort })
    keep({ close: async () => await postgres.stop() })
    onProgress('demo marketplace')
    const db = await createMarketplace(postgres, clock())
    keep({ close: async () => await db.destroy() })

    onProgress('stand-ins of QStash, Stripe, Better Stack, Clerk and the site')
    const keys = { current: createSigningKey(), next: createSigningKey() }
    const qstashPort = options.qstashPort ?? 0
    const qstash = keep(await startQstash({ keys, clock, speed, port: qstashPort }))
    const betterStack = keep(await startBetterStack({ clock }))
    const clerk = keep(await startClerk({ clock }))
    const site = keep(await startSite({ clock }))
    const stripe = keep(await startStripe({ clock }))
    for (const [index, expert] of demoExperts.entries()) {
      clerk.setUser(expert.clerkUserId, index === demoExperts.length - 1 ? 'none' : 'connected')
    }

    onProgress('the service')
    const port = options.port ?? (await findFreePort())
    const operatorToken = `sandbox-${randomBytes(16).toString('hex')}`
    const parts = { betterStack, clerk, databaseUrl: postgres.url, operatorToken, port, qstash, site, stripe }
    const config = createConfig(parts)
    const log = pino({ level: options.logLevel ?? 'error' }, pino.destination(2))
    const app = keep(await createApp(config, log, { clock }))
    await app.server.listen({ port, host: '127.0.0.1' })
    await app.boot()
    onProgress('schedules')
    await schedule([...app.jobs.values()], config.publicUrl, qstash)
    const { databaseUrl } = parts
    return {
      app,
      db,
      url: config.publicUrl,
      operatorToken,
      databaseUrl,
      qstash,
      betterStack,
      clerk,
      site,
      stripe,
      clock,
      close,
    }
  } catch (err) {
    await close()
    throw err
  }
}

async function createMarketplace(postgres: PostgresServer, now: Date): Promise<Db> {
  const db = createDatabase({ connectionString: postgres.url, onError: () => {} })
  await applyMarketplace(db)
  await migrateToLatest(db)
  await seedDemo(db, now)
  return db
}

interface ConfigParts {
  readonly betterStack: BetterStackStandIn
  readonly clerk: ClerkStandIn
  readonly databaseUrl: string
  readonly operatorToken: string
  readonly port: number
  readonly qstash: QstashStandIn
  readonly site: SiteStandIn
  readonly stripe: StripeStandIn
}

/** The configuration as production reads it, with every vendor's address pointed at its stand-in. */
function createConfig(parts: ConfigParts): Config {
  const { betterStack, clerk, databaseUrl, operatorToken, port, qstash, site, stripe } = parts
  return loadConfig({
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
    CLERK_API_URL: clerk.url,
    CLERK_SECRET_KEY: clerk.secretKey,
    ...Object.fromEntries(allJobs.map(job => [job.heartbeat, betterStack.register(job.name)])),
    LEASE_SECONDS: leaseSeconds,
    DRAIN_SECONDS: drainSeconds,
  })
}

/** Registers each job's schedule through the official client, as production does. */
async function schedule(jobs: readonly Job[], publicUrl: string, { token, url }: QstashStandIn): Promise<void> {
  const client = new Client({ baseUrl: url, token, enableTelemetry: false })
  for (const job of jobs) {
    await client.schedules.create({
      scheduleId: `jobs.${job.name}`,
      destination: `${publicUrl}/jobs/${job.name}`,
      cron: job.timeZone === 'UTC' ? job.cron : `CRON_TZ=${job.timeZone} ${job.cron}`,
      method: 'POST',
      retries: job.retries,
      // Above the job's own deadline, so that it is the job that decides.
      timeout: Math.ceil(job.timeoutMs / 1000) + 30,
      failureCallback: `${publicUrl}/qstash/failure`,
    })
  }
}
