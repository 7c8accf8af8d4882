import t from 'tap'
import { KeyRefusedError, PermanentError, RetryLaterError } from '../../src/errors.ts'
import { announceRecoveries } from '../../src/runner/alerts.ts'
import type { Effect } from '../../src/runner/define-job.ts'
import { answerOf, delivery, testJob, testRunner } from '../support/runner.ts'

const items = (count: number): Effect[] =>
  Array.from({ length: count }, (_, index) => ({ kind: 'touch', subject: `row-${index + 1}` }))

const failing =
  (failures: Readonly<Record<string, Error>>) =>
  async (effect: Effect): Promise<void> => {
    const failure = failures[effect.subject]
    if (failure !== undefined) throw failure
  }

t.test('what happened decides outcome, status, state and heartbeat', async t => {
  const cases = [
    {
      name: 'everything planned was applied',
      job: {},
      expect: { outcome: 'succeeded', status: 200, final: true, ping: 'success' },
    },
    {
      name: 'only some items that need a person failed',
      job: { plan: () => ({ effects: items(3) }), apply: failing({ 'row-2': new PermanentError('needs eyes') }) },
      expect: { outcome: 'succeeded', status: 200, final: true, ping: 'success', findings: 1 },
    },
    {
      name: 'some item failed and may succeed later',
      job: { plan: () => ({ effects: items(3) }), apply: failing({ 'row-2': new Error('socket hang up') }) },
      expect: { outcome: 'incomplete', status: 500, final: false, ping: 'fail' },
    },
    {
      name: 'two of two items failed',
      job: {
        plan: () => ({ effects: items(2) }),
        apply: failing({ 'row-1': new Error('a'), 'row-2': new Error('b') }),
      },
      expect: { outcome: 'incomplete', status: 500, final: false, ping: 'fail' },
    },
    {
      name: 'every one of three items failed',
      job: {
        plan: () => ({ effects: items(3) }),
        apply: failing({ 'row-1': new Error('a'), 'row-2': new Error('b'), 'row-3': new Error('c') }),
      },
      expect: { outcome: 'failed', status: 500, final: false, ping: 'fail', code: 'every_item_failed' },
    },
    {
      name: 'every one of three items needs a person',
      job: {
        plan: () => ({ effects: items(3) }),
        apply: async () => {
          throw new PermanentError('needs eyes')
        },
      },
      expect: { outcome: 'failed', status: 500, final: false, ping: 'fail', code: 'every_item_failed', findings: 3 },
    },
    {
      name: 'a vendor refused our key',
      job: { plan: () => ({ effects: items(5) }), apply: failing({ 'row-2': new KeyRefusedError('401') }) },
      expect: { outcome: 'failed', status: 500, final: false, ping: 'fail', code: 'key_refused', left: 3 },
    },
    {
      name: 'the job asked to be called later',
      job: {
        gather: async () => {
          throw new RetryLaterError('rate limited', 42)
        },
      },
      expect: { outcome: 'failed', status: 503, final: false, ping: 'fail', retryAfter: '42', code: 'retry_later' },
    },
    {
      name: 'the job can never work',
      job: {
        gather: async () => {
          throw new PermanentError('no such thing', { code: 'gone' })
        },
      },
      expect: { outcome: 'failed', status: 489, final: true, ping: 'fail', nonRetryable: 'true', code: 'gone' },
    },
    {
      name: 'the job threw anything else',
      job: {
        plan: () => {
          throw new TypeError('undefined is not a function')
        },
      },
      expect: { outcome: 'failed', status: 500, final: false, ping: 'fail', code: 'error' },
    },
    {
      name: 'the job threw no error at all',
      job: {
        gather: async () => {
          // oxlint-disable-next-line typescript/only-throw-error
          throw undefined
        },
      },
      expect: { outcome: 'failed', status: 500, final: false, ping: 'fail' },
    },
    {
      name: 'an item was found broken while gathering',
      job: { plan: () => ({ effects: [], failures: [{ subject: 'site', code: 'down', message: 'no answer' }] }) },
      expect: { outcome: 'incomplete', status: 500, final: false, ping: 'fail' },
    },
  ]
  const { answer, db } = await testRunner(t)
  for (const { expect, job: options, name } of cases) {
    const job = testJob(options)
    const { body, headers, statusCode } = await answer(delivery(job))
    const run = await db.selectFrom('jobs.runs').selectAll().where('id', '=', body.runId).executeTakeFirstOrThrow()
    const ping = await db.selectFrom('jobs.heartbeat_pings').select('kind').where('run_id', '=', body.runId).execute()
    t.equal(body.outcome, expect.outcome, name)
    t.equal(statusCode, expect.status, `${name}: status`)
    t.equal(run.state, expect.outcome, `${name}: state`)
    t.equal(run.final, expect.final, `${name}: final`)
    t.same(ping, [{ kind: expect.ping }], `${name}: one ping`)
    t.equal(headers['retry-after'], expect.retryAfter, `${name}: Retry-After`)
    t.equal(headers['upstash-nonretryable-error'], expect.nonRetryable, `${name}: non-retryable header`)
    if (expect.code !== undefined) t.equal(run.error_code, expect.code, `${name}: code`)
    t.equal(run.report?.['findings'] ?? 0, expect.findings ?? 0, `${name}: findings`)
    if (expect.left !== undefined) t.equal(run.report?.['left'], expect.left, `${name}: left`)
    const lease = await db.selectFrom('jobs.leases').selectAll().where('job', '=', job.name).executeTakeFirstOrThrow()
    t.equal(lease.owner, null, `${name}: the lease is given back`)
  }
})

