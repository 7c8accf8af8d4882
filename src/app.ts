import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import sensible from '@fastify/sensible'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { v7 as uuidv7 } from 'uuid'
import packageJson from '../package.json' with { type: 'json' }
import { type AccountError, compareAccount, waitForDatabase } from './boot.ts'
import type { Config } from './config.ts'
import { createDatabase, type Db } from './database/connection.ts'
import { createRunBatches } from './database/run-batches.ts'
import { jobs as allJobs } from './jobs/index.ts'
import { createServer } from './plugins/create-server.ts'
import errorHandler from './plugins/error-handler.ts'
import { expectedUrl } from './plugins/expected-url.ts'
import methodNotAllowed from './plugins/method-not-allowed.ts'
import operatorAuth from './plugins/operator-auth.ts'
import rateLimit from './plugins/rate-limit.ts'
import type { Diagnostics } from './diagnostics/diagnose.ts'
import { createLater } from './diagnostics/later.ts'
import type { NoticeSenderOptions } from './notices/sender.ts'
import { createHeartbeatSender } from './providers/heartbeat.ts'
import { createHttp } from './providers/http.ts'
import diagnosticsRoutes from './routes/diagnostics.ts'
import findingRoutes from './routes/findings.ts'
import healthRoutes from './routes/health.ts'
import jobRoutes from './routes/jobs.ts'
import noticeRoutes from './routes/notices.ts'
import operationRoutes from './routes/operations.ts'
import qstashHealthRoutes from './routes/qstash-health.ts'
import runRoutes from './routes/runs.ts'
import { type Beat, startBeats } from './runner/beats.ts'
import { createDeadLetters } from './runner/dead-letters.ts'
import { indexJobs, type Job } from './runner/define-job.ts'
import { createOperatorActions, type OperatorActions } from './runner/operator-actions.ts'
import type { RunnerParts } from './runner/parts.ts'
import { createPings } from './runner/pings.ts'
import { createRunner, type Runner } from './runner/run-job.ts'
import { createProbes } from './wire-health.ts'
import { type MoneyOptions, wireMoney } from './wire-money.ts'
import { wireNotices } from './wire-notices.ts'
import { createSchedulesAnswer } from './wire-schedules.ts'
import { createProviders, listHeartbeats, noteMissingHeartbeats, noteMoneySince, noteSilentNotices } from './wiring.ts'

/** What a test or the sandbox may put in place of the real thing. */
export interface Outside {
  readonly clock?: () => Date
  readonly jobs?: readonly Job[]
  readonly onStep?: RunnerParts['onStep']
  readonly onLedgerStep?: MoneyOptions['onStep']
  readonly onNoticeStep?: NoticeSenderOptions['onStep']
  readonly noticeTimes?: NoticeSenderOptions['times']
  readonly requestsPerMinute?: number
}

export interface App {
  readonly server: FastifyInstance
  readonly runner: Runner
  readonly actions: OperatorActions
  readonly diagnostics: Diagnostics
  readonly jobs: ReadonlyMap<string, Job>
  readonly db: Db
  /** Resolves once the database was usable for the first time; rejects with SchemaError or AccountError when it never is. */
  boot(): Promise<void>
  /** Resolves only if Stripe says, after booting, that our key is not of this database's account: end the process. */
  readonly misplaced: Promise<AccountError>
  /** Drains within the budget, then gives everything back. Safe to call twice. */
  close(): Promise<void>
  /** Ends as a process under load has to: drains, goes on answering 503 for a moment, then closes. */
  end(): Promise<void>
}

const pingBudgetMs = 3_000
const noticeBudgetMs = 4_000
// Callers whose connection is already on its way would otherwise be reset when the socket closes.
const lingerMs = 500

/** Puts the parts together; nothing listens and nothing connects before `boot` or the first request. */
export async function createApp(config: Config, log: FastifyBaseLogger, outside: Outside = {}): Promise<App> {
  const core = createCore(config, log, outside)
  const server = createServer(log)
  await registerRoutes(server, config, core, outside)
  const life = createLife(config, core, server)
  const { actions, db, diagnostics, jobs, runner } = core
  return { server, runner, actions, diagnostics, jobs, db, ...life }
}

type Core = ReturnType<typeof createCore>

/** Everything but HTTP: database, vendors, heartbeats, runner. */
function createCore(config: Config, log: FastifyBaseLogger, outside: Outside) {
  const clock = outside.clock ?? (() => new Date())
  const newId = (): string => uuidv7()
  const owner = `${config.instance ?? hostname()}/${process.pid}/${randomBytes(4).toString('hex')}`
  const jobs = indexJobs(outside.jobs ?? allJobs)
  const db = openDatabase(config, log)
  const http = createHttp()
  const money = wireMoney({ config, db, fetch: http.fetch, newId, clock, log, onStep: outside.onLedgerStep })
  const { ledger, payments, reachability } = money
  const providers = createProviders(config, http.fetch, payments)
  const heartbeats = listHeartbeats(config, jobs)
  const sender = createHeartbeatSender({ fetch: http.fetch })
  const pings = createPings({ db, sender, heartbeats, clock, owner, log })
  const outsideOfNotices = { onStep: outside.onNoticeStep, times: outside.noticeTimes }
  const shared = { config, db, fetch: http.fetch, payments, clock, log }
  const { notices, notifications } = wireNotices({ ...shared, ...outsideOfNotices, owner })
  const diagnostics = createLater(async () => {
    const { wireDiagnostics } = await import('./wire-diagnostics.ts')
    return wireDiagnostics({ ...shared, jobs, notifications, webhooks: money.webhooks })
  })
  const parts: RunnerParts = {
    db,
    runBatches: createRunBatches(db),
    providers,
    ledger,
    log,
    clock,
    newId,
    owner,
    leaseMs: config.leaseMs,
    jobsWithHeartbeat: new Set(heartbeats.keys()),
    sendOwedPings: async () => await pings.sendOwed(),
    sendDueNotices: async () => await notices.sendDue(),
    alertRecipient: config.novu.adminSubscriberId,
    describeMoment: async () => await diagnostics.describeMoment(),
    ...(outside.onStep === undefined ? {} : { onStep: outside.onStep }),
  }
  const runner = createRunner(parts)
  const actions = createOperatorActions({ db, runner, corrections: money.corrections, clock, newId })
  const state = { booted: false, fatal: undefined as string | undefined }
  return { ...parts, diagnostics, jobs, http, reachability, heartbeats, pings, notices, runner, actions, state }
}

