import t from 'tap'
import { StopRunError } from '../../src/errors.ts'
import type { HeldLease } from '../../src/database/leases.ts'
import type { Effect } from '../../src/runner/define-job.ts'
import { keepLease } from '../../src/runner/lease-keeper.ts'
import { delivery, testJob, testRunner } from '../support/runner.ts'

const pay = (subject: string): Effect => ({ kind: 'pay', subject, amountCents: 700, currency: 'eur' })
const plan = () => ({ effects: [pay('a'), pay('b'), pay('c')] })

t.test('an effect that finds the job paused ends the run as paused, and counts as no failure', async t => {
  const { answer } = await testRunner(t)
  const tried: string[] = []
  const job = testJob({
    movesMoney: true,
    plan,
    apply: async ({ subject }) => {
      tried.push(subject)
      if (subject === 'b') throw new StopRunError('paused')
    },
  })
  const { body, statusCode } = await answer(delivery(job))
  t.equal(statusCode, 200)
  t.same(tried, ['a', 'b'], 'nothing is tried after it')
  t.match(body, { outcome: 'paused', report: { applied: 1, failed: 0, left: 2, findings: 0, sums: { eur: 700 } } })
})

t.test('an effect that finds the lease lost ends the run, which comes back', async t => {
  const { answer } = await testRunner(t)
  const job = testJob({
    movesMoney: true,
    plan,
    apply: async () => {
      throw new StopRunError('lease_lost')
    },
  })
  const { body, statusCode } = await answer(delivery(job))
  t.equal(statusCode, 500)
  t.match(body, { outcome: 'failed', message: 'the run lost its lease and stopped' })
  t.match(body.report, { applied: 0, failed: 0, left: 3 })
})

t.test('before an effect of money the runner asks nobody: the statement that begins it requires the lease', async t => {
  const { answer, db } = await testRunner(t)
  const tried: string[] = []
  const job = testJob({
    movesMoney: true,
    plan,
    apply: async ({ subject }) => {
      tried.push(subject)
      await db
        .updateTable('jobs.leases')
        .set({ expires_at: new Date(0) })
        .execute()
    },
  })
  await answer(delivery(job))
  t.same(tried, ['a', 'b', 'c'])
})

t.test('a run knows its lease, and a dry run has none', async t => {
  const { answer, db } = await testRunner(t)
  const seen: (HeldLease | undefined)[] = []
  const job = testJob({
    gather: async ({ lease }) => {
      seen.push(lease)
      if (lease !== undefined) t.ok(lease.isHeld())
    },
  })
  await answer(delivery(job))
  await answer(delivery(job, { dryRun: true }))
  const { job: name, term } = await db.selectFrom('jobs.leases').selectAll().executeTakeFirstOrThrow()
  t.equal(seen[0]?.job, name)
  t.equal(seen[0]?.term, term)
  t.equal(seen[1], undefined)
})

t.test('a lease that was not confirmed for its whole length is not believed, whatever the database says', async t => {
  const { db, log } = await testRunner(t)
  const lease = { job: 'test-job', owner: 'me', term: '1' }
  const keeper = keepLease({ db, lease, leaseMs: 60_000, askedAt: performance.now() - 59_900, log, onLost: () => {} })
  t.teardown(() => {
    keeper.stop()
  })
  t.equal(keeper.isHeld(), true)
  const frozen = keepLease({ db, lease, leaseMs: 60_000, askedAt: performance.now() - 60_000, log, onLost: () => {} })
  t.teardown(() => {
    frozen.stop()
  })
  t.equal(frozen.isHeld(), false)
})

t.test('sums count the cents that really moved', async t => {
  const { answer } = await testRunner(t)
  const moved: Record<string, number | undefined> = { a: undefined, b: 0, c: 250 }
  const job = testJob({
    plan,
    apply: async ({ subject }) => {
      const amountCents = moved[subject]
      return amountCents === undefined ? {} : { amountCents }
    },
  })
  const { body } = await answer(delivery(job))
  t.same(body.report?.['sums'], { eur: 950 })
})
