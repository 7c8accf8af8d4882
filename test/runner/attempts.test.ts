import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CompiledQuery, sql } from 'kysely'
import t from 'tap'
import { PermanentError, StopRunError } from '../../src/errors.ts'
import { pauseJob } from '../../src/database/job-settings.ts'
import type { Effect } from '../../src/runner/define-job.ts'
import type { Runner } from '../../src/runner/run-job.ts'
import { answerOf, delivery, testJob, testRunner } from '../support/runner.ts'

const untilAborted = async (signal: AbortSignal): Promise<never> => {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}

const effects = (...subjects: string[]): Effect[] => subjects.map(subject => ({ kind: 'touch', subject }))

t.test('a run that passes its deadline fails, and its lease is given back', async t => {
  const { answer, db } = await testRunner(t)
  const job = testJob({ timeoutMs: 150, gather: async ({ signal }) => await untilAborted(signal) })
  const { body, statusCode } = await answer(delivery(job))
  t.equal(statusCode, 500)
  t.match(body, { outcome: 'failed', message: 'the run passed its deadline' })
  t.equal((await db.selectFrom('jobs.leases').select('owner').executeTakeFirstOrThrow()).owner, null)
})

t.test(
  'code that ignores its deadline does not hold up the answer, and keeps its lease until that runs out',
  async t => {
    const { answer, another, db } = await testRunner(t)
    const deaf = testJob({ timeoutMs: 100, gather: async () => await sleep(4_000) })
    const { body } = await answer(delivery(deaf))
    t.match(body, { outcome: 'failed', message: 'the run passed its deadline' })
    const lease = await db.selectFrom('jobs.leases').selectAll().executeTakeFirstOrThrow()
    t.equal(lease.run_id, body.runId)
    t.equal((await answerOf(another(), delivery(testJob()))).body.outcome, 'busy', 'nobody starts beside it')
  },
)

t.test('near its deadline a run starts no new effect, succeeds, and says what is left', async t => {
  const { answer } = await testRunner(t)
  const applied: string[] = []
  const job = testJob({
    timeoutMs: 1_000,
    plan: () => ({ effects: effects('a', 'b', 'c'), left: 5 }),
    apply: async ({ subject }) => {
      applied.push(subject)
      await sleep(920)
    },
  })
  const { body, statusCode } = await answer(delivery(job))
  t.same(applied, ['a'])
  t.equal(statusCode, 200)
  t.match(body, { outcome: 'succeeded', report: { applied: 1, left: 7 } })
})

t.test('effects that go together go by the hundred, and one by one where one of them cannot', async t => {
  const { answer } = await testRunner(t)
  const together: number[] = []
  const alone: string[] = []
  const many = effects(...Array.from({ length: 250 }, (_, index) => String(index)))
  const job = testJob({
    plan: () => ({ effects: many }),
    apply: async ({ subject }) => {
      if (subject === '150') throw new PermanentError('broken', { code: 'broken' })
      alone.push(subject)
      return { counts: { done: 1 } }
    },
    applyTogether: async chunk => {
      together.push(chunk.length)
      if (chunk.some(({ subject }) => subject === '150')) throw new Error('one row of them')
      return chunk.map(() => ({ counts: { done: 1 } }))
    },
  })
  const { body } = await answer(delivery(job))
  t.same(together, [100, 100, 50])
  t.equal(alone.length, 99)
  t.notOk(alone.includes('99') || alone.includes('200'), 'what went together is not done again')
  const report = { planned: 250, applied: 249, failed: 0, left: 0, findings: 1, counts: { touch: 249, done: 249 } }
  t.match(body, { outcome: 'succeeded', report })
})

t.test('several that are refused before they begin are left for the next run', async t => {
  const { answer } = await testRunner(t)
  let calls = 0
  const job = testJob({
    plan: () => ({ effects: effects(...Array.from({ length: 150 }, (_, index) => String(index))) }),
    apply: async () => {
      t.fail('nothing is done one by one')
    },
    applyTogether: async chunk => {
      calls += 1
      if (calls === 2) throw new StopRunError('paused')
      return chunk.map(() => {})
    },
  })
  t.match((await answer(delivery(job))).body, { outcome: 'paused', report: { applied: 100, failed: 0, left: 50 } })
})