function openDatabase({ databaseUrl: connectionString }: Config, log: FastifyBaseLogger): Db {
  const onError = (err: Error): void => {
    // Not the error itself: the driver hangs its client on it, with the connection's secrets.
    const { code, message } = err as Error & { code?: string }
    log.warn({ code, reason: message }, 'database connection trouble')
  }
  return createDatabase({ connectionString, onError })
}

/** What HTTP offers; the order of plugins is the order in which they judge a request. */
async function registerRoutes(server: FastifyInstance, config: Config, core: Core, outside: Outside): Promise<void> {
  const { actions, clock, db, http, jobs, log, newId, providers, reachability, runner, state } = core
  const isBooted = (): boolean => state.booted
  await server.register(errorHandler)
  await server.register(sensible)
  await server.register(methodNotAllowed)
  await server.register(operatorAuth, { operators: config.operators })
  await server.register(rateLimit, { max: outside.requestsPerMinute ?? 100 })
  await server.register(healthRoutes, {
    state: () => ({ ...state, draining: runner.draining }),
    version: packageJson.version,
    release: config.release,
    ...createProbes({ config, db, fetch: http.fetch, jobs, reachability, qstash: providers.qstash, clock, log }),
  })
  await server.register(qstashHealthRoutes, {
    answer: createSchedulesAnswer({ config, jobs, fetch: http.fetch, clock, log }),
  })
  await server.register(jobRoutes, {
    jobs,
    runner,
    newId,
    isBooted,
    deadLetters: createDeadLetters(jobs, core),
    door: {
      keys: { current: config.qstash.currentSigningKey, next: config.qstash.nextSigningKey },
      expectedUrl: expectedUrl(config.publicUrl),
      bearerSecret: config.cronSecret,
      clock,
    },
  })
  await server.register(runRoutes, { jobs, actions, db, isBooted })
  await server.register(findingRoutes, { actions, db, isBooted })
  await server.register(noticeRoutes, { clock, db, isBooted })
  await server.register(diagnosticsRoutes, { diagnostics: core.diagnostics })
  await server.register(operationRoutes, { actions, db, isBooted })
}

/** How it begins and ends: booting waits for the database, closing for the jobs. */
function createLife(
  config: Config,
  core: Core,
  server: FastifyInstance,
): Pick<App, 'boot' | 'close' | 'end' | 'misplaced'> {
  const { clock, db, heartbeats, jobs, log, providers, runner, state } = core
  const ending = new AbortController()
  const everyMinute: Beat[] = []
  const misplaced = Promise.withResolvers<AccountError>()
  let comparing: Promise<void> | undefined
  let closing: Promise<void> | undefined

  const boot = async (): Promise<void> => {
    noteMissingHeartbeats(config, jobs, heartbeats, log)
    noteMoneySince(config, jobs, clock(), log)
    noteSilentNotices(config, log)
    try {
      const names = [...jobs.keys()]
      await waitForDatabase({ db, jobs: names, live: config.stripe.live, clock, log, signal: ending.signal })
    } catch (thrown) {
      state.fatal = 'schema'
      throw thrown
    }
    state.booted = true
    comparing = compareKey()
    everyMinute.push(...startBeats(core))
  }
  const compareKey = async (): Promise<void> => {
    const err = await compareAccount({ db, payments: providers.payments, log, signal: ending.signal })
    if (err === undefined) return
    state.fatal = 'stripe account'
    misplaced.resolve(err)
  }
  const closeAll = async (): Promise<void> => {
    ending.abort()
    await comparing
    await runner.drain(config.drainMs)
    await server.close()
    await closeParts(core, everyMinute)
  }
  const close = async (): Promise<void> => await (closing ??= closeAll())
  const end = async (): Promise<void> => {
    ending.abort()
    await runner.drain(config.drainMs)
    await sleep(lingerMs)
    await close()
  }
  return { boot, close, end, misplaced: misplaced.promise }
}

async function closeParts({ db, http, notices, pings }: Core, everyMinute: readonly Beat[]): Promise<void> {
  // Together: a minute's pass may be waiting for a ping or a notice that only their closing cuts off.
  const beats = everyMinute.map(async each => await each.stop())
  await Promise.all([...beats, pings.close(pingBudgetMs), notices.close(noticeBudgetMs)])
  await http.close()
  await db.destroy()
}
