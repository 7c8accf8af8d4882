import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import sensible from '@fastify/sensible'
import { pino } from 'pino'
import type { Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { createDatabase, type Db } from '../../src/database/connection.ts'
import type { RunsTable } from '../../src/database/tables.ts'
import type { ProcessState } from '../../src/health/answers.ts'
import { createDatabaseProbe, createMigrationsProbe } from '../../src/health/database-probe.ts'
import type { DueJob } from '../../src/health/job-freshness.ts'
import { createJobsProbe } from '../../src/health/jobs-probe.ts'
import { createReachabilityProbe } from '../../src/health/reachability-probe.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createQstash } from '../../src/providers/qstash.ts'
import { createServer } from '../../src/plugins/create-server.ts'
import healthRoutes from '../../src/routes/health.ts'
import { lastDueAt, listDueBetween } from '../../src/runner/slots.ts'
import { testDatabase } from './database.ts'

export const token = 'planted-qstash-token'
export const release = 'planted-release'
export const operator = { authorization: 'Bearer of the operator' }
export const start = new Date('2026-01-05T12:00:00.000Z')

export interface HealthWorldOptions {
  readonly db?: Db
  readonly slowMs?: number
  readonly qstash?: (request: IncomingMessage, response: ServerResponse) => void
  readonly qstashUnset?: boolean
  readonly jobs?: readonly DueJob[]
}

/** The health routes on real Postgres and a QStash on loopback; the clock moves by hand. */
export async function openHealthWorld(t: Test, options: HealthWorldOptions = {}) {
  const db = options.db ?? (await testDatabase(t)).db
  const vendor = await openVendor(t, options.qstash ?? ((_request, response) => response.end('{"parallelismMax":10}')))
  const http = createHttp()
  let now = start
  const state: { -readonly [K in keyof ProcessState]: ProcessState[K] } = { booted: true, draining: false }
  const lines: string[] = []
  const app = createServer(pino({ level: 'info' }, { write: (line: string) => lines.push(line) }))
  const limited = new Map<string, boolean>()
  app.decorate('limitCalls', (_request, _reply, next) => {
    next()
  })
  app.addHook('onRoute', ({ onRequest, url }) => {
    limited.set(url, onRequest === app.limitCalls)
  })
  await app.register(sensible)
  app.decorate('identifyOperator', request =>
    request.headers.authorization === operator.authorization ? 'ana' : undefined,
  )
  const common = { clock: () => now, log: app.log, random: () => 0.5 }
  const database = createDatabaseProbe({ db, slowMs: options.slowMs ?? 1_000, ...common })
  const qstash = createReachabilityProbe({
    name: 'qstash',
    critical: true,
    ttlMs: 120_000,
    timeoutMs: 3_000,
    target: options.qstashUnset === true ? undefined : createQstash({ url: vendor.url, token, fetch: http.fetch }),
    ...common,
  })
  await app.register(healthRoutes, {
    state: () => state,
    dependencies: new Map([database, qstash].map(probe => [probe.name, probe])),
    migrations: createMigrationsProbe({ db, ...common }),
    jobs: createJobsProbe({ db, jobs: options.jobs ?? [], ...common }),
    version: '9.8.7',
    release,
  })
  t.teardown(async () => {
    await app.close()
    await http.close()
  })
  const pass = (ms: number): void => {
    now = new Date(now.getTime() + ms)
  }
  return { app, db, state, lines, limited, vendor, pass }
}

async function openVendor(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  let calls = 0
  const server = createHttpServer((request, response) => {
    calls++
    answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls: () => calls }
}

/** A way to a database that can be cut (connections refused), silenced (nothing comes back) and mended. */
export async function openCable(t: Test, databaseUrl: string) {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let mode: 'whole' | 'cut' | 'silent' = 'whole'
  const server = createTcpServer(near => {
    if (mode === 'cut') return near.resetAndDestroy()
    const far = connect(Number(target.port), target.hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    near.on('data', data => far.write(data)).on('close', () => far.destroy())
    far.on('data', data => mode === 'whole' && near.write(data)).on('close', () => near.destroy())
    return undefined
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(databaseUrl)
  url.port = String((server.address() as AddressInfo).port)
  const db = createDatabase({ connectionString: url.href, onError: () => {} })
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(async () => {
    hangUp()
    server.close()
    await db.destroy()
  })
  return {
    db,
    url: url.href,
    set: (next: typeof mode) => {
      mode = next
      if (next !== 'silent') hangUp()
    },
  }
}

/** A job that is due every ten minutes, with five minutes of grace. */
export function everyTenMinutes(name: string, priority: DueJob['priority']): DueJob {
  const timing = { cron: '*/10 * * * *', timeZone: 'UTC' }
  return {
    name,
    priority,
    graceSeconds: 300,
    lastDueAt: at => lastDueAt(timing, at),
    listDueBetween: (from, to) => listDueBetween(timing, from, to),
  }
}

/** A run of the ledger: succeeded and of a schedule unless said. */
export async function insertRun(db: Db, run: Partial<RunsTable> & { job: string; started_at: Date }): Promise<void> {
  const id = uuidv7()
  const { job, started_at, ...rest } = run
  const finished = { finished_at: started_at, report: null, plan: null }
  await db
    .insertInto('jobs.runs')
    .values({
      id,
      job,
      message_id: id,
      trigger: 'schedule',
      attempt: 1,
      state: 'succeeded',
      final: run.state !== 'incomplete',
      dry_run: false,
      owner: 'test',
      deadline_at: started_at,
      started_at,
      attempts: '[]',
      ...finished,
      ...(rest as object),
    })
    .execute()
}
