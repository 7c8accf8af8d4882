import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sql } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { AccountError, compareAccount, SchemaError, waitForDatabase } from '../src/boot.ts'
import type { Db } from '../src/database/connection.ts'
import { pinAccount } from '../src/database/stripe-account.ts'
import { processPendingPayouts } from '../src/jobs/process-pending-payouts.ts'
import { testApp } from './support/app.ts'
import { testDatabase } from './support/database.ts'

function bootOptions(onLine: (message: string) => void) {
  const ending = new AbortController()
  const log = pino({ level: 'info' }, { write: line => onLine((JSON.parse(line) as { msg: string }).msg) })
  const clock = () => new Date('2026-03-10T12:00:00Z')
  return { ending, options: { jobs: ['keep-alive'], live: false, clock, log, signal: ending.signal, retryMs: 10 } }
}

t.test('a database that is one migration behind is waited for', async t => {
  const { db } = await testDatabase(t)
  const { rows } = await sql<{ name: string; timestamp: string }>`
    delete from jobs.kysely_migration where name = (select max(name) from jobs.kysely_migration)
    returning name, timestamp`.execute(db)
  const behind = Promise.withResolvers<void>()
  const { options } = bootOptions(message => {
    if (/behind this build/.test(message)) behind.resolve()
  })
  let booted = false
  const boot = waitForDatabase({ ...options, db }).finally(() => {
    booted = true
  })
  await behind.promise
  t.equal(booted, false)
  await sql`insert into jobs.kysely_migration (name, timestamp) values (${rows[0]?.name}, ${rows[0]?.timestamp})`.execute(
    db,
  )
  await boot
  t.same(await db.selectFrom('jobs.job_settings').select('job').execute(), [{ job: 'keep-alive' }])
})

t.test('a marketplace that lacks what the jobs need ends the wait with the whole list', async t => {
  const { db } = await testDatabase(t)
  await sql`alter table blocked_dates rename column timezone to zone`.execute(db)
  await sql`alter table blocked_dates rename column date to day`.execute(db)
  const { options } = bootOptions(() => {})
  const err = await waitForDatabase({ ...options, db }).catch((thrown: unknown) => thrown)
  t.ok(err instanceof SchemaError)
  t.match(String(err), /blocked_dates\.date[^]*blocked_dates\.timezone|blocked_dates\.timezone[^]*blocked_dates\.date/)
})

t.test('an index that is missing, or that nobody can use, is told at boot and does not stop it', async t => {
  const { db } = await testDatabase(t)
  const told: string[] = []
  const { options } = bootOptions(message => told.push(message))
  await waitForDatabase({ ...options, db })
  t.same(told, [])
  await sql`update pg_index set indisvalid = false where indexrelid = to_regclass('"meetings_startTime_idx"')`.execute(
    db,
  )
  await waitForDatabase({ ...options, db })
  await sql`drop index "meetings_startTime_idx"`.execute(db)
  await waitForDatabase({ ...options, db })
  t.match(told, [/index is missing or unusable.*npm run migrate/, /index is missing/])
  t.equal(told.length, 2)
})

t.test('a process that has to end stops waiting', async t => {
  const { db } = await testDatabase(t)
  await sql`drop schema jobs cascade`.execute(db)
  const { ending, options } = bootOptions(message => {
    if (/behind this build/.test(message)) ending.abort()
  })
  await t.rejects(waitForDatabase({ ...options, db }), { name: 'AbortError' })
})

t.test('a key of the other mode ends the wait, whichever of the two is live', async t => {
  for (const live of [true, false]) {
    const { db } = await testDatabase(t)
    const { options } = bootOptions(() => {})
    await waitForDatabase({ ...options, db, live })
    t.equal(await countPins(db), 0, 'booting alone pins nothing')
    await pinAccount(db, { account: 'acct_1ours', live }, options.clock())
    await waitForDatabase({ ...options, db, live })
    const err = await waitForDatabase({ ...options, db, live: !live }).catch((thrown: unknown) => thrown)
    t.ok(err instanceof AccountError)
    t.match(String(err), live ? /live mode, and the key to test mode/ : /test mode, and the key to live mode/)
    t.match(String(err), /STRIPE_SECRET_KEY/, 'and it says what to do')
  }
})

t.test('a key of another account is told from one that could not be asked about', async t => {
  const { db } = await testDatabase(t)
  const lines: string[] = []
  const { ending, options } = bootOptions(message => lines.push(message))
  const compare = async (readPlatform: () => Promise<{ account: string; live: boolean }>, signal = ending.signal) =>
    await compareAccount({ db, log: options.log, signal, budgetMs: 50, payments: { readPlatform } })
  const notAsked = async () => await Promise.reject(new Error('it was asked'))

  t.equal(await compare(notAsked), undefined)
  t.strictSame(lines, [], 'before anything is pinned there is nothing to ask')
  await pinAccount(db, { account: 'acct_1ours', live: false }, options.clock())
  t.equal(await compare(async () => ({ account: 'acct_1ours', live: false })), undefined)
  t.strictSame(lines, [])
  const err = await compare(async () => ({ account: 'acct_1theirs', live: false }))
  t.ok(err instanceof AccountError)
  t.match(err?.message, /belongs to the Stripe account acct_1ours, and the key to acct_1theirs/)
  t.equal(await compare(async () => await Promise.reject(new Error('no answer'))), undefined)
  t.strictSame(lines, ['could not ask stripe whose key this is'])

  const silent = async (signal: AbortSignal): Promise<never> => {
    signal.throwIfAborted()
    return await new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error)),
    )
  }
  const payments = { readPlatform: silent }
  t.equal(await compareAccount({ db, log: options.log, signal: ending.signal, budgetMs: 20, payments }), undefined)
  t.equal(lines.length, 2, 'an answer is not waited for without end')
  ending.abort()
  t.equal(await compareAccount({ db, log: options.log, signal: ending.signal, payments }), undefined)
  t.equal(lines.length, 2, 'and a process that ends has nothing to warn of')
})

t.test('the running service says that it must end when Stripe names another account', async t => {
  const stripe = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"acct_1theirs","object":"account"}')
  })
  await new Promise<void>(resolve => stripe.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    stripe.close()
    stripe.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(stripe.address() as AddressInfo).port}`
  const { app, call, db, logs } = await testApp(t, { boot: false, env: { STRIPE_API_BASE_URL: url } })
  await pinAccount(db, { account: 'acct_1ours', live: false }, new Date('2026-03-10T12:00:00Z'))
  await app.boot()

  const err = await app.misplaced
  t.ok(err instanceof AccountError)
  t.equal((await call('GET', '/healthz')).statusCode, 503, 'and it wants to be replaced')
  t.notMatch(`${err.stack} ${JSON.stringify(logs())}`, /sk_test_/)
})

t.test('a MONEY_SINCE that is in doubt is told at boot, once', async t => {
  const messages = async (MONEY_SINCE: string) => {
    const { logs } = await testApp(t, { env: { MONEY_SINCE }, jobs: [processPendingPayouts] })
    return logs().filter(({ msg }) => msg === 'the cut-over is in doubt')
  }
  t.equal((await messages('2026-03-10T12:00:30.000Z')).length, 0, 'at this very moment')
  const told = await messages('2026-03-10T12:00:30.001Z')
  t.match(told, [{ level: 40, since: '2026-03-10T12:00:30.001Z', doubt: /^MONEY_SINCE is in the future/ }])
  t.equal(told.length, 1)
})

async function countPins(db: Db): Promise<number> {
  return (await db.selectFrom('jobs.stripe_account').selectAll().execute()).length
}
