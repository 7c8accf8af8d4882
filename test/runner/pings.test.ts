import { sql } from 'kysely'
import t from 'tap'
import { countOwedPings } from '../../src/database/heartbeat-pings.ts'
import type { SendResult } from '../../src/providers/heartbeat.ts'
import { createPings } from '../../src/runner/pings.ts'
import {
  delivered,
  heartbeatsOf,
  jobs,
  later,
  movingClock,
  noon,
  notNow,
  owePing,
  readPing,
  recordSender,
  testPings,
  token,
  until,
} from '../support/pings.ts'

// A try that may take all of the inline budget leaves no room for a second one.
const noInlineTries = heartbeatsOf(jobs, 15_000)

t.test('what is owed goes out, the newest of each heartbeat, and nothing goes out twice', async t => {
  const { sender, sent } = recordSender()
  const { db, pings, messages } = await testPings(t, { sender })
  await owePing(db, { kind: 'fail', body: 'old' })
  await owePing(db, { kind: 'success' })
  const fail = await owePing(db, { job: 'process-tasks', kind: 'fail', body: 'why' })
  await owePing(db, { job: 'cleanup-blocked-dates', trueUntil: noon })
  await owePing(db, { job: 'weekly-report', trueUntil: noon })

  t.strictSame(await pings.sendOwed(), { delivered: 2, dropped: 3, owed: 0 })
  const url = (job: string) => `https://monitor.test/api/v1/heartbeat/${job}/${token}`
  t.match(
    sent.toSorted((a, b) => a.url.localeCompare(b.url)),
    [
      { url: url('keep-alive'), kind: 'success', body: null, timeoutMs: 5_000 },
      { url: url('process-tasks'), kind: 'fail', body: 'why' },
    ],
  )
  t.match(await readPing(db, fail), { state: 'delivered', attempts: 1, finished_at: noon.toISOString(), note: null })
  t.strictSame(await pings.sendOwed(), { delivered: 0, dropped: 0, owed: 0 })
  t.equal(sent.length, 2)
  t.equal(messages().filter(message => message === 'heartbeat ping dropped').length, 3)
})

t.test('a ping that does not arrive stays owed, and its waits double up to five minutes, spread by chance', async t => {
  let answer: SendResult = notNow
  const { sender, sent } = recordSender(() => answer)
  const { db, pings, time } = await testPings(t, { sender, heartbeats: noInlineTries, random: () => 0.5 })
  const id = await owePing(db, { trueUntil: later(86_400_000) })
  const waits: number[] = []
  for (let attempt = 1; attempt <= 12; attempt += 1) {
    t.strictSame(await pings.sendOwed(), { delivered: 0, dropped: 0, owed: 1 })
    const next = new Date((await readPing(db, id)).next_attempt_at)
    waits.push(next.getTime() - time.now.getTime())
    time.now = next
  }
  t.strictSame(waits.slice(0, 4), [250, 500, 1_000, 2_000])
  t.strictSame(waits.slice(9), [128_000, 150_000, 150_000])
  t.equal(sent.length, 12, 'once each time it was due')

  answer = { outcome: 'retryable', reason: 'status 429', retryAfterMs: 42_000 }
  const shy = await owePing(db, { nextAttemptAt: time.now, trueUntil: later(86_400_000) })
  await pings.sendOwed()
  const { next_attempt_at: next, note } = await readPing(db, shy)
  t.strictSame([Date.parse(next) - time.now.getTime(), note], [42_000, 'status 429'])
})

t.test('one pass tries three times, or as often as its budget allows, and leaves the rest to the minute', async t => {
  const { sender, sent } = recordSender(() => notNow)
  const { db, log, pings } = await testPings(t, { sender, clock: movingClock(), random: () => 0 })
  await owePing(db)
  t.strictSame(await pings.sendOwed(), { delivered: 0, dropped: 0, owed: 1 })
  t.equal(sent.length, 3)

  const heartbeats = noInlineTries
  const patient = createPings({ db, sender, heartbeats, clock: movingClock(), owner: 'two', log, random: () => 0 })
  const id = await owePing(db)
  await patient.sendOwed()
  t.match(await readPing(db, id), { attempts: 1 }, 'a second try of 15 s would be beyond the 15 s')
})

t.test('a ping that arrives at the second try needs no minute', async t => {
  const { sender, kinds } = recordSender(() => (kinds().length === 1 ? notNow : delivered))
  const { db, pings } = await testPings(t, { sender, clock: movingClock(), random: () => 0 })
  await owePing(db)
  t.strictSame(await pings.sendOwed(), { delivered: 1, dropped: 0, owed: 0 })
})

t.test('a later success waits for the fail that is on its way, and follows it at once', async t => {
  const gate = Promise.withResolvers<SendResult>()
  const { kinds, sender } = recordSender(async ({ kind }) => (kind === 'fail' ? await gate.promise : delivered))
  const { db, pings } = await testPings(t, { sender })
  await owePing(db, { kind: 'fail' })
  const first = pings.sendOwed()
  await until(() => kinds().length === 1)
  const success = await owePing(db)
  const second = pings.sendOwed()
  await owePing(db, { job: 'process-tasks' })
  const third = pings.sendOwed()
  await until(() => kinds().length === 2)
  t.equal((await readPing(db, success)).state, 'pending')
  gate.resolve(delivered)
  await Promise.all([first, second, third])
  t.strictSame(kinds(), ['fail', 'success', 'success'])
  t.match(await readPing(db, success), { state: 'delivered' })
})

