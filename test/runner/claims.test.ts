import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { pauseJob, resumeJob } from '../../src/database/job-settings.ts'
import { closeAbandonedRuns } from '../../src/database/runs.ts'
import { answerOf, delivery, testJob, testRunner, type TestRunner } from '../support/runner.ts'

/** A job that waits inside gather until the test lets it go. */
function heldJob(options: Parameters<typeof testJob>[0] = {}) {
  const started = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  let runs = 0
  const job = testJob({
    ...options,
    gather: async () => {
      runs += 1
      started.resolve()
      await release.promise
    },
  })
  return { job, started: started.promise, release: release.resolve, runs: () => runs }
}

const scheduled = { trigger: 'schedule', scheduled: true } as const

/** How many statements wait for a lock. */
async function countWaiting({ db }: TestRunner): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::integer as n from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
  return rows[0]?.n ?? 0
}

t.test('a redelivered message that succeeded is answered from the record', async t => {
  const { answer, db } = await testRunner(t)
  let runs = 0
  const job = testJob({
    gather: async () => {
      runs += 1
    },
  })
  const first = await answer(delivery(job, { messageId: 'msg_1' }))
  const second = await answer(delivery(job, { messageId: 'msg_1' }))
  t.equal(runs, 1)
  t.equal(second.statusCode, 200)
  t.match(second.body, { outcome: 'duplicate', runId: first.body.runId, report: first.body.report })
  const rows = await db.selectFrom('jobs.runs').select(['deliveries', 'attempt', 'state']).execute()
  t.same(rows, [{ deliveries: 2, attempt: 1, state: 'succeeded' }])
  const next = await answer(delivery(job, { messageId: 'msg_2' }))
  t.equal(next.body.outcome, 'succeeded', 'a redelivery does not keep the lease')
  t.equal((await db.selectFrom('jobs.leases').select('term').executeTakeFirstOrThrow()).term, '2')
})

t.test('a redelivered message that failed runs again and keeps its slot and its history', async t => {
  const { answer, clock, db } = await testRunner(t)
  let fails = true
  const job = testJob({
    gather: async () => {
      if (fails) throw new Error('down')
    },
  })
  const first = await answer(delivery(job, { messageId: 'msg_1', ...scheduled }))
  clock.set('2026-03-10T12:33:00Z')
  fails = false
  const second = await answer(delivery(job, { messageId: 'msg_1', ...scheduled }))
  t.match(first.body, { outcome: 'failed', attempt: 1, slot: '2026-03-10T12:00:00.000Z' })
  t.match(second.body, { outcome: 'succeeded', attempt: 2, slot: '2026-03-10T12:00:00.000Z', runId: first.body.runId })
  const run = await db.selectFrom('jobs.runs').selectAll().executeTakeFirstOrThrow()
  t.match(run.attempts, [{ attempt: 1, state: 'failed', error_code: 'error', message: 'down' }])
})

t.test('a message that failed for good is not run again', async t => {
  const { answer } = await testRunner(t)
  let runs = 0
  const { PermanentError } = await import('../../src/errors.ts')
  const job = testJob({
    gather: async () => {
      runs += 1
      throw new PermanentError('never')
    },
  })
  await answer(delivery(job, { messageId: 'msg_1' }))
  const again = await answer(delivery(job, { messageId: 'msg_1' }))
  t.equal(again.statusCode, 489)
  t.equal(runs, 1)
})

t.test('a message that is running elsewhere is busy until its deadline', async t => {
  const world = await testRunner(t)
  const { job, release, runs, started } = heldJob()
  const first = world.answer(delivery(job, { messageId: 'msg_1' }))
  await started
  world.clock.advance(5_000)
  const second = await answerOf(world.another(), delivery(job, { messageId: 'msg_1' }))
  t.match(second, { statusCode: 409, headers: { 'retry-after': '15' }, body: { outcome: 'busy' } })
  release()
  t.equal((await first).body.outcome, 'succeeded')
  t.equal(runs(), 1)
})

t.test('another message of a busy job is skipped when a later slot covers it, else busy', async t => {
  const cases = [
    { name: 'scheduled', job: {}, how: scheduled, expect: { statusCode: 200, body: { outcome: 'skipped' } } },
    {
      name: 'scheduled, and every slot counts',
      job: { everySlotCounts: true },
      how: scheduled,
      expect: { statusCode: 409, headers: { 'retry-after': '20' }, body: { outcome: 'busy' } },
    },
    { name: 'not scheduled', job: {}, how: {}, expect: { statusCode: 409, body: { outcome: 'busy' } } },
  ]
  for (const { expect, how, job: options, name } of cases) {
    const world = await testRunner(t)
    const { job, release, runs, started } = heldJob(options)
    const first = world.answer(delivery(job))
    await started
    t.match(await answerOf(world.another(), delivery(job, how)), expect, name)
    release()
    await first
    t.equal(runs(), 1, `${name}: one run`)
  }
})

