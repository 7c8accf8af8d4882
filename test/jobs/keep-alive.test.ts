import { createHash } from 'node:crypto'
import t from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { KeyRefusedError, RetryLaterError } from '../../src/errors.ts'
import { keepAlive, maxExperts, type Ping, planKeepAlive, slowMs } from '../../src/jobs/keep-alive.ts'
import type { CalendarTokens } from '../../src/providers/clerk.ts'
import type { Reachability, Reached } from '../../src/providers/reachability.ts'
import { addProfile, addTokenRefresh, readAll } from '../support/builders.ts'
import { testDatabase } from '../support/database.ts'
import { applyAll, planOf, testContext } from '../support/job-context.ts'

const now = '2026-05-10T00:10:00.000Z'

const ping = (name: Ping['name'], overrides: Partial<Ping> = {}): Ping => ({
  name,
  critical: true,
  state: 'up',
  latencyMs: 12,
  detail: '',
  ...overrides,
})

const planPings = (...pings: Ping[]) => planKeepAlive({ pings, dueExperts: undefined })

t.test('a critical dependency that is down makes the run incomplete; another is only counted', async t => {
  const plan = planPings(
    ping('site', { state: 'down', detail: 'answered 502' }),
    ping('database'),
    ping('qstash', { state: 'down', critical: false }),
  )
  t.same(plan.failures, [{ subject: 'site', code: 'down', message: 'site is down: answered 502' }])
  t.same(plan.counts, { pings: 3, down: 2, slow: 0 })
  t.same(plan.findings, [])
})

t.test('one that turns us away is a finding and no failure', async t => {
  const plan = planPings(ping('qstash', { state: 'misconfigured', detail: 'refused our token (401)' }))
  t.same(plan.failures, [])
  t.match(plan.findings, [{ kind: 'misconfigured', subject: 'qstash', message: /refused our token/ }])
})

t.test('an answer after more than five seconds is counted as slow', async t => {
  t.equal(planPings(ping('site', { latencyMs: slowMs })).counts?.['slow'], 0)
  t.equal(planPings(ping('site', { latencyMs: slowMs + 1 })).counts?.['slow'], 1)
})

t.test('each due expert is one effect, and those beyond the limit are left', async t => {
  const plan = planKeepAlive({
    pings: [],
    dueExperts: { rows: [{ clerkUserId: 'user_1', wasMissing: true }], total: 4 },
  })
  t.same(plan.effects, [{ kind: 'refresh-calendar-token', subject: 'user_1', wasMissing: true }])
  t.equal(plan.left, 3)
})

/** A dependency that gives the same answer every time. */
function answers(reached: Partial<Reached>): Reachability {
  return { check: async () => ({ state: 'up', latencyMs: 5, detail: '', ...reached }) }
}

t.test('the site, the database and the scheduler are asked at the same time, all of them critical', async t => {
  const { db } = await testDatabase(t)
  const gate = Promise.withResolvers<Reached>()
  const waiting: Reachability = { check: async () => await gate.promise }
  const opening: Reachability = {
    check: async () => {
      gate.resolve({ state: 'down', latencyMs: 9, detail: 'answered 500' })
      return { state: 'down', latencyMs: 9, detail: 'answered 503' }
    },
  }
  const plan = await planOf(keepAlive, testContext(db, now, { providers: { site: waiting, qstash: opening } }))
  t.same(
    plan.failures?.map(({ subject }) => subject),
    ['site', 'qstash'],
  )
  t.same(plan.counts, { pings: 3, down: 2, slow: 0 })
})

t.test('without a scheduler token only the site and the database are asked', async t => {
  const { db } = await testDatabase(t)
  const plan = await planOf(keepAlive, testContext(db, now))
  t.same(plan.counts, { pings: 2, down: 0, slow: 0 })
})

