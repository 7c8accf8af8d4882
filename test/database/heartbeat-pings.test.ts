import { sql } from 'kysely'
import t from 'tap'
import { createDatabase, type Db } from '../../src/database/connection.ts'
import {
  claimPings,
  countOwedPings,
  finishPing,
  type PingClaiming,
  returnPing,
} from '../../src/database/heartbeat-pings.ts'
import { testDatabase } from '../support/database.ts'
import { later, letClaimsRunOut, noon, owePing, readPing, until } from '../support/pings.ts'

async function claim(db: Db, change: Partial<PingClaiming> = {}) {
  const jobs = ['keep-alive', 'process-tasks', 'cleanup-blocked-dates']
  const result = await claimPings(db, { owner: 'one', jobs, limit: 16, claimMs: 30_000, now: noon, ...change })
  return { ...result, ids: result.claimed.map(({ id }) => id), notes: result.dropped.map(({ note }) => note) }
}

t.test('the newest ping of each job is claimed, and the older ones are dropped', async t => {
  const { db } = await testDatabase(t)
  const old = await owePing(db, { kind: 'fail', body: 'why' })
  const older = await owePing(db)
  const newest = await owePing(db, { kind: 'fail', body: 'why' })
  const other = await owePing(db, { job: 'process-tasks' })
  t.equal(await countOwedPings(db), 4)

  const { claimed, dropped } = await claim(db)
  const fields = { runId: null, attempts: 1 }
  t.strictSame(
    claimed.toSorted((a, b) => Number(a.id) - Number(b.id)),
    [
      { ...fields, id: newest, job: 'keep-alive', kind: 'fail', body: 'why' },
      { ...fields, id: other, job: 'process-tasks', kind: 'success', body: null },
    ],
  )
  t.strictSame(dropped.map(({ id }) => id).toSorted(), [old, older].toSorted())
  t.match(await readPing(db, old), {
    state: 'dropped',
    note: 'superseded',
    finished_at: noon.toISOString(),
    claimed_until: null,
  })
  t.equal(await countOwedPings(db), 2)
})

t.test('a ping is claimed while it is due and true, and only where its heartbeat is known', async t => {
  const { db } = await testDatabase(t)
  const id = await owePing(db, { nextAttemptAt: later(1_000), trueUntil: later(5_000) })
  t.strictSame((await claim(db, { now: later(999) })).ids, [], 'not before it is due')
  t.strictSame((await claim(db, { now: later(1_000) })).ids, [id])

  const stale = await owePing(db, { job: 'process-tasks', trueUntil: later(5_000) })
  t.strictSame((await claim(db, { now: later(5_000) })).notes, ['no longer true'])
  t.match(await readPing(db, stale), { state: 'dropped', finished_at: later(5_000).toISOString() })

  const foreign = await owePing(db, { job: 'weekly-report', trueUntil: later(9_000) })
  const before = await claim(db, { jobs: [], now: later(8_999) })
  t.strictSame([before.ids, before.notes], [[], []], 'a preview without heartbeats leaves them to production')
  t.strictSame((await claim(db, { jobs: ['weekly-report'], now: later(8_999) })).ids, [foreign])
  await letClaimsRunOut(db)
  t.strictSame((await claim(db, { job: 'weekly-report', now: later(9_000) })).notes, ['no heartbeat is known'])
})

t.test('a claim is limited in number, and may be of one job', async t => {
  const { db } = await testDatabase(t)
  const first = await owePing(db, { job: 'keep-alive' })
  const second = await owePing(db, { job: 'process-tasks' })
  const third = await owePing(db, { job: 'cleanup-blocked-dates' })
  t.strictSame((await claim(db, { limit: 0 })).ids, [])
  t.strictSame((await claim(db, { job: 'process-tasks', limit: 1 })).ids, [second])
  t.strictSame((await claim(db, { limit: 1 })).ids, [first])
  t.strictSame((await claim(db, { limit: 1 })).ids, [third])
})