t.test('the retry of a message that has begun is never left to a later slot because of a lease', async t => {
  const world = await testRunner(t)
  const failing = testJob({ gather: async () => await Promise.reject(new Error('down')) })
  await world.answer(delivery(failing, { messageId: 'msg_1', ...scheduled }))
  const { job, release, started } = heldJob()
  const other = world.answer(delivery(job))
  await started
  t.match(await answerOf(world.another(), delivery(job, { messageId: 'msg_1', ...scheduled })), { statusCode: 409 })
  release()
  await other
  const retry = await world.answer(delivery(testJob(), { messageId: 'msg_1', ...scheduled }))
  t.match(retry.body, { outcome: 'succeeded', attempt: 2, slot: '2026-03-10T12:00:00.000Z' })
})

t.test('a busy message of a job whose every slot counts keeps its slot and runs later', async t => {
  const world = await testRunner(t)
  const { job, release, started } = heldJob({ everySlotCounts: true })
  const first = world.answer(delivery(job))
  await started
  await answerOf(world.another(), delivery(job, { messageId: 'msg_2', ...scheduled }))
  release()
  await first
  world.clock.set('2026-03-10T12:25:00Z')
  const later = await world.answer(delivery(job, { messageId: 'msg_2', ...scheduled }))
  t.match(later.body, { outcome: 'succeeded', slot: '2026-03-10T12:00:00.000Z' })
})

t.test('a slot runs once, whatever number of schedules want it', async t => {
  const { answer, clock } = await testRunner(t)
  const job = testJob()
  const first = await answer(delivery(job, scheduled))
  clock.advance(3_000)
  const second = await answer(delivery(job, scheduled))
  const third = await answer(delivery(job, { trigger: 'cron', scheduled: true }))
  t.equal(first.body.outcome, 'succeeded')
  t.match(second, { statusCode: 200, body: { outcome: 'duplicate' } })
  t.match(third, { statusCode: 200, body: { outcome: 'duplicate' } })
  clock.set('2026-03-10T12:10:00Z')
  t.equal((await answer(delivery(job, scheduled))).body.outcome, 'succeeded', 'the next slot runs')
})

t.test('a slot whose run failed may be taken by another message, and the retry then finds it taken', async t => {
  const { answer } = await testRunner(t)
  let fails = true
  const job = testJob({
    gather: async () => {
      if (fails) throw new Error('down')
    },
  })
  await answer(delivery(job, { messageId: 'msg_1', ...scheduled }))
  fails = false
  t.equal((await answer(delivery(job, { messageId: 'msg_2', ...scheduled }))).body.outcome, 'succeeded')
  t.equal((await answer(delivery(job, { messageId: 'msg_1', ...scheduled }))).body.outcome, 'duplicate')
})

t.test('a retry older than a slot that succeeded is skipped, unless every slot counts', async t => {
  for (const everySlotCounts of [false, true]) {
    const { answer, clock } = await testRunner(t)
    let fails = true
    const job = testJob({
      everySlotCounts,
      gather: async () => {
        if (fails) throw new Error('down')
      },
    })
    await answer(delivery(job, { messageId: 'old', ...scheduled }))
    fails = false
    clock.set('2026-03-10T12:10:00Z')
    await answer(delivery(job, { messageId: 'new', ...scheduled }))
    clock.set('2026-03-10T12:12:00Z')
    const retry = await answer(delivery(job, { messageId: 'old', ...scheduled }))
    t.equal(retry.body.outcome, everySlotCounts ? 'succeeded' : 'skipped')
  }
})

t.test('a token is good for one message of one job', async t => {
  const { db, runner } = await testRunner(t)
  const tokenHash = createHash('sha256').update('token').digest()
  const job = testJob()
  const other = testJob({ name: 'other-job', heartbeat: 'OTHER' })
  t.match(await runner.run(delivery(job, { messageId: 'a', tokenHash })), { kind: 'answered' })
  t.match(await runner.run(delivery(job, { messageId: 'a', tokenHash })), {
    answer: { body: { outcome: 'duplicate' } },
  })
  t.match(await runner.run(delivery(job, { messageId: 'b', tokenHash })), { kind: 'refused', reason: 'replayed' })
  t.match(await runner.run(delivery(other, { messageId: 'a', tokenHash })), { kind: 'refused', reason: 'replayed' })
  const findings = await db.selectFrom('jobs.findings').select(['kind', 'occurrences']).execute()
  t.same(findings, [{ kind: 'token-replayed', occurrences: 2 }])
  const dry = delivery(job, { messageId: 'a', tokenHash, dryRun: true })
  t.match(
    await runner.run(dry),
    { kind: 'refused', reason: 'replayed' },
    'nor can a real one become a dry one, or back',
  )
  t.equal((await db.selectFrom('jobs.runs').selectAll().execute()).length, 1, 'no run of the replays')
})