t.test('a database that does not answer is a failure, and nobody is asked for tokens', async t => {
  const { db } = await testDatabase(t)
  await addProfile(db)
  const broken = new Proxy(db, {
    get: () => {
      throw new Error('connection lost')
    },
  })
  const site = answers({})
  const facts = await keepAlive
    .gather(testContext(broken, now, { providers: { site, calendarTokens: tokens().calendarTokens } }), undefined)
    .catch((err: unknown) => err)
  t.match(keepAlive.plan(facts, new Date(now)), { failures: [{ subject: 'database', code: 'down' }], effects: [] })
})

interface Tokens {
  readonly calendarTokens: CalendarTokens
  readonly refreshed: string[]
  readonly disconnected: string[]
}

/** Clerk as a test wants it: `answer` says what a refresh comes to, or throws. */
function tokens(answer: (id: string) => 'refreshed' | 'missing' | 'unknown-user' = () => 'refreshed'): Tokens {
  const refreshed: string[] = []
  const disconnected: string[] = []
  return {
    refreshed,
    disconnected,
    calendarTokens: {
      refresh: async id => {
        refreshed.push(id)
        return answer(id)
      },
      markDisconnected: async id => {
        disconnected.push(id)
      },
    },
  }
}

const runAt = async (db: Db, at: string, { calendarTokens }: Tokens) => {
  const context = testContext(db, at, { providers: { calendarTokens } })
  const plan = await planOf(keepAlive, context)
  return { plan, ...(await applyAll(keepAlive, plan.effects, context)) }
}

t.test('every expert is refreshed once per UTC day, and again on the next', async t => {
  const { db } = await testDatabase(t)
  const ids = [await addProfile(db), await addProfile(db), await addProfile(db)].toSorted()
  const clerk = tokens()
  await runAt(db, '2026-05-10T00:00:00.000Z', clerk)
  t.same(clerk.refreshed.toSorted(), ids)
  for (const at of ['2026-05-10T00:10:00.000Z', '2026-05-10T23:59:59.999Z']) await runAt(db, at, clerk)
  t.equal(clerk.refreshed.length, 3, 'not twice on one day')
  const { counts } = await runAt(db, '2026-05-11T00:00:00.000Z', clerk)
  t.same(counts, { refreshed: 3 })
  t.same(clerk.disconnected, [])
})

t.test('a run that was cut off goes on where it stopped', async t => {
  const { db } = await testDatabase(t)
  for (let count = 0; count < 5; count += 1) await addProfile(db)
  let calls = 0
  const first = tokens(() => {
    calls += 1
    if (calls === 3) throw new Error('the process died')
    return 'refreshed'
  })
  await t.rejects(runAt(db, now, first), /died/)
  const second = tokens()
  await runAt(db, now, second)
  t.equal(second.refreshed.length, 3)
  t.notOk(second.refreshed.some(id => first.refreshed.slice(0, 2).includes(id)))
})

t.test('a missing token marks the expert as disconnected once, and again only after a token was there', async t => {
  const { db } = await testDatabase(t)
  const id = await addProfile(db)
  const missing = tokens(() => 'missing')
  for (const day of [10, 11, 12]) t.same((await runAt(db, `2026-05-${day}T00:00:00Z`, missing)).counts, { missing: 1 })
  t.same(missing.disconnected, [id])
  await runAt(db, '2026-05-13T00:00:00Z', tokens())
  await runAt(db, '2026-05-14T00:00:00Z', missing)
  t.same(missing.disconnected, [id, id])
  t.match(await readAll(db, 'jobs.token_refreshes'), [
    { clerk_user_id: id, result: 'missing', refreshed_at: new Date('2026-05-14T00:00:00Z') },
  ])
})

t.test('an expert whom Clerk does not know is a finding and is never written to', async t => {
  const { db } = await testDatabase(t)
  const id = await addProfile(db)
  const clerk = tokens(() => 'unknown-user')
  const { findings } = await runAt(db, now, clerk)
  t.match(findings, [{ kind: 'unknown-expert', subject: id }])
  t.same(clerk.disconnected, [])
  t.match(await readAll(db, 'jobs.token_refreshes'), [{ clerk_user_id: id, result: 'unknown-user' }])
})

