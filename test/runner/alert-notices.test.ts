import { sql } from 'kysely'
import t from 'tap'
import { closeFinding } from '../../src/database/finding-queries.ts'
import { createDeadLetters } from '../../src/runner/dead-letters.ts'
import { announceRecoveries, raiseUntold } from '../../src/runner/alerts.ts'
import { oweNotice } from '../support/notices.ts'
import { delivery, testJob, testRunner, type TestRunner } from '../support/runner.ts'

t.test('operators are told once of a streak, with what else is wrong, and once that it is over', async t => {
  let works = false
  const job = testJob({
    gather: async () => (works ? undefined : await Promise.reject(new Error('no answer for ana@guests.test'))),
  })
  const world = await testRunner(t, { alertRecipient: 'operators' })
  const { answer, clock, db, log, runner } = world
  const fail = async (): Promise<void> => {
    await answer(delivery(job))
    await runner.drain(5_000)
  }
  const notices = async () =>
    await db
      .selectFrom('jobs.outbox')
      .select(['kind', 'subject', 'recipient', 'facts', 'state'])
      .where('kind', 'like', 'job-%')
      .orderBy('id')
      .execute()
  const again = async (): Promise<void> => {
    await world.another({ alertRecipient: 'operators' }).run(delivery(job))
  }
  // One is tried in an hour, and of the other nobody knows whether it arrived.
  await oweNotice(db, { name: 'waits' })
  const id = await oweNotice(db, { name: 'may have arrived' })
  await db
    .updateTable('jobs.outbox')
    .set({ next_attempt_at: new Date(clock().getTime() + 3_600_000) })
    .execute()
  await db.updateTable('jobs.outbox').set({ state: 'unknown' }).where('id', '=', id).execute()
  await again()
  await again()
  t.strictSame(await notices(), [])
  await again()
  while ((await notices()).length === 0) await pass()
  const later = world.another({ alertRecipient: 'operators' })
  await later.run(delivery(job))
  await later.drain(5_000)
  const [told, ...others] = await notices()
  t.strictSame(others, [], 'once, however long it goes on')
  t.match(told, {
    kind: 'job-failing',
    subject: 'test-job',
    recipient: 'operators',
    state: 'pending',
    facts: {
      job: 'test-job',
      runs: 3,
      diagnostics:
        /^Jobs whose newest run failed: test-job\nOpen findings: none\nNotices that wait: 2, of which 1 may have arrived$/,
    },
  })
  t.notMatch(JSON.stringify(told), /ana@/)

  const parts = { alertRecipient: 'operators', clock, db, log }
  await announceRecoveries(parts)
  t.equal((await notices()).length, 1)
  works = true
  await fail()
  await announceRecoveries(parts)
  await announceRecoveries(parts)
  const after = await notices()
  t.equal(after.length, 2)
  t.match(after[1], { kind: 'job-recovered', subject: 'test-job', state: 'pending' })
})

t.test('where no operator is named, streaks are findings alone', async t => {
  const job = testJob({ gather: async () => await Promise.reject(new Error('broken')), alertAfter: 1 })
  const { answer, db, runner } = await testRunner(t)
  await answer(delivery(job))
  await runner.drain(5_000)
  t.match(await db.selectFrom('jobs.findings').select('kind').execute(), [{ kind: 'job-failing' }])
  t.strictSame(await db.selectFrom('jobs.outbox').selectAll().execute(), [])
})

t.test(
  'what was wrong at that moment goes with it, bounded and without secrets; a run waits for none of it',
  async t => {
    const job = testJob({ gather: async () => await Promise.reject(new Error('broken')), alertAfter: 1 })
    const told = async (describeMoment: () => Promise<string>): Promise<string> => {
      const { answer, db, runner } = await testRunner(t, { alertRecipient: 'operators', describeMoment })
      t.equal((await answer(delivery(job))).body.outcome, 'failed')
      await runner.drain(5_000)
      const { facts } = await db.selectFrom('jobs.outbox').select('facts').executeTakeFirstOrThrow()
      return (facts as { diagnostics: string }).diagnostics
    }
    t.match(
      await told(async () => 'qstash: fail, its key sk_live_abcdefghijklmn was refused'),
      /\nqstash: fail, its key \[key\] was/,
    )
    t.match(await told(async () => 'word '.repeat(10_000)), /word {2}\[\d+ more characters\]$/)
    t.match(
      await told(async () => await Promise.reject(new Error('broken too'))),
      /\nThe diagnostics could not be read: /,
    )

    const hanging = Promise.withResolvers<string>()
    const { answer, db, runner } = await testRunner(t, {
      alertRecipient: 'operators',
      describeMoment: async () => await hanging.promise,
    })
    t.equal((await answer(delivery(job))).body.outcome, 'failed', 'answered although its diagnostics hang')
    await runner.drain(5_000)
    const { facts } = await db.selectFrom('jobs.outbox').select('facts').executeTakeFirstOrThrow()
    t.match(facts, { diagnostics: /\nThe diagnostics could not be read within 2 s: / })
  },
)