t.test('while a ping is on its way the next one of its heartbeat waits, whatever it says', async t => {
  const { db } = await testDatabase(t)
  const fail = await owePing(db, { kind: 'fail' })
  const [sending] = (await claim(db)).claimed
  const success = await owePing(db)
  t.strictSame((await claim(db, { owner: 'two' })).ids, [])
  if (sending === undefined) throw new Error('nothing was claimed')

  t.equal(await returnPing(db, sending, later(500), 'status 503'), true)
  t.match(await readPing(db, fail), {
    state: 'pending',
    note: 'status 503',
    next_attempt_at: later(500).toISOString(),
    attempts: 1,
  })
  const after = await claim(db, { owner: 'two', now: later(500) })
  t.strictSame(after.ids, [success], 'the fail that did not arrive is out of date')
  t.strictSame(after.notes, ['superseded'])
  await t.rejects(
    sql`update jobs.heartbeat_pings set state = 'sending', finished_at = null, claimed_until = now() where id = ${fail}`.execute(
      db,
    ),
    { code: '23505' },
    'two pings of one heartbeat cannot be on their way',
  )
})

t.test('a fail that was written earlier and shows up after a success has arrived is dropped', async t => {
  const { db } = await testDatabase(t)
  const slow = await db.startTransaction().execute()
  const fail = await owePing(slow, { kind: 'fail' })
  const success = await owePing(db)
  const [sending] = (await claim(db)).claimed
  if (sending === undefined) throw new Error('nothing was claimed')
  t.equal(await finishPing(db, sending, { state: 'delivered', note: null, now: noon }), true)
  await slow.commit().execute()

  const late = await claim(db)
  t.strictSame([late.ids, late.notes], [[], ['superseded']])
  t.match(await readPing(db, fail), { state: 'dropped', attempts: 0 })
  t.match(await readPing(db, success), { state: 'delivered', claimed_by: null, claimed_until: null })
})

t.test('a claim that ran out is taken over, and its first owner can change nothing any more', async t => {
  const { db } = await testDatabase(t)
  const id = await owePing(db)
  const [lost] = (await claim(db)).claimed
  if (lost === undefined) throw new Error('nothing was claimed')
  t.strictSame(
    (await claim(db, { owner: 'two', now: new Date('2100-01-01') })).ids,
    [],
    'our own clock does not end a claim',
  )
  await letClaimsRunOut(db)
  const [taken] = (await claim(db, { owner: 'two' })).claimed
  t.match(taken, { id, attempts: 2 })

  t.equal(await finishPing(db, lost, { state: 'dropped', note: 'status 404', now: noon }), false)
  t.equal(await returnPing(db, lost, later(1), 'status 503'), false)
  t.match(await readPing(db, id), { state: 'sending', claimed_by: 'two' })
  await letClaimsRunOut(db)
  const [again] = (await claim(db)).claimed
  t.equal(again?.attempts, 3)
  t.equal(await finishPing(db, lost, { state: 'delivered', note: null, now: noon }), false, 'nor when it has it again')

  await letClaimsRunOut(db)
  const newer = await owePing(db, { kind: 'fail' })
  const next = await claim(db)
  t.strictSame([next.ids, next.notes], [[newer], ['superseded']], 'what a vanished sender left may be out of date')
  if (again === undefined) throw new Error('nothing was claimed')
  t.equal(await finishPing(db, again, { state: 'delivered', note: null, now: noon }), false)
  t.match(await readPing(db, id), { state: 'dropped', note: 'superseded' })
})

t.test('a process that asks while another one claims sees what that one did', async t => {
  const { db, url } = await testDatabase(t)
  const second = createDatabase({ connectionString: url, onError: () => {} })
  t.teardown(async () => await second.destroy())
  await owePing(db, { kind: 'fail' })
  let waiting: ReturnType<typeof claim> | undefined
  await db.transaction().execute(async trx => {
    t.equal((await claim(trx)).ids.length, 1)
    await owePing(second)
    waiting = claim(second, { owner: 'two' })
    await until(async () => {
      const { rows } = await sql`select from pg_locks where not granted`.execute(db)
      return rows.length > 0
    })
  })
  t.strictSame((await waiting)?.ids, [], 'the success waits for the fail that is on its way')
})

t.test('many processes claim at once, and each heartbeat gets one sender', async t => {
  const { db } = await testDatabase(t)
  const jobs = Array.from({ length: 12 }, (_, index) => `job-${index}`)
  for (let round = 0; round < 5; round += 1) {
    for (const job of jobs) await owePing(db, { job })
    const claims = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => await claim(db, { jobs, owner: `process ${index}` })),
    )
    const claimed = claims.flatMap(one => one.claimed)
    t.strictSame(claimed.map(({ job }) => job).toSorted(), jobs.toSorted())
    for (const ping of claimed) await finishPing(db, ping, { state: 'delivered', note: null, now: noon })
  }
  t.equal(await countOwedPings(db), 0)
})
