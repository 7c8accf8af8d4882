import t from 'tap'
import { announceRecoveries } from '../../src/runner/alerts.ts'
import { delivery, testJob, testRunner } from '../support/runner.ts'

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
      .orderBy('id')
      .execute()
  const again = async (): Promise<void> => {
    await world.another({ alertRecipient: 'operators' }).run(delivery(job))
  }
  await again()
  await again()
  t.strictSame(await notices(), [])
  await again()
  await again()
  while ((await notices()).length === 0) await new Promise(setImmediate)
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
      diagnostics: /^Jobs whose newest run failed: test-job\nOpen findings: none\nNotices that wait: 0$/,
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