t.test('no failure of Clerk ever writes to Clerk or to our record', async t => {
  const { db } = await testDatabase(t)
  const id = await addProfile(db)
  await addTokenRefresh(db, { clerk_user_id: id, refreshed_at: new Date('2026-05-09T00:00:00Z') })
  const failures = [new Error('clerk answered 500'), new KeyRefusedError('refused'), new RetryLaterError('slow', 30)]
  for (const failure of failures) {
    const clerk = tokens(() => {
      throw failure
    })
    await t.rejects(runAt(db, now, clerk), failure)
    t.same(clerk.disconnected, [])
  }
  t.match(await readAll(db, 'jobs.token_refreshes'), [
    { result: 'refreshed', refreshed_at: new Date('2026-05-09T00:00:00Z') },
  ])
})

t.test('a mark that could not be made is made by the next run', async t => {
  const { db } = await testDatabase(t)
  const id = await addProfile(db)
  const clerk = tokens(() => 'missing')
  const failing: CalendarTokens = {
    refresh: async (id, signal) => await clerk.calendarTokens.refresh(id, signal),
    markDisconnected: async () => {
      throw new Error('clerk answered 502')
    },
  }
  await t.rejects(runAt(db, now, { ...clerk, calendarTokens: failing }), /502/)
  t.same(await readAll(db, 'jobs.token_refreshes'), [], 'nothing is recorded')
  await runAt(db, now, clerk)
  t.same(clerk.disconnected, [id])
})

t.test(
  'one run takes a bounded number of experts, each once, and those who always fail do not block the others',
  async t => {
    const { db } = await testDatabase(t)
    for (let count = 0; count < maxExperts + 50; count += 1) await addProfile(db)
    const all = (await readAll(db, 'profiles')).map(profile => profile.clerkUserId)
    // More than one run takes always fail: in a fixed order some of the others would never have a turn.
    const broken = new Set(all.slice(0, maxExperts + 30))
    const seen = new Set<string>()
    for (let run = 0; run < 40; run += 1) {
      const at = new Date(Date.parse(now) + run * 600_000).toISOString()
      const context = testContext(db, at, { providers: { calendarTokens: tokens().calendarTokens } })
      const plan = await planOf(keepAlive, context)
      t.equal(plan.effects.length + (plan.left ?? 0), all.length - seen.size)
      t.ok(plan.effects.length <= maxExperts)
      const fine = plan.effects.filter(effect => !broken.has(effect.subject))
      await applyAll(keepAlive, fine, context)
      for (const effect of fine) seen.add(effect.subject)
    }
    t.equal(seen.size, 20)
  },
)

t.test('the order of a run can be told beforehand', async t => {
  const { db } = await testDatabase(t)
  const ids = [await addProfile(db), await addProfile(db), await addProfile(db), await addProfile(db)]
  const rank = (id: string): string => createHash('md5').update(`${id}${now}`).digest('hex')
  const plan = await planOf(keepAlive, testContext(db, now, { providers: tokens() }))
  t.same(
    plan.effects.map(effect => effect.subject),
    ids.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)),
  )
})

t.test('without Clerk, or without the profiles table, the refresh is off and the pings go on', async t => {
  const { db } = await testDatabase(t)
  await addProfile(db)
  t.same((await planOf(keepAlive, testContext(db, now))).effects, [])
  await db.schema.alterTable('profiles').renameColumn('clerkUserId', 'userId').execute()
  const context = testContext(db, now, { providers: tokens() })
  const plan = await planOf(keepAlive, context)
  t.same(plan.effects, [])
  t.same(plan.counts, { pings: 2, down: 0, slow: 0 })
  t.match(context.lines, [{ level: 40, msg: /calendar tokens not refreshed/ }])
  await db.schema.dropTable('profiles').execute()
  t.same((await planOf(keepAlive, testContext(db, now, { providers: tokens() }))).effects, [])
})

t.test('a refresh that was planned with Clerk and is applied without it says so', async t => {
  const { db } = await testDatabase(t)
  const effect = { kind: 'refresh-calendar-token', subject: 'user_1', wasMissing: false }
  await t.rejects(applyAll(keepAlive, [effect], testContext(db, now)), /not configured/)
})