t.test(
  'a closing asks for the lease before its run, as claims do, so that the two cannot wait in a circle',
  async t => {
    const world = await testRunner(t)
    const { job, release, started } = heldJob()
    const run = world.answer(delivery(job))
    await started
    const claim = await world.db.startTransaction().execute()
    await sql`select from jobs.leases for update`.execute(claim)
    release()
    while ((await countWaiting(world)) === 0) await new Promise(resolve => setTimeout(resolve, 5))
    await t.resolves(sql`select from jobs.runs for update nowait`.execute(claim), 'the closing that waits holds no run')
    await claim.commit().execute()
    t.equal((await run).body.outcome, 'succeeded')
  },
)

t.test('of many deliveries of one message on two connections exactly one runs', async t => {
  const world = await testRunner(t)
  const { job, release, runs } = heldJob()
  const runners = [world.runner, world.another()]
  const answers = Array.from({ length: 40 }, async (_, index) => {
    const runner = runners[index % 2] ?? world.runner
    return await answerOf(runner, delivery(job, { messageId: 'msg_1' }))
  })
  setTimeout(release, 100)
  const outcomes = (await Promise.all(answers)).map(({ body }) => body.outcome)
  t.equal(outcomes.filter(outcome => outcome === 'succeeded').length, 1)
  t.equal(runs(), 1)
})

t.test('of many messages of one slot on two connections exactly one runs', async t => {
  const world = await testRunner(t)
  const { job, release, runs } = heldJob()
  const runners = [world.runner, world.another()]
  const answers = Array.from({ length: 40 }, async (_, index) => {
    return await answerOf(runners[index % 2] ?? world.runner, delivery(job, scheduled))
  })
  setTimeout(release, 100)
  const outcomes = (await Promise.all(answers)).map(({ body }) => body.outcome)
  t.equal(outcomes.filter(outcome => outcome === 'succeeded').length, 1)
  t.equal(outcomes.filter(outcome => outcome === 'duplicate').length, 39)
  t.equal(runs(), 1)
})

t.test('of many dry runs of one message on two connections exactly one runs', async t => {
  const world = await testRunner(t)
  const { job, release, runs } = heldJob()
  const runners = [world.runner, world.another()]
  const answers = Array.from({ length: 20 }, async (_, index) => {
    return await answerOf(runners[index % 2] ?? world.runner, delivery(job, { messageId: 'm', dryRun: true }))
  })
  setTimeout(release, 100)
  await Promise.all(answers)
  t.equal(runs(), 1)
})

t.test('a paused job records its deliveries and does nothing, until it is resumed', async t => {
  const { answer, clock, db } = await testRunner(t)
  let gathered = 0
  const job = testJob({
    gather: async () => {
      gathered += 1
    },
  })
  await answer(delivery(job))
  const by = { job: job.name, operator: 'ana', reason: 'bank holiday', now: clock() }
  t.equal(await pauseJob(db, by), true)
  t.equal(await pauseJob(db, by), false, 'twice is once')
  const paused = await answer(delivery(job, scheduled))
  t.match(paused, { statusCode: 200, body: { outcome: 'paused', message: /paused by ana: bank holiday/ } })
  t.equal((await answer(delivery(job))).body.outcome, 'paused', 'without a slot too')
  t.equal(gathered, 1, 'nothing is even begun')
  t.match(await answer(delivery(job, { dryRun: true })), { body: { outcome: 'succeeded' } }, 'a dry run may look')
  t.equal(await resumeJob(db, { ...by, reason: 'over' }), true)
  t.equal((await answer(delivery(job, scheduled))).body.outcome, 'succeeded', 'a paused slot is free')
  const audit = await db.selectFrom('jobs.audit_entries').select(['actor', 'action', 'subject']).orderBy('id').execute()
  t.same(audit, [
    { actor: 'ana', action: 'job.pause', subject: 'test-job' },
    { actor: 'ana', action: 'job.resume', subject: 'test-job' },
  ])
})