t.test('the moment is described once a streak, and not for nobody', async t => {
  let described = 0
  const describeMoment = async (): Promise<string> => `${(described += 1)}`
  const job = testJob({ gather: async () => await Promise.reject(new Error('broken')), alertAfter: 1 })
  const world = await testRunner(t, { alertRecipient: 'operators', describeMoment })
  for (let run = 0; run < 3; run += 1)
    await world
      .another()
      .run(delivery(job))
      .then(async () => await settle(world))
  t.equal(described, 1)
  const silent = await testRunner(t, { describeMoment })
  await silent.answer(delivery(job))
  await silent.runner.drain(5_000)
  t.equal(described, 1)
})

t.test('a finding and its notice are written together or not at all', async t => {
  const job = testJob({ gather: async () => await Promise.reject(new Error('broken')), alertAfter: 1 })
  const world = await testRunner(t, { alertRecipient: 'operators' })
  await sql`alter table jobs.outbox add constraint away check (false) not valid`.execute(world.db)
  await world.another().run(delivery(job))
  while (!world.logs().some(({ msg }) => msg === 'heartbeat or alert of a closed run failed')) await pass()
  t.strictSame(await world.db.selectFrom('jobs.findings').selectAll().execute(), [])

  await sql`alter table jobs.outbox drop constraint away`.execute(world.db)
  await world.answer(delivery(job))
  await world.runner.drain(5_000)
  t.equal((await world.db.selectFrom('jobs.findings').select('kind').execute()).length, 1)
  t.equal((await world.db.selectFrom('jobs.outbox').select('kind').execute()).length, 1)
})

t.test('a streak whose last failure nobody told of is told of within a minute or two, and once', async t => {
  const job = testJob({ gather: async () => await Promise.reject(new Error('broken')), alertAfter: 1, retries: 1 })
  const recipient = { alertRecipient: 'operators' }
  const { answer, clock, db, log, runner } = await testRunner(t, recipient)
  const jobs = new Map([[job.name, job]])
  const sweep = async (): Promise<number> => {
    await raiseUntold(jobs, { ...recipient, clock, db, log })
    return (await db.selectFrom('jobs.outbox').select('id').execute()).length
  }
  const messageId = 'msg_1'
  await sql`alter table jobs.outbox add constraint away check (false) not valid`.execute(db)
  await answer(delivery(job, { messageId, lastAttempt: false }))
  clock.advance(61_000)
  t.equal(await sweep(), 0, 'another attempt is to come')
  await answer(delivery(job, { messageId }))
  await runner.drain(5_000)
  await sql`alter table jobs.outbox drop constraint away`.execute(db)
  t.equal(await sweep(), 0, 'whoever closed it may be about to')
  clock.advance(61_000)
  t.equal(await sweep(), 1)
  clock.advance(61_000)
  t.equal(await sweep(), 1)
  await sql`update jobs.findings set state = 'resolved', closed_at = ${clock()}, closed_by = 'ana'`.execute(db)
  t.equal(await sweep(), 1, 'a person has said that it is over')
  t.equal((await db.selectFrom('jobs.findings').select('id').execute()).length, 1)
})