t.test('a fail that did not arrive is never sent after a later success', async t => {
  const gate = Promise.withResolvers<SendResult>()
  const { kinds, sender } = recordSender(async ({ kind }) => (kind === 'fail' ? await gate.promise : delivered))
  const { db, pings, time } = await testPings(t, { sender })
  const fail = await owePing(db, { kind: 'fail' })
  const pass = pings.sendOwed()
  await until(() => kinds().length === 1)
  await owePing(db)
  gate.resolve(notNow)
  t.strictSame(await pass, { delivered: 1, dropped: 1, owed: 0 })
  time.now = later(500_000)
  await pings.sendOwed()
  t.strictSame(kinds(), ['fail', 'success'])
  t.match(await readPing(db, fail), { state: 'dropped', note: 'superseded' })
})

t.test('a newer ping has three tries of its own', async t => {
  const { kinds, sender } = recordSender(async () => {
    if (kinds().length === 3) await owePing(db)
    return kinds().length < 6 ? notNow : delivered
  })
  const { db, pings } = await testPings(t, { sender, clock: movingClock(), random: () => 0 })
  await owePing(db, { kind: 'fail' })
  t.strictSame(await pings.sendOwed(), { delivered: 1, dropped: 1, owed: 0 })
  t.strictSame(kinds(), ['fail', 'fail', 'fail', 'success', 'success', 'success'])
})

t.test('a host that hangs holds up its own heartbeat only, also for pings that come later', async t => {
  const gate = Promise.withResolvers<SendResult>()
  const { sender } = recordSender(async ({ url }) => (url.includes('keep-alive') ? await gate.promise : delivered))
  const { db, pings } = await testPings(t, { sender })
  const stuck = await owePing(db)
  const others = [await owePing(db, { job: 'process-tasks' })]
  const passes = [pings.sendOwed()]
  await until(async () => (await readPing(db, others[0] ?? '')).state === 'delivered')
  others.push(await owePing(db, { job: 'process-tasks' }), await owePing(db, { job: 'cleanup-blocked-dates' }))
  passes.push(pings.sendOwed())
  for (const id of others) await until(async () => (await readPing(db, id)).state === 'delivered')
  t.equal((await readPing(db, stuck)).state, 'sending')
  gate.resolve(delivered)
  await Promise.all(passes)
})

t.test('calls at the same time share one look at the database, and none of them misses what it wrote', async t => {
  let looks = 0
  const { sender, sent } = recordSender()
  const clock = (): Date => {
    looks += 1
    return noon
  }
  const { db, pings } = await testPings(t, { sender, clock })
  const results = await Promise.all(Array.from({ length: 50 }, async () => await pings.sendOwed()))
  t.ok(looks <= 2, `${looks} looks`)
  t.strictSame(new Set(results.map(({ owed }) => owed)), new Set([0]))

  const all = Array.from({ length: 40 }, async (_, index) => {
    await owePing(db, { job: jobs[index % jobs.length] ?? '' })
    return await pings.sendOwed()
  })
  await Promise.all(all)
  t.equal(await countOwedPings(db), 0)
  const newest = await db.selectFrom('jobs.heartbeat_pings').select('state').orderBy('id', 'desc').limit(1).execute()
  t.strictSame(newest, [{ state: 'delivered' }])
  t.ok(sent.length >= jobs.length)
})

t.test('a call while another one looks at the database waits for a look of its own', async t => {
  const { db, pings } = await testPings(t)
  const blocked = await owePing(db)
  const passes: Promise<unknown>[] = []
  await db.transaction().execute(async trx => {
    await trx.selectFrom('jobs.heartbeat_pings').selectAll().where('id', '=', blocked).forUpdate().execute()
    passes.push(pings.sendOwed())
    await until(async () => (await sql`select from pg_locks where not granted`.execute(db)).rows.length > 0)
    await owePing(db, { job: 'process-tasks' })
    passes.push(pings.sendOwed())
  })
  await Promise.all(passes)
  t.equal(await countOwedPings(db), 0)
})

t.test('more heartbeats than go out at once all go out in one pass', async t => {
  const names = Array.from({ length: 40 }, (_, index) => `job-${index}`)
  let running = 0
  let most = 0
  const { sender } = recordSender(async () => {
    most = Math.max(most, ++running)
    await new Promise(setImmediate)
    running -= 1
    return delivered
  })
  const { db, pings } = await testPings(t, { sender, heartbeats: heartbeatsOf(names) })
  for (const job of names) await owePing(db, { job })
  t.strictSame(await pings.sendOwed(), { delivered: 40, dropped: 0, owed: 0 })
  t.ok(most <= 16, `${most} at once`)
})
