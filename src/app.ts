import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import sensible from '@fastify/sensible'
import { fastify, type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { v7 as uuidv7 } from 'uuid'
import packageJson from '../package.json' with { type: 'json' }
import { waitForDatabase } from './boot.ts'
import type { Config } from './config.ts'
import { createDatabase, type Db } from './database/connection.ts'
import { closeAbandonedRuns } from './database/runs.ts'
import { createDatabaseProbe, createMigrationsProbe } from './health/database-probe.ts'
import { createJobsProbe } from './health/jobs-probe.ts'
import { createReachabilityProbe } from './health/reachability-probe.ts'
import { jobs as allJobs } from './jobs/index.ts'
import errorHandler from './plugins/error-handler.ts'
import { expectedUrl } from './plugins/expected-url.ts'
import methodNotAllowed from './plugins/method-not-allowed.ts'
import operatorAuth from './plugins/operator-auth.ts'
import rateLimit from './plugins/rate-limit.ts'
import { createClerk } from './providers/clerk.ts'
import { createHeartbeatSender } from './providers/heartbeat.ts'
import { createHttp, type Fetch } from './providers/http.ts'
import { createQstash } from './providers/qstash.ts'
import { createSite } from './providers/site.ts'
import healthRoutes from './routes/health.ts'
import jobRoutes from './routes/jobs.ts'
import runRoutes from './routes/runs.ts'
import type { Providers } from './runner/context.ts'
import { createDeadLetters } from './runner/dead-letters.ts'
import { indexJobs, type Job } from './runner/define-job.ts'
import { startEveryMinute } from './runner/every-minute.ts'
import type { RunnerParts } from './runner/parts.ts'
import { createPings } from './runner/pings.ts'
import { createRunner, type Runner } from './runner/run-job.ts'
import { graceSeconds, lastDueAt, listDueBetween } from './runner/slots.ts'

/** What a test or the sandbox may put in place of the real thing. */
export interface Outside {
  readonly clock?: () => Date
  readonly jobs?: readonly Job[]
  readonly onStep?: RunnerParts['onStep']
  readonly requestsPerMinute?: number
}

export interface App {
  readonly server: FastifyInstance
  readonly runner: Runner
  readonly jobs: ReadonlyMap<string, Job>
  readonly db: Db
  /** Resolves once the database was usable for the first time; rejects with SchemaError when it never will be. */
  boot(): Promise<void>
  /** Drains within the budget, then gives everything back. Safe to call twice. */
  close(): Promise<void>
}

const pingBudgetMs = 3_000

/** Puts the parts together; nothing listens and nothing connects before `boot` or the first request. */
export async function createApp(config: Config, log: FastifyBaseLogger, outside: Outside = {}): Promise<App> {
  const clock = outside.clock ?? (() => new Date())
  const newId = (): string => uuidv7()
  const owner = `${config.instance ?? hostname()}/${process.pid}/${randomBytes(4).toString('hex')}`
  const jobs = indexJobs(outside.jobs ?? allJobs)
  const state = { booted: false, fatal: undefined as string | undefined }

  const db = createDatabase({
    connectionString: config.databaseUrl,
    onError: err => {
      log.warn({ err }, 'database connection lost')
    },
  })
  const http = createHttp()
  const providers = createProviders(config, http.fetch)
  const heartbeats = listHeartbeats(config, jobs)
  const sender = createHeartbeatSender({ fetch: http.fetch })
  const pings = createPings({ db, sender, heartbeats, clock, owner, log })
  const parts: RunnerParts = {
    db,
    providers,
    log,
    clock,
    newId,
    owner,
    leaseMs: config.leaseMs,
    jobsWithHeartbeat: new Set(heartbeats.keys()),
    sendOwedPings: async () => await pings.sendOwed(),
    ...(outside.onStep === undefined ? {} : { onStep: outside.onStep }),
  }
  const runner = createRunner(parts)

  const server = createServer(log)
  await server.register(errorHandler)
  await server.register(sensible)
  await server.register(methodNotAllowed)
  await server.register(operatorAuth, { operators: config.operators })
  await server.register(rateLimit, { max: outside.requestsPerMinute ?? 100 })
  await server.register(healthRoutes, {
    state: () => ({ ...state, draining: runner.draining }),
    version: packageJson.version,
    release: config.release,
    ...createProbes(db, providers, jobs, clock, log),
  })
  await server.register(jobRoutes, {
    jobs,
    runner,
    newId,
    isBooted: () => state.booted,
    deadLetters: createDeadLetters(jobs, parts),
    door: {
      keys: { current: config.qstash.currentSigningKey, next: config.qstash.nextSigningKey },
      expectedUrl: expectedUrl(config.publicUrl),
      bearerSecret: config.cronSecret,
      clock,
    },
  })
  await server.register(runRoutes, { jobs, runner, db, clock, newId, isBooted: () => state.booted })

  const ending = new AbortController()
  let everyMinute: ReturnType<typeof startEveryMinute> | undefined
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    ending.abort()
    await runner.drain(config.drainMs)
    await server.close()
    await everyMinute?.stop()
    await pings.close(pingBudgetMs)
    await http.close()
    await db.destroy()
  }
  return {
    server,
    runner,
    jobs,
    db,
    boot: async () => {
      noteMissingHeartbeats(config, jobs, heartbeats, log)
      try {
        await waitForDatabase({ db, jobs: [...jobs.keys()], clock, log, signal: ending.signal })
      } catch (thrown) {
        state.fatal = 'schema'
        throw thrown
      }
      state.booted = true
      everyMinute = startEveryMinute({
        log,
        steps: [
          async function closeAbandoned() {
            const closed = await closeAbandonedRuns(db, clock())
            if (closed > 0) log.warn({ closed }, 'abandoned runs closed')
          },
          async function sendOwedPings() {
            await pings.sendOwed()
          },
        ],
      })
    },
    close: async () => await (closing ??= close()),
  }
}