t.test('pausing stops a run before its next effect', async t => {
  const { answer, clock, db } = await testRunner(t)
  const applied: string[] = []
  const job = testJob({
    plan: () => ({ effects: ['a', 'b', 'c'].map(subject => ({ kind: 'touch', subject })) }),
    apply: async ({ subject }) => {
      applied.push(subject)
      if (subject === 'a') await pauseJob(db, { job: 'test-job', operator: 'ana', reason: 'stop', now: clock() })
    },
  })
  const { body, statusCode } = await answer(delivery(job))
  t.same(applied, ['a'])
  t.equal(statusCode, 200)
  t.match(body, { outcome: 'paused', report: { applied: 1, left: 2 } })
})

async function crash(world: TestRunner): Promise<void> {
  await world.db
    .updateTable('jobs.leases')
    .set({ expires_at: new Date(0) })
    .execute()
}

t.test('the lease of a crashed run expires: the same message is taken over with the next term', async t => {
  const world = await testRunner(t)
  const { job, release, started } = heldJob()
  const lost = world.answer(delivery(job, { messageId: 'msg_1' }))
  await started
  await crash(world)
  const retry = testJob()
  const second = await answerOf(world.another(), delivery(retry, { messageId: 'msg_1' }))
  t.match(second.body, { outcome: 'succeeded', attempt: 2 })
  const lease = await world.db.selectFrom('jobs.leases').select('term').executeTakeFirstOrThrow()
  t.equal(lease.term, '2')
  release()
  const former = await lost
  t.equal(former.statusCode, 500, 'the former owner cannot claim success')
  const run = await world.db.selectFrom('jobs.runs').selectAll().executeTakeFirstOrThrow()
  t.match(run, { state: 'succeeded', attempt: 2, attempts: [{ attempt: 1, state: 'abandoned' }] })
})

t.test('another message takes over an expired lease and closes the abandoned run', async t => {
  const world = await testRunner(t)
  const { job, release, started } = heldJob()
  const lost = world.answer(delivery(job, { messageId: 'msg_1' }))
  await started
  await crash(world)
  const second = await answerOf(world.another(), delivery(testJob(), { messageId: 'msg_2' }))
  t.equal(second.body.outcome, 'succeeded')
  release()
  t.equal((await lost).statusCode, 500)
  const states = await world.db.selectFrom('jobs.runs').select(['message_id', 'state']).orderBy('id').execute()
  t.same(states, [
    { message_id: 'msg_1', state: 'abandoned' },
    { message_id: 'msg_2', state: 'succeeded' },
  ])
})

t.test('of many messages that find an expired lease at the same moment exactly one takes it', async t => {
  const world = await testRunner(t)
  const lost = heldJob()
  const former = world.answer(delivery(lost.job))
  await lost.started
  await crash(world)
  const { job, release, runs } = heldJob()
  const gate = await world.db.startTransaction().execute()
  await sql`select from jobs.leases for update`.execute(gate)
  const answers = Array.from({ length: 5 }, async () => await answerOf(world.another(), delivery(job)))
  while ((await countWaiting(world)) < answers.length) await new Promise(resolve => setTimeout(resolve, 5))
  await gate.commit().execute()
  setTimeout(release, 150)
  const outcomes = (await Promise.all(answers)).map(({ body }) => body.outcome)
  t.same(outcomes.toSorted(), ['busy', 'busy', 'busy', 'busy', 'succeeded'])
  t.equal(runs(), 1, 'one run')
  t.equal((await world.db.selectFrom('jobs.leases').select('term').executeTakeFirstOrThrow()).term, '2')
  lost.release()
  await former
})

t.test('abandoned runs are closed by the sweep too, and live ones are left alone', async t => {
  const world = await testRunner(t)
  const held = heldJob()
  const lost = world.answer(delivery(held.job))
  await held.started
  t.same(await closeAbandonedRuns(world.db, world.clock()), [])
  await crash(world)
  t.match(await closeAbandonedRuns(world.db, world.clock()), [{ job: 'test-job' }])
  held.release()
  await lost
  t.equal((await world.db.selectFrom('jobs.runs').select('state').executeTakeFirstOrThrow()).state, 'abandoned')
})

t.test('a malformed payload is refused before anything is recorded', async t => {
  const { db, runner } = await testRunner(t)
  const { PermanentError } = await import('../../src/errors.ts')
  const job = testJob({
    parse: () => {
      throw new PermanentError('input must be empty')
    },
  })
  t.match(await runner.run(delivery(job)), { kind: 'refused', reason: 'malformed', message: 'input must be empty' })
  t.same(await db.selectFrom('jobs.runs').selectAll().execute(), [])
})
