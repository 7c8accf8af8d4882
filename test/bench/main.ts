/**
 * `npm run bench`: the service beside a bare reference, both measured in one run on one machine, in turns. The ratios
 * are what counts; absolute figures belong to this machine at this moment.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import autocannon from 'autocannon'
import Table from 'cli-table3'
import { sql } from 'kysely'
import packageJson from '../../package.json' with { type: 'json' }
import { createDatabase } from '../../src/database/connection.ts'
import { migrateToLatest } from '../../src/database/migrator.ts'
import { verifySignature } from '../../src/plugins/verify-signature.ts'
import { applyMarketplace } from '../../src/sandbox/marketplace.ts'
import { findFreePort, startPostgres } from '../../src/sandbox/postgres.ts'
import { mintToken } from '../../src/sandbox/qstash-token.ts'

const rounds = 9
const secondsPerRound = 2
const jobCount = 50
/** What `npm start` and the image give to Node, for both sides. */
const nodeFlags = packageJson.scripts.start.split(' ').filter(word => word.startsWith('--'))
const publicUrl = 'https://jobs.example.test'
const keys = { current: 'sig_bench_current', next: 'sig_bench_next' }

interface Side {
  readonly process: ChildProcess
  readonly url: string
}

interface Figures {
  readonly perSecond: number
  readonly medianMs: number
}

const table = new Table({
  style: { head: [], border: [], compact: true },
  head: ['what', 'service', 'reference', 'ratio', 'target', ''],
})

// Durable on purpose: commits are what a recorded run costs, and money never skips them.
const postgres = await startPostgres({ durable: true })
try {
  const url = await prepareDatabase()
  const sides = { service: await startSide('service', url), reference: await startSide('reference', url) }
  try {
    await compareDeliveries(sides, 1)
    await compareDeliveries(sides, 50)
    await compareHealth(sides)
  } finally {
    sides.service.process.kill()
    sides.reference.process.kill()
  }
  await measureStart(url)
  measureSignature()
  console.log(table.toString())
  console.log('A ratio is the median of the ratios of each round, and not the quotient of the two medians beside it.')
} finally {
  await postgres.stop()
}

async function prepareDatabase(): Promise<string> {
  const url = postgres.url
  const db = createDatabase({ connectionString: url, onError: () => {} })
  await applyMarketplace(db)
  await migrateToLatest(db)
  await sql`
    create table bench_runs (id bigint generated always as identity primary key, job text not null,
      message_id text not null, state text not null, started_at timestamptz not null, finished_at timestamptz,
      report jsonb, unique (job, message_id))`.execute(db)
  await db.destroy()
  return url
}

function serviceEnv(databaseUrl: string) {
  return {
    PATH: process.env['PATH'],
    NODE_ENV: 'production',
    DATABASE_URL: databaseUrl,
    PUBLIC_URL: publicUrl,
    APP_URL: 'https://www.example.test',
    QSTASH_CURRENT_SIGNING_KEY: keys.current,
    QSTASH_NEXT_SIGNING_KEY: keys.next,
    OPERATOR_TOKEN: 'operator-token-of-the-bench-0123456789',
    STRIPE_SECRET_KEY: 'sk_test_ofTheBench',
    STRIPE_API_BASE_URL: 'http://127.0.0.1:9',
    NOVU_SECRET_KEY: 'novu-key-of-the-bench',
    NOVU_BASE_URL: 'http://127.0.0.1:9',
  }
}

async function startSide(side: 'service' | 'reference', databaseUrl: string): Promise<Side> {
  const child = fork(path.join(import.meta.dirname, 'contender.ts'), {
    env: { ...serviceEnv(databaseUrl), BENCH_SIDE: side },
    execArgv: nodeFlags,
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('message', message => {
      resolve((message as { listening: string }).listening)
    })
    child.once('exit', code => {
      reject(new Error(`the ${side} side ended with ${code}`))
    })
  })
  return { process: child, url }
}

async function compareDeliveries(sides: Record<'service' | 'reference', Side>, connections: number): Promise<void> {
  const { reference, service } = await inTurns(sides, async side => await deliver(side, connections))
  const ratio = medianOf(service.map((figures, round) => figures.perSecond / (reference[round]?.perSecond ?? 0)))
  const rate = (all: Figures[]): string => `${Math.round(medianOf(all.map(({ perSecond }) => perSecond)))}/s`
  table.push([
    `signed no-op delivery, ${connections} connection(s)`,
    rate(service),
    rate(reference),
    ratio.toFixed(2),
    '>= 0.85',
    ratio >= 0.85 ? 'ok' : 'below',
  ])
  if (connections > 1) return
  const median = (all: Figures[]): number => medianOf(all.map(({ medianMs }) => medianMs))
  const added = median(service) - median(reference)
  table.push([
    'time added by the runner, median',
    `${median(service).toFixed(2)} ms`,
    `${median(reference).toFixed(2)} ms`,
    `${added.toFixed(2)} ms`,
    '<= 1.5 ms',
    added <= 1.5 ? 'ok' : 'above',
  ])
}