function createServer(log: FastifyBaseLogger): FastifyInstance {
  const server = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // A request id from outside could be anything, also another request's.
    requestIdHeader: false,
    genReqId: () => uuidv7(),
    bodyLimit: 1_048_576,
    requestTimeout: 30_000,
    // Longer than the platform's proxy keeps a connection, or it would use one that we are just closing.
    keepAliveTimeout: 120_000,
    // For rate limits only: the nearest address that is not a private one.
    trustProxy: ['loopback', 'linklocal', 'uniquelocal'],
    // A HEAD that ran a GET route could run a job.
    routerOptions: { ignoreTrailingSlash: false },
    exposeHeadRoutes: false,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  })
  let closing = false
  server.addHook('preClose', async () => {
    closing = true
  })
  // Without it `close` waits for the keep-alive time of every connection that was busy.
  server.addHook('onSend', async (_request, reply) => {
    if (closing) void reply.header('connection', 'close')
  })
  return server
}

function createProviders(config: Config, fetch: Fetch): Providers {
  const { token, url } = config.qstash
  return {
    site: createSite({ url: config.appUrl, fetch }),
    qstash: token === undefined ? undefined : createQstash({ url, token, fetch }),
    calendarTokens: config.clerk === undefined ? undefined : createClerk({ ...config.clerk, fetch }),
  }
}

const heartbeatTimeoutMs = { critical: 3_000, high: 5_000, medium: 5_000, low: 10_000 } as const

/** The heartbeat of each job that has one configured. A preview has none: it would report for production. */
function listHeartbeats(config: Config, jobs: ReadonlyMap<string, Job>) {
  const heartbeats = new Map<string, { url: string; timeoutMs: number }>()
  for (const job of config.preview ? [] : jobs.values()) {
    const url = config.heartbeats.get(job.heartbeat)
    if (url !== undefined) heartbeats.set(job.name, { url, timeoutMs: heartbeatTimeoutMs[job.priority] })
  }
  return heartbeats
}

function noteMissingHeartbeats(
  { preview }: Config,
  jobs: ReadonlyMap<string, Job>,
  heartbeats: ReadonlyMap<string, unknown>,
  log: FastifyBaseLogger,
): void {
  const missing = [...jobs.values()].filter(job => !heartbeats.has(job.name)).map(job => job.heartbeat)
  if (preview) log.info('heartbeats are silent in a preview')
  else if (missing.length > 0) log.warn({ missing }, 'heartbeats are not configured: these jobs can die unseen')
}

function createProbes(
  db: Db,
  providers: Providers,
  jobs: ReadonlyMap<string, Job>,
  clock: () => Date,
  log: FastifyBaseLogger,
) {
  const shared = { db, clock, log }
  const due = [...jobs.values()].map(job => ({
    name: job.name,
    priority: job.priority,
    graceSeconds: graceSeconds(job),
    lastDueAt: (at: Date) => lastDueAt(job, at),
    listDueBetween: (from: Date, to: Date) => listDueBetween(job, from, to),
  }))
  const qstash = { name: 'qstash', critical: true, ttlMs: 120_000, timeoutMs: 2_200, clock, log }
  return {
    dependencies: new Map([
      ['neon-database', createDatabaseProbe(shared)],
      ['qstash', createReachabilityProbe({ ...qstash, target: providers.qstash })],
    ]),
    migrations: createMigrationsProbe(shared),
    jobs: createJobsProbe({ ...shared, jobs: due }),
  }
}
