import { once } from 'node:events'
import { sql } from 'kysely'
import t from 'tap'
import { createDatabase } from '../../src/database/connection.ts'
import { migrateToLatest } from '../../src/database/migrator.ts'
import { applyMarketplace } from '../../src/sandbox/marketplace.ts'
import { startPostgres } from '../../src/sandbox/postgres.ts'
import { createRows, countTraces } from '../support/traces.ts'
import { type Child, operatorToken, type Reply, send, sendUntilDone, startChild } from '../support/processes.ts'

const statusOf = async (url: string, path: string): Promise<number> => (await fetch(`${url}${path}`)).status

async function until(check: () => Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise(resolve => setTimeout(resolve, 50))
}

/** Moves the process's clock on, past what its probes remember. */
async function forget(child: Child, aheadMs: number): Promise<void> {
  const clockSet = once(child.process, 'message')
  child.process.send({ clockAt: new Date(Date.now() + aheadMs).toISOString() })
  await clockSet
}

const postgres = await startPostgres()
t.teardown(async () => {
  await postgres.stop()
})

t.test('the database stops and starts in the middle: nothing is half-written and nobody has to help', async t => {
  const db = createDatabase({ connectionString: postgres.url, onError: () => {} })
  t.teardown(async () => {
    await db.destroy()
  })
  await applyMarketplace(db)
  await migrateToLatest(db)
  await createRows(db, 4)
  const env = { CHILD_JOBS: '4', CHILD_GATHER_MS: '400' }
  const child = await startChild(t, { databaseUrl: postgres.url, env })
  t.equal((await send(child, { job: 'traced-0', messageId: 'before' })).statusCode, 200)
  t.equal(await statusOf(child.url, '/readyz'), 200)

  const inFlight = ['traced-1', 'traced-2'].map(async job => await send(child, { job, messageId: `during-${job}` }))
  while (
    (await sql<{ n: number }>`select count(*)::integer as n from jobs.runs where state = 'running'`.execute(db)).rows[0]
      ?.n !== 2
  ) {
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  await postgres.interrupt()
  const meanwhile: Reply[] = []
  for (let call = 0; call < 3; call += 1) meanwhile.push(await send(child, { job: 'traced-3', messageId: 'meanwhile' }))
  t.same([...new Set(meanwhile.map(reply => reply.statusCode))], [503], 'deliveries meanwhile are sent away')
  t.ok(meanwhile.every(reply => Number(reply.retryAfter) >= 1))
  const history = await fetch(`${child.url}/runs`, { headers: { authorization: `Bearer ${operatorToken}` } })
  t.equal(history.status, 503, 'operators too')
  t.ok(Number(history.headers.get('retry-after')) >= 1)
  const cut = await Promise.all(inFlight)
  t.ok(
    cut.every(reply => reply.statusCode >= 500),
    'runs that lost the database are no success',
  )
  await forget(child, 20_000)
  await until(async () => (await statusOf(child.url, '/readyz')) === 503)
  t.equal(await statusOf(child.url, '/healthz'), 200, 'the platform must not restart us')
  t.equal(await statusOf(child.url, '/livez'), 200)

  await postgres.resume()
  await forget(child, 40_000)
  await until(async () => (await statusOf(child.url, '/readyz')) === 200)
  const again = [
    { job: 'traced-1', messageId: 'during-traced-1' },
    { job: 'traced-2', messageId: 'during-traced-2' },
    { job: 'traced-3', messageId: 'meanwhile' },
  ]
  for (const message of again) t.equal((await sendUntilDone(child, message)).statusCode, 200)
  t.same(await countTraces(db), { rows: 12, traces: 12 }, 'each row once')
  const runs = await db.selectFrom('jobs.runs').select(['message_id', 'state']).orderBy('message_id').execute()
  t.same(runs, [
    { message_id: 'before', state: 'succeeded' },
    { message_id: 'during-traced-1', state: 'succeeded' },
    { message_id: 'during-traced-2', state: 'succeeded' },
    { message_id: 'meanwhile', state: 'succeeded' },
  ])
  const leases = await db.selectFrom('jobs.leases').select('owner').execute()
  t.ok(
    leases.every(lease => lease.owner === null),
    'no lease is left behind',
  )
})

t.test('a service that starts before its database waits for it and then serves', async t => {
  const databaseUrl = postgres.urlOf('late')
  const admin = createDatabase({ connectionString: postgres.url, onError: () => {} })
  await sql`create database late`.execute(admin)
  await admin.destroy()
  const db = createDatabase({ connectionString: databaseUrl, onError: () => {} })
  await applyMarketplace(db)
  await postgres.interrupt()
  await db.destroy()
  const child = await startChild(t, { databaseUrl, waitFor: 'listening' })
  t.equal(await statusOf(child.url, '/livez'), 200)
  t.equal(await statusOf(child.url, '/healthz'), 503)
  t.equal(await statusOf(child.url, '/readyz'), 503)
  t.equal((await send(child, { messageId: 'early' })).statusCode, 503)

  await postgres.resume()
  const late = createDatabase({ connectionString: databaseUrl, onError: () => {} })
  t.teardown(async () => {
    await late.destroy()
  })
  await until(async () => {
    try {
      await sql`select 1`.execute(late)
      return true
    } catch {
      return false
    }
  })
  t.equal(await statusOf(child.url, '/readyz'), 503, 'reachable, but not migrated')
  await migrateToLatest(late)
  await createRows(late, 1)
  await until(async () => (await statusOf(child.url, '/readyz')) === 200)
  t.equal((await send(child, { messageId: 'early' })).statusCode, 200)
})
