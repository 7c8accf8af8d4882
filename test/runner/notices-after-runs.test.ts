import t from 'tap'
import { delivery, testJob, testRunner } from '../support/runner.ts'

t.test('a run of a job that tells people sends what is due afterwards, and no other run does', async t => {
  let passes = 0
  const { answer, runner } = await testRunner(t, {
    sendDueNotices: async () => {
      passes += 1
      await Promise.resolve()
    },
  })
  await answer(delivery(testJob()))
  t.equal(passes, 0)
  const job = testJob({ tellsPeople: true })
  const telling = delivery(job)
  await answer(telling)
  t.equal(passes, 1)
  await answer(delivery(job, { dryRun: true }))
  await answer(telling)
  t.equal(passes, 1, 'neither a dry run nor a duplicate')
  await answer(delivery(testJob({ tellsPeople: true, apply: async () => await Promise.reject(new Error('broken')) })))
  t.equal(passes, 2, 'a failed run may have decided something')
  await runner.drain(0)
})

t.test('an answer does not wait for what is sent afterwards, and a trouble there is logged alone', async t => {
  const gate = Promise.withResolvers<void>()
  const { answer, logs } = await testRunner(t, { sendDueNotices: async () => await gate.promise })
  t.match(await answer(delivery(testJob({ tellsPeople: true }))), { body: { outcome: 'succeeded' } })
  gate.reject(new Error('the database is gone'))
  await new Promise(setImmediate)
  t.ok(logs().some(({ err }) => JSON.stringify(err ?? '').includes('the database is gone')))
})