t.test('a run that lost its lease applies no further effect and cannot close its successor', async t => {
  const { answer, db } = await testRunner(t)
  const applied: string[] = []
  const job = testJob({
    plan: () => ({ effects: effects('a', 'b') }),
    apply: async ({ subject }) => {
      applied.push(subject)
      await db
        .updateTable('jobs.leases')
        .set({ expires_at: new Date(0) })
        .execute()
    },
  })
  const { body, statusCode } = await answer(delivery(job))
  t.same(applied, ['a'])
  t.equal(statusCode, 500)
  t.match(body, { outcome: 'failed', message: 'the run lost its lease and stopped' })
})

t.test('a lease is renewed for as long as the run lasts', async t => {
  const { answer, db } = await testRunner(t, { leaseMs: 400 })
  const job = testJob({ gather: async () => await sleep(1_200) })
  const { body } = await answer(delivery(job))
  t.equal(body.outcome, 'succeeded')
  t.equal((await db.selectFrom('jobs.leases').select('term').executeTakeFirstOrThrow()).term, '1')
})

t.test('a former owner can neither renew nor release the lease of its successor', async t => {
  const { answer, db } = await testRunner(t)
  const { renewLease } = await import('../../src/database/leases.ts')
  const job = testJob({
    gather: async () => {
      const held = await db.selectFrom('jobs.leases').selectAll().executeTakeFirstOrThrow()
      const former = { job: 'test-job', owner: held.owner ?? '', term: String(Number(held.term) - 1) }
      t.equal((await renewLease(db, former, 1_000)).held, false, 'an earlier term of the same owner')
      t.equal(
        (await renewLease(db, { ...former, owner: 'other', term: held.term }, 1_000)).held,
        false,
        'another owner',
      )
      t.equal((await renewLease(db, { ...former, term: held.term }, 1_000)).held, true, 'the holder')
    },
  })
  await answer(delivery(job))
  await answer(delivery(job))
})

t.test('a dry run returns the plan with its hash, applies nothing and takes neither lease nor slot', async t => {
  const { answer, db } = await testRunner(t)
  let applied = 0
  const job = testJob({
    plan: () => ({
      effects: effects('b', 'a'),
      waits: [{ subject: 'c', reason: 'too early', until: new Date('2026-03-11T00:00:00Z') }],
      findings: [{ kind: 'odd', subject: 'd', message: 'look' }],
    }),
    apply: async () => {
      applied += 1
    },
  })
  const { body } = await answer(delivery(job, { dryRun: true, trigger: 'schedule', scheduled: true }))
  t.equal(applied, 0)
  t.match(body, {
    outcome: 'succeeded',
    dryRun: true,
    report: { planned: 2, applied: 0, left: 0, waiting: 1 },
    plan: { effects: [{ subject: 'b' }, { subject: 'a' }], waits: [{ reason: 'too early' }] },
    planHash: /^[0-9a-f]{64}$/,
  })
  t.same(await db.selectFrom('jobs.leases').selectAll().execute(), [])
  t.same(await db.selectFrom('jobs.findings').selectAll().execute(), [], 'nothing outside the run record')
  t.same(await db.selectFrom('jobs.heartbeat_pings').selectAll().execute(), [])
  t.equal((await answer(delivery(job, { trigger: 'schedule', scheduled: true }))).body.outcome, 'succeeded')
  t.equal(applied, 2, 'the slot was still free')
})

t.test('a dry run of a paused job says that it is paused, by whom and why', async t => {
  const { answer, clock, db } = await testRunner(t)
  const job = testJob()
  t.equal((await answer(delivery(job, { dryRun: true }))).body.message, undefined)
  await pauseJob(db, { job: job.name, operator: 'ana', reason: 'bank closed', now: clock() })
  const { body, statusCode } = await answer(delivery(job, { dryRun: true }))
  t.match(body, { outcome: 'succeeded', plan: { effects: [{ subject: 'row-1' }] } })
  t.equal(statusCode, 200)
  t.match(body.message, /paused by ana since 2026-03-10T12:00.*bank closed.*none of this is done/)
})