async function compareHealth(sides: Record<'service' | 'reference', Side>): Promise<void> {
  const { reference, service } = await inTurns(
    sides,
    async side => await fire({ url: `${side.url}/livez`, connections: 50 }),
  )
  const ratio = medianOf(service.map((figures, round) => figures.perSecond / (reference[round]?.perSecond ?? 0)))
  const rate = (all: Figures[]): string => `${Math.round(medianOf(all.map(({ perSecond }) => perSecond)))}/s`
  table.push([
    'shallow health answer',
    rate(service),
    rate(reference),
    ratio.toFixed(2),
    '>= 0.90',
    ratio >= 0.9 ? 'ok' : 'below',
  ])
}

/** Each round measures both sides, the first of them by turns, so that a noisy moment hits both. */
async function inTurns(sides: Record<'service' | 'reference', Side>, measure: (side: Side) => Promise<Figures>) {
  const figures: Record<'service' | 'reference', Figures[]> = { service: [], reference: [] }
  await measure(sides.service)
  await measure(sides.reference)
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? (['service', 'reference'] as const) : (['reference', 'service'] as const)
    for (const name of order) figures[name].push(await measure(sides[name]))
  }
  return figures
}

async function deliver(side: Side, connections: number): Promise<Figures> {
  let call = 0
  const body = Buffer.from('{}')
  return await fire({
    url: side.url,
    connections,
    requests: [
      {
        method: 'POST',
        body,
        setupRequest: request => {
          call += 1
          const pathname = `/jobs/noop-${call % jobCount}`
          const token = mintToken({ url: `${publicUrl}${pathname}`, body, key: keys.current, now: new Date() })
          const headers = {
            'content-type': 'application/json',
            'upstash-message-id': `msg_${randomUUID()}`,
            'upstash-signature': token,
          }
          return { ...request, path: pathname, headers }
        },
      },
    ],
  })
}

async function fire(options: autocannon.Options): Promise<Figures> {
  const result = await autocannon({ duration: secondsPerRound, ...options })
  const busy = result.statusCodeStats?.['409']?.count ?? 0
  if (result.errors > 0 || result.non2xx > busy) throw new Error(`${result.errors} errors, ${result.non2xx} refused`)
  const answered = result.requests.total - busy
  return {
    perSecond: answered / result.duration,
    medianMs: 1000 / (answered / result.duration / (options.connections ?? 1)),
  }
}

/** From the process's start to its `ready`, and what it then holds in memory, with the compile cache that the image has. */
async function measureStart(databaseUrl: string): Promise<void> {
  const cache = mkdtempSync(path.join(tmpdir(), 'eleva-jobs-bench-'))
  const starts: { ms: number; megabytes: number }[] = []
  try {
    for (let start = 0; start < 4; start += 1) starts.push(await startOnce(databaseUrl, cache))
  } finally {
    rmSync(cache, { recursive: true, force: true })
  }
  const warm = starts.slice(1)
  const ms = medianOf(warm.map(start => start.ms))
  const megabytes = medianOf(warm.map(start => start.megabytes))
  const cold = starts[0]
  table.push(
    [
      'start to ready',
      `${Math.round(ms)} ms`,
      `${Math.round(cold?.ms ?? 0)} ms without cache`,
      '',
      '< 1000 ms',
      ms < 1000 ? 'ok' : 'above',
    ],
    [
      'resident memory, idle',
      `${megabytes} MB`,
      `${cold?.megabytes} MB without cache`,
      '',
      '< 150 MB',
      megabytes < 150 ? 'ok' : 'above',
    ],
  )
}

async function startOnce(databaseUrl: string, cache: string): Promise<{ ms: number; megabytes: number }> {
  const startedAt = performance.now()
  const child = fork(path.join(import.meta.dirname, '../../src/server.ts'), {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    execArgv: nodeFlags,
    env: { ...serviceEnv(databaseUrl), NODE_COMPILE_CACHE: cache, PORT: String(await findFreePort()) },
  })
  await new Promise<void>(resolve => {
    child.stdout?.on('data', (chunk: Buffer) => {
      if (chunk.includes('"msg":"ready"')) resolve()
    })
  })
  const ms = performance.now() - startedAt
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
  return { ms, megabytes: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024) }
}

function measureSignature(): void {
  const body = Buffer.alloc(1024, 'x')
  const url = `${publicUrl}/jobs/noop-0`
  const now = new Date()
  const header = mintToken({ url, body, key: keys.current, now })
  const input = { header, body, url, keys, nowEpochSeconds: Math.floor(now.getTime() / 1000), toleranceSeconds: 0 }
  const times: number[] = []
  for (let round = 0; round < 20; round += 1) {
    const startedAt = performance.now()
    for (let check = 0; check < 2_000; check += 1) verifySignature(input)
    times.push((performance.now() - startedAt) / 2)
  }
  const us = medianOf(times)
  table.push(['signature check, 1 KiB body', `${us.toFixed(1)} µs`, '', '', '<= 10 µs', us <= 10 ? 'ok' : 'above'])
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