t.test('a message that the scheduler has given up is a failure, however many attempts we expected', async t => {
  const job = testJob({ gather: async () => await Promise.reject(new Error('broken')), alertAfter: 1, retries: 3 })
  const recipient = { alertRecipient: 'operators' }
  const { answer, clock, db, log, runner } = await testRunner(t, recipient)
  const jobs = new Map([[job.name, job]])
  await answer(delivery(job, { messageId: 'msg_1', lastAttempt: false }))
  await runner.drain(5_000)
  const letters = createDeadLetters(jobs, {
    db,
    clock,
    log,
    jobsWithHeartbeat: new Set(),
    sendOwedPings: async () => ({ delivered: 0, dropped: 0, owed: 0 }),
  })
  await letters.record({
    sourceMessageId: 'msg_1',
    url: 'https://jobs.example.test/jobs/test-job',
    status: 500,
    retried: 0,
  })
  clock.advance(61_000)
  await raiseUntold(jobs, { ...recipient, clock, db, log })
  const told = await db.selectFrom('jobs.outbox').select(['kind', 'subject']).execute()
  t.strictSame(told, [{ kind: 'job-failing', subject: 'test-job' }])
})

t.test('of two processes that see the same streak end, and begin, one tells', async t => {
  let works = false
  const job = testJob({
    gather: async () => (works ? undefined : await Promise.reject(new Error('broken'))),
    alertAfter: 1,
  })
  const recipient = { alertRecipient: 'operators' }
  const { clock, db, log, ...world } = await testRunner(t, recipient)
  const processes = [world.another(recipient), world.another(recipient), world.another(recipient)]
  await Promise.all(processes.map(async each => await each.run(delivery(job))))
  await Promise.all(processes.map(async each => await each.drain(5_000)))
  works = true
  await world.answer(delivery(job))
  const parts = { ...recipient, clock, db, log }
  await Promise.all([announceRecoveries(parts), announceRecoveries(parts), announceRecoveries(parts)])
  const kinds = await db.selectFrom('jobs.outbox').select('kind').orderBy('id').execute()
  t.strictSame(kinds, [{ kind: 'job-failing' }, { kind: 'job-recovered' }])
})

t.test('of two processes that describe the same streak at the same time one tells', async t => {
  const both = Promise.withResolvers<void>()
  let described = 0
  const describeMoment = async (): Promise<string> => {
    described += 1
    if (described === 2) both.resolve()
    await both.promise
    return ''
  }
  const job = testJob({ gather: async () => await Promise.reject(new Error('broken')), alertAfter: 1 })
  const options = { alertRecipient: 'operators', describeMoment }
  const { db, ...world } = await testRunner(t, options)
  const processes = [world.another(options), world.another(options)]
  // One after the other: the second run is a failure of its own, while nobody has told of the first yet.
  for (const each of processes) await each.run(delivery(job))
  await Promise.all(processes.map(async each => await each.drain(5_000)))
  t.equal(described, 2)
  t.equal((await db.selectFrom('jobs.outbox').select('id').execute()).length, 1)
})

t.test('an operator who resolves the finding hears neither twice of the streak, nor misses its end', async t => {
  let works = false
  const job = testJob({
    gather: async () => (works ? undefined : await Promise.reject(new Error('broken'))),
    alertAfter: 1,
  })
  const recipient = { alertRecipient: 'operators' }
  const { clock, db, log, ...world } = await testRunner(t, recipient)
  const run = async (): Promise<void> => {
    const process = world.another(recipient)
    await process.run(delivery(job))
    await process.drain(5_000)
    await announceRecoveries({ ...recipient, clock, db, log })
  }
  const resolve = async (): Promise<void> => {
    const open = db.selectFrom('jobs.findings').select('id').where('state', '<>', 'resolved')
    const { id } = await open.executeTakeFirstOrThrow()
    await closeFinding(db, { id, operator: 'ana', note: 'seen', now: clock() })
  }
  const kinds = async () =>
    (await db.selectFrom('jobs.outbox').select('kind').orderBy('id').execute()).map(row => row.kind)
  await run()
  await resolve()
  await run()
  t.strictSame(await kinds(), ['job-failing'], 'one streak, one notice')
  await resolve()
  works = true
  await run()
  await run()
  t.strictSame(await kinds(), ['job-failing', 'job-recovered'])
  works = false
  await run()
  await run()
  t.strictSame(await kinds(), ['job-failing', 'job-recovered', 'job-failing'], 'the next streak is another one')
  works = true
  await run()
  t.equal((await kinds()).length, 4)
})

async function settle({ db }: TestRunner): Promise<void> {
  while ((await db.selectFrom('jobs.findings').select('id').execute()).length === 0) await pass()
}

async function pass(): Promise<void> {
  await new Promise(setImmediate)
}