t.test('a real run with an approved plan runs only while the plan is the same', async t => {
  const { answer } = await testRunner(t)
  const applied: string[] = []
  let rows = ['a', 'b']
  const job = testJob({
    plan: () => ({ effects: effects(...rows) }),
    apply: async ({ subject }) => {
      applied.push(subject)
    },
  })
  const dry = await answer(delivery(job, { dryRun: true }))
  const planHash = dry.body.planHash
  rows = ['b', 'c']
  const changed = await answer(delivery(job, { planHash }))
  t.equal(changed.statusCode, 409)
  t.same(applied, [], 'nothing was sent')
  t.match(changed.body, {
    outcome: 'failed',
    plan: {
      difference: { added: [{ kind: 'touch', subject: 'c' }], removed: [{ kind: 'touch', subject: 'a' }] },
    },
  })
  t.not(changed.body.planHash, planHash)
  rows = ['b', 'a']
  t.equal((await answer(delivery(job, { planHash }))).body.outcome, 'succeeded', 'order does not matter')
  t.same(applied, ['b', 'a'])
})

t.test('draining lets a running job finish within the budget and takes no new one', async t => {
  const { runner } = await testRunner(t)
  const started = Promise.withResolvers<void>()
  const job = testJob({
    gather: async () => {
      started.resolve()
      await sleep(200)
    },
  })
  const running = answerOf(runner, delivery(job))
  await started.promise
  const drained = runner.drain(5_000)
  t.match(await runner.run(delivery(testJob({ name: 'other' }))), { kind: 'refused', reason: 'draining' })
  t.equal((await running).body.outcome, 'succeeded')
  await drained
})

t.test('past the drain budget a run is interrupted, answered 503, pinged not at all, and may run again', async t => {
  const { another, db, runner } = await testRunner(t)
  const started = Promise.withResolvers<void>()
  const job = testJob({
    gather: async ({ signal }) => {
      started.resolve()
      await untilAborted(signal)
    },
  })
  const running = answerOf(runner, delivery(job, { messageId: 'msg_1' }))
  await started.promise
  await runner.drain(20)
  const { body, headers, statusCode } = await running
  t.equal(statusCode, 503)
  t.ok(Number(headers['retry-after']) > 0)
  t.equal(body.outcome, 'interrupted')
  t.same(await db.selectFrom('jobs.heartbeat_pings').selectAll().execute(), [])
  const again = await answerOf(another(), delivery(testJob(), { messageId: 'msg_1' }))
  t.match(again.body, { outcome: 'succeeded', attempt: 2 })
})

t.test('a result that cannot be written at once is written when the database is back', async t => {
  const { answer, db } = await testRunner(t)
  const { sql } = await import('kysely')
  const job = testJob({
    apply: async () => {
      await sql`alter table jobs.runs rename to runs_away`.execute(db)
      setTimeout(() => {
        sql`alter table jobs.runs_away rename to runs`.execute(db).catch((err: unknown) => t.fail(String(err)))
      }, 350)
    },
  })
  const { body } = await answer(delivery(job))
  t.equal(body.outcome, 'succeeded')
  t.equal((await db.selectFrom('jobs.runs').select('state').executeTakeFirstOrThrow()).state, 'succeeded')
})

t.test('effects are applied one by one, in the order of the plan', async t => {
  const { answer } = await testRunner(t)
  const events: string[] = []
  const job = testJob({
    plan: () => ({ effects: effects('a', 'b') }),
    apply: async ({ subject }) => {
      events.push(`${subject} begins`)
      await sleep(10)
      events.push(`${subject} ends`)
    },
  })
  await answer(delivery(job))
  t.same(events, ['a begins', 'a ends', 'b begins', 'b ends'])
})

t.test('the retry of a run whose code may still be at work is told to come back, and then runs', async t => {
  const scheduled = { messageId: 'msg_1', trigger: 'schedule', scheduled: true } as const
  const endings = {
    'passed its deadline': async () => {},
    'was interrupted': async (runner: Runner) => await runner.drain(0),
  }
  for (const [name, end] of Object.entries(endings)) {
    const { another, db, runner } = await testRunner(t)
    const started = Promise.withResolvers<void>()
    const deaf = testJob({
      timeoutMs: 300,
      gather: async () => {
        started.resolve()
        await sleep(4_000)
      },
    })
    const first = answerOf(runner, delivery(deaf, scheduled))
    await started.promise
    await end(runner)
    t.ok((await first).statusCode >= 500, name)
    const early = await answerOf(another(), delivery(testJob(), scheduled))
    t.match(early, { statusCode: 409, body: { outcome: 'busy' } }, `${name}: too early`)
    const seconds = Number(early.headers['retry-after'])
    t.ok(seconds > 1 && seconds <= 10, `${name}: when the lease is over`)
    await db
      .updateTable('jobs.leases')
      .set({ expires_at: new Date(0) })
      .execute()
    const late = await answerOf(another(), delivery(testJob(), scheduled))
    t.match(late.body, { outcome: 'succeeded', attempt: 2 }, `${name}: once the lease is over`)
  }
})

