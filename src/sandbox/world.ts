import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { type App, createApp } from '../app.ts'
import { loadConfig } from '../config.ts'
import { createDatabase, type Db } from '../database/connection.ts'
import { buildIndexes } from '../database/marketplace-indexes.ts'
import { migrateToLatest } from '../database/migrator.ts'
import { neededApiVersion, neededEndpoints } from '../diagnostics/webhook-needs.ts'
import { createHttp } from '../providers/http.ts'
import { createQstashSchedules } from '../providers/qstash-schedules.ts'
import { applySchedules } from '../provision/apply-schedules.ts'
import { readSchedulePlan } from '../provision/plan-schedules.ts'
import type { Job } from '../runner/define-job.ts'
import { type BetterStackStandIn, startBetterStack } from './betterstack.ts'
import { type ClerkStandIn, startClerk } from './clerk.ts'
import { type DemoMoney, seedMoney } from './demo/money.ts'
import { seedPeople } from './demo/people.ts'
import { demoExperts, seedDemo } from './demo.ts'
import { createEnvironment, writeEnvironment } from './environment.ts'
import { applyMarketplace } from './marketplace.ts'
import { type NovuStandIn, startNovu } from './novu.ts'
import { type PosthogStandIn, startPosthog } from './posthog.ts'
import { findFreePort, type PostgresServer, startPostgres } from './postgres.ts'
import { type QstashStandIn, startQstash } from './qstash.ts'
import { createSigningKey } from './qstash-token.ts'
import { type ResendStandIn, startResend } from './resend.ts'
import { type SiteStandIn, startSite } from './site.ts'
import { startStripe, type StripeStandIn } from './stripe.ts'

export interface WorldOptions {
  /** A free port unless given. */
  readonly port?: number
  readonly postgresPort?: number
  readonly qstashPort?: number
  /** How many times faster than real time the world's clock runs, for the service and all stand-ins; 1 unless given. */
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
  /** A file with the whole environment of the service; it goes with the world. */
  readonly environmentFile: string
  readonly qstash: QstashStandIn
  readonly betterStack: BetterStackStandIn
  readonly clerk: ClerkStandIn
  readonly novu: NovuStandIn
  readonly posthog: PosthogStandIn
  readonly resend: ResendStandIn
  readonly site: SiteStandIn
  readonly stripe: StripeStandIn
  /** The bookings of the demo, by name. */
  readonly money: DemoMoney
  readonly clock: () => Date
  close(): Promise<void>
}

type Keep = <Part extends { close(): Promise<void> }>(part: Part) => Part

/** Starts everything: PostgreSQL, the stand-ins, the demo marketplace, the service and its schedules. Undoes it all on failure. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { onProgress = () => {}, speed = 1 } = options
  const startedAt = Date.now()
  const clock = (): Date => new Date(startedAt + (Date.now() - startedAt) * speed)
  const open: { close(): Promise<void> }[] = []
  const keep: Keep = part => {
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
    onProgress('stand-ins of QStash, Stripe, Novu, Better Stack, Clerk, Resend, PostHog and the site')
    const standIns = await startStandIns({ clock, speed, port: options.qstashPort ?? 0 }, keep)
    onProgress('demo marketplace')
    const { db, money } = await createMarketplace(postgres, standIns.stripe, clock())
    keep({ close: async () => await db.destroy() })

    onProgress('the service')
    const port = options.port ?? (await findFreePort())
    const operatorToken = `sandbox-${randomBytes(16).toString('hex')}`
    const own = { databaseUrl: postgres.url, moneySince: money.since, operatorToken, port }
    const environment = createEnvironment({ ...standIns, ...own })
    const file = keep(writeEnvironment(environment))
    const config = loadConfig(environment)
    const log = pino({ level: options.logLevel ?? 'error' }, pino.destination(2))
    const app = keep(await createApp(config, log, { clock }))
    await app.server.listen({ port, host: '127.0.0.1' })
    await app.boot()
    onProgress('schedules')
    await schedule([...app.jobs.values()], config.publicUrl, standIns.qstash)
    const { databaseUrl } = own
    const url = config.publicUrl
    return { ...standIns, app, db, url, operatorToken, databaseUrl, environmentFile: file.path, money, clock, close }
  } catch (err) {
    await close()
    throw err
  }
}

interface StandInOptions {
  readonly clock: () => Date
  readonly speed: number
  /** Of QStash. */
  readonly port: number
}

async function startStandIns({ clock, port, speed }: StandInOptions, keep: Keep) {
  const keys = { current: createSigningKey(), next: createSigningKey() }
  const qstash = keep(await startQstash({ keys, clock, speed, port }))
  const stripe = keep(await startStripe({ clock }))
  const novu = keep(await startNovu({ clock }))
  const betterStack = keep(await startBetterStack({ clock }))
  const clerk = keep(await startClerk({ clock }))
  const resend = keep(await startResend())
  const posthog = keep(await startPosthog())
  const site = keep(await startSite({ clock }))
  for (const { events, path } of neededEndpoints)
    stripe.addEndpoint({ url: `${site.url}${path}`, events, apiVersion: neededApiVersion })
  for (const [index, expert] of demoExperts.entries()) {
    clerk.setUser(expert.clerkUserId, index === demoExperts.length - 1 ? 'none' : 'connected')
  }
  return { betterStack, clerk, novu, posthog, qstash, resend, site, stripe }
}

async function createMarketplace(
  postgres: PostgresServer,
  stripe: StripeStandIn,
  now: Date,
): Promise<{ db: Db; money: DemoMoney }> {
  const db = createDatabase({ connectionString: postgres.url, onError: () => {} })
  await applyMarketplace(db)
  await migrateToLatest(db)
  await buildIndexes(db)
  await seedDemo(db, now)
  const money = await seedMoney(db, stripe, now)
  await seedPeople(db, stripe, now)
  return { db, money }
}

/** Registers the schedules as `schedules apply` does. Throws when one could not be. */
async function schedule(jobs: readonly Job[], publicUrl: string, { token, url }: QstashStandIn): Promise<void> {
  const http = createHttp()
  try {
    const schedules = createQstashSchedules({ url, token, fetch: http.fetch, clock: () => new Date() })
    const { signal } = new AbortController()
    const plan = await readSchedulePlan(schedules, { jobs, publicUrl }, signal)
    const steps = await applySchedules(schedules, plan, { signal })
    const undone = steps.find(({ outcome }) => outcome !== 'done')
    if (undone !== undefined) throw new Error(`${undone.id} was not scheduled: ${undone.reason}`)
  } finally {
    await http.close()
  }
}