t.test('the answer has one shape', async t => {
  const { answer } = await testRunner(t)
  const { body } = await answer(delivery(testJob(), { scheduled: true, trigger: 'schedule' }))
  t.match(body, {
    runId: /^[0-9a-f-]{36}$/,
    job: 'test-job',
    outcome: 'succeeded',
    attempt: 1,
    slot: '2026-03-10T12:00:00.000Z',
    dryRun: false,
    report: { planned: 1, applied: 1, failed: 0, left: 0, waiting: 0, findings: 0, counts: { touch: 1 } },
    planHash: /^[0-9a-f]{64}$/,
  })
})

t.test('a failure before the last attempt pings a financial heartbeat and no other', async t => {
  const { answer, db } = await testRunner(t)
  const gather = async (): Promise<never> => {
    throw new Error('down')
  }
  const financial = await answer(delivery(testJob({ gather, class: 'financial' }), { lastAttempt: false }))
  const revenue = await answer(delivery(testJob({ gather, class: 'revenue' }), { lastAttempt: false }))
  const pings = await db.selectFrom('jobs.heartbeat_pings').select(['run_id', 'kind']).execute()
  t.same(pings, [{ run_id: financial.body.runId, kind: 'fail' }])
  t.equal(revenue.statusCode, 500)
})

t.test('a job without a configured heartbeat owes no ping', async t => {
  const { answer, db } = await testRunner(t, { jobsWithHeartbeat: new Set() })
  await answer(delivery(testJob()))
  t.same(await db.selectFrom('jobs.heartbeat_pings').selectAll().execute(), [])
})

t.test('sums are kept by currency and never added together', async t => {
  const { answer } = await testRunner(t)
  const plan = () => ({
    effects: [
      { kind: 'pay', subject: '1', amountCents: 100, currency: 'eur', destination: 'acct_1' },
      { kind: 'pay', subject: '2', amountCents: 250, currency: 'EUR', destination: 'acct_1' },
      { kind: 'pay', subject: '3', amountCents: 70, currency: 'usd', destination: 'acct_2' },
    ],
  })
  const { body } = await answer(delivery(testJob({ plan })))
  t.same(body.report?.['sums'], { eur: 350, usd: 70 })
})

t.test('a message of a failure carries no secret', async t => {
  const { answer } = await testRunner(t)
  const gather = async (): Promise<never> => {
    throw new Error('POST https://api.example.com/?key=abc with sk_live_51NotARealKey0000 for ana@example.com failed')
  }
  const { body } = await answer(delivery(testJob({ gather })))
  t.notMatch(body.message, /sk_live|ana@example/)
})