t.test('a renewal that hangs does not stretch what the run believes of its lease', async t => {
  const { answer, db } = await testRunner(t, { leaseMs: 400 })
  const job = testJob({
    gather: async ({ signal }) => {
      await db.transaction().execute(async trx => {
        await sql`select from jobs.leases for update`.execute(trx)
        await untilAborted(signal).catch(() => {})
      })
      signal.throwIfAborted()
    },
  })
  const startedAt = performance.now()
  const { body } = await answer(delivery(job))
  t.match(body, { outcome: 'failed', message: 'the run lost its lease and stopped' })
  t.ok(performance.now() - startedAt < 5_000, 'long before the database gives the renewal up')
})

t.test('a closing whose answer was lost on the way is not taken for a run that was taken over', async t => {
  const { another, db } = await testRunner(t)
  let lost = false
  const executeQuery = async (query: CompiledQuery): Promise<unknown> => {
    const result = await db.executeQuery(query)
    if (lost || !query.sql.includes('close_run')) return result
    lost = true
    throw new Error('connection lost')
  }
  const flaky = new Proxy(db, {
    get: (target, name) => {
      if (name === 'executeQuery') return executeQuery
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const { body } = await answerOf(another({ db: flaky }), delivery(testJob()))
  t.equal(lost, true)
  t.equal(body.outcome, 'succeeded')
})

t.test('what the database cannot hold does not keep a run from being closed', async t => {
  const { answer, db } = await testRunner(t)
  const nul = await answer(delivery(testJob({ gather: async () => await Promise.reject(new Error('a\0b')) })))
  t.equal(nul.statusCode, 500)
  t.equal(nul.body.message, 'ab')
  const plan = () => ({ effects: [{ kind: 'touch', subject: 'a\0b' }] })
  t.equal((await answer(delivery(testJob({ plan })))).body.outcome, 'succeeded')
  const big = () => ({ effects: [{ kind: 'touch', subject: 'a', rows: 1n } as Effect] })
  t.match((await answer(delivery(testJob({ plan: big })))).body, { outcome: 'failed', message: /refused the report/ })
  const runs = await db.selectFrom('jobs.runs').select('state').orderBy('id').execute()
  t.same(
    runs.map(run => run.state),
    ['failed', 'succeeded', 'failed'],
  )
  t.equal((await db.selectFrom('jobs.heartbeat_pings').selectAll().execute()).length, 3, 'each one reports')
})

t.test('a bug in reading the body is a failed attempt', async t => {
  const { answer } = await testRunner(t)
  const parse = (): never => {
    throw new TypeError('undefined is not a function')
  }
  t.match(await answer(delivery(testJob({ parse }))), { statusCode: 500, body: { outcome: 'failed', report: null } })
})

t.test('a dry run that was taken over cannot close its successor', async t => {
  const world = await testRunner(t)
  const held = () => {
    const started = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const gather = async (): Promise<void> => {
      started.resolve()
      await release.promise
    }
    return { job: testJob({ gather }), started: started.promise, release: release.resolve }
  }
  const [former, latter] = [held(), held()]
  const message = { messageId: 'msg_1', dryRun: true }
  const first = world.answer(delivery(former.job, message))
  await former.started
  world.clock.advance(21_000)
  const second = answerOf(world.another(), delivery(latter.job, message))
  await latter.started
  former.release()
  t.equal((await first).statusCode, 500)
  const runs = await world.db.selectFrom('jobs.runs').select(['attempt', 'state']).execute()
  t.same(runs, [{ attempt: 2, state: 'running' }])
  latter.release()
  t.equal((await second).body.outcome, 'succeeded')
})