t.test('operators hear of the third failure in a row, once, and of the recovery', async t => {
  const { answer, clock, db, log, logs } = await testRunner(t)
  let down = true
  const job = testJob({
    gather: async () => {
      if (down) throw new Error('down')
    },
  })
  const findings = async () =>
    await db.selectFrom('jobs.findings').select(['state', 'occurrences']).where('kind', '=', 'job-failing').execute()
  const alerts = () => logs().filter(line => line['msg'] === 'job keeps failing').length
  const settled = async (check: () => Promise<boolean> | boolean): Promise<void> => {
    while (!(await check())) await new Promise(resolve => setTimeout(resolve, 5))
  }

  await answer(delivery(job))
  await answer(delivery(job))
  t.same(await findings(), [], 'two are no streak')
  await answer(delivery(job))
  await settled(async () => (await findings()).length === 1)
  await answer(delivery(job))
  await settled(async () => (await findings())[0]?.occurrences === 2)
  t.equal(alerts(), 1, 'told once')
  down = false
  await announceRecoveries({ clock, db, log })
  t.equal((await findings())[0]?.state, 'open', 'not before a success')
  await answer(delivery(job))
  await announceRecoveries({ clock, db, log })
  await announceRecoveries({ clock, db, log })
  t.same(await findings(), [{ state: 'resolved', occurrences: 2 }])
  t.equal(logs().filter(line => line['msg'] === 'job recovered').length, 1, 'told once')
})

t.test(
  "a plan that changed since it was approved is the operator's news: no failure of the job, no alert, no ping",
  async t => {
    const { clock, db, logs, runner } = await testRunner(t)
    const stale = { trigger: 'operator', operator: 'ana', planHash: '0'.repeat(64), pingAsked: true } as const
    const job = testJob({
      alertAfter: 2,
      apply: async () => await Promise.reject(new Error('site down')),
      plan: () => ({ effects: items(1) }),
    })
    for (const wanted of [{}, stale, stale, stale]) {
      clock.advance(60_000)
      await answerOf(runner, delivery(job, wanted))
    }
    await runner.drain(5_000)
    t.same(
      await db.selectFrom('jobs.findings').select('kind').execute(),
      [],
      'one failed run and three stale plans are no streak of two',
    )
    t.same(
      logs().filter(line => line['level'] === 50),
      [],
      'and no error',
    )
    const pings = await db.selectFrom('jobs.heartbeat_pings').select('run_id').execute()
    t.equal(pings.length, 1, 'of the run that failed')
  },
)

t.test('the message of a run names the first item that failed, not what the plan found', async t => {
  const { answer } = await testRunner(t)
  const findings = [{ kind: 'row-wrong', subject: 'row-9', message: 'close row 9' }]
  const failures = [{ subject: 'row-8', code: 'timeout', message: 'no answer about row 8' }]
  const messageOf = async (apply: ReturnType<typeof failing>, more: object = {}) =>
    (await answer(delivery(testJob({ plan: () => ({ effects: items(3), findings, ...more }), apply })))).body.message
  const eyes = new PermanentError('needs eyes')
  const all = failing({ 'row-1': eyes, 'row-2': eyes, 'row-3': eyes })
  t.equal(await messageOf(all), '3 of 3 items failed, the first: needs eyes')
  t.equal(await messageOf(all, { failures }), '4 of 4 items failed, the first: no answer about row 8')
  const some = failing({ 'row-1': eyes, 'row-2': new Error('socket hang up') })
  t.equal(await messageOf(some), '2 of 3 items failed, the first: needs eyes')
})

t.test('a stale plan between two failed runs does not hide the streak', async t => {
  const { another, db } = await testRunner(t)
  const job = testJob({
    alertAfter: 2,
    apply: async () => await Promise.reject(new Error('site down')),
    plan: () => ({ effects: items(1) }),
  })
  const runner = another()
  for (const planHash of [undefined, '0'.repeat(64), undefined]) await answerOf(runner, delivery(job, { planHash }))
  await runner.drain(5_000)
  t.match(await db.selectFrom('jobs.findings').select(['kind', 'occurrences']).execute(), [
    { kind: 'job-failing', occurrences: 1 },
  ])
})

t.test('work that is due and left in three runs in a row is a finding, until a run leaves nothing', async t => {
  const { answer, clock, db, log } = await testRunner(t)
  const leave = async (left: number): Promise<void> => {
    await answer(delivery(testJob({ plan: () => ({ effects: [], left }) })))
  }
  const found = async () => await db.selectFrom('jobs.findings').select(['kind', 'state']).execute()
  const opened = async (): Promise<void> => {
    while ((await found()).length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  }
  for (const left of [5, 6, 0, 6, 6]) await leave(left)
  t.same(await found(), [], 'not while it was done in between')
  await leave(5)
  await opened()
  await leave(1)
  await announceRecoveries({ clock, db, log })
  t.same(await found(), [{ kind: 'job-falls-behind', state: 'open' }])
  await leave(0)
  await announceRecoveries({ clock, db, log })
  t.same(await found(), [{ kind: 'job-falls-behind', state: 'resolved' }])
})
