import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../../src/database/connection.ts'
import type { HeldLease } from '../../src/database/leases.ts'
import type { OutgoingNotice } from '../../src/notices/notice.ts'
import { recheckMoney } from '../../src/notices/recheck-money.ts'
import { recordUpcomingPayout, type UpcomingPayout } from '../../src/notices/upcoming-payouts.ts'
import { PermanentError } from '../../src/errors.ts'
import { checkUpcomingPayouts } from '../../src/jobs/check-upcoming-payouts.ts'
import { jobs } from '../../src/jobs/index.ts'
import type { Payment } from '../../src/providers/payments.ts'
import type { JobContext } from '../../src/runner/context.ts'
import { startStripe } from '../../src/sandbox/stripe.ts'
import { testApp } from '../support/app.ts'
import { addBooking, type NewBooking } from '../support/bookings.ts'
import { readAll } from '../support/builders.ts'
import { testDatabase } from '../support/database.ts'
import { applyAll, planOf, testContext } from '../support/job-context.ts'
import { takeLease } from '../support/leases.ts'
import { noLedger, noPayments } from '../support/no-money.ts'
import { stoppedClock } from '../support/runner.ts'

const now = '2026-03-10T12:00:30.000Z'
const job = 'check-upcoming-payouts'
const eligibleFrom = new Date('2026-03-11T10:00:00Z')
/** Paid on March 4 at 10:00 and over the day after: payable from March 11 at 10:00 on. */
const upcoming: NewBooking = {
  createdAt: '2026-03-04T10:00:00Z',
  startsAt: '2026-03-05T09:00:00Z',
  meetingEndsAt: '2026-03-05T10:00:00Z',
}
const paid = (paymentIntentId: string): Payment => ({
  paymentIntentId,
  status: 'paid',
  charge: {
    id: 'ch_1',
    paidAt: new Date('2026-03-04T10:00:00Z'),
    amountCents: 10_000,
    currency: 'eur',
    settlementCurrency: 'eur',
    refundedCents: 0,
    disputed: false,
    disputeLost: false,
    feeCents: 1_500,
    transfer: undefined,
    transferGroup: 'group_pi_1',
    isGrouped: true,
  },
})

const anyAccount = async (): Promise<void> => {}

function contextOf(
  db: Db,
  lease: HeldLease,
  answer: (id: string) => Payment = paid,
  checkAccount: () => Promise<void> = anyAccount,
): JobContext {
  const limits = { maxSingleCents: 0, maxTotalCents: 0, since: new Date('2026-01-01T00:00:00Z') }
  const payments = { ...noPayments, readPayment: async (id: string) => answer(id) }
  return testContext(db, now, { lease, ledger: { ...noLedger, limits, checkAccount }, providers: { payments } })
}

const payoutOf = (paymentTransferId: number): UpcomingPayout => ({
  paymentTransferId,
  expectedStatus: 'READY',
  amountCents: 8_500,
  currency: 'eur',
  eligibleFrom,
})

t.test('an expert is told once: the mark on the row and the notice are one', async t => {
  const { db } = await testDatabase(t)
  const id = await addBooking(db, { ...upcoming, expert: 'user_ana', paymentIntentId: 'pi_ana', serviceName: 'Talk' })
  const untouched = await addBooking(db, { meetingEndsAt: '2026-03-20T10:00:00Z' })
  const context = contextOf(db, await takeLease(db, job))
  const plan = await planOf(checkUpcomingPayouts, context)
  t.match(plan.effects, [
    {
      kind: 'tell-upcoming-payout',
      subject: `payment_transfers ${id}`,
      amountCents: 8_500,
      currency: 'eur',
      eligibleFrom,
    },
  ])
  t.equal(plan.effects.length, 1)
  t.notMatch(JSON.stringify(plan), /Talk|user_ana/, 'nothing personal in the plan')
  t.same((await applyAll(checkUpcomingPayouts, plan.effects, context)).counts, { queued: 1 })
  const notices = await readAll(db, 'jobs.outbox')
  t.match(notices, [
    {
      kind: 'payout-upcoming',
      subject: `payment_transfers ${id}`,
      recipient: 'user_ana',
      occurrence: 'pi_ana',
      state: 'pending',
      next_attempt_at: new Date(now),
      facts: {
        amountCents: 8_500,
        currency: 'eur',
        eligibleFrom: eligibleFrom.toISOString(),
        rows: [
          { paymentTransferId: id, amountCents: 8_500, serviceName: 'Talk', startsAt: '2026-03-05T09:00:00.000Z' },
        ],
      },
    },
  ])
  const rows = new Map((await readAll(db, 'payment_transfers')).map(row => [row.id, row]))
  t.match(rows.get(id), { notified_at: new Date(now), updated: new Date(now), status: 'READY' })
  t.match(rows.get(untouched), { notified_at: null, updated: new Date('2026-02-20T10:00:00Z') })
  t.same((await planOf(checkUpcomingPayouts, context)).effects, [], 'the next run has nobody to tell')
  t.same(
    (await applyAll(checkUpcomingPayouts, plan.effects, context)).counts,
    { changed: 1 },
    'nor has the same effect',
  )
  t.equal((await readAll(db, 'jobs.outbox')).length, 1)
})

t.test('nobody is told of payments of an account that is not ours', async t => {
  const { db } = await testDatabase(t)
  await addBooking(db, upcoming)
  const refused = new PermanentError('another account', { code: 'stripe_account_changed' })
  const asked: string[] = []
  const answer = (id: string): Payment => {
    asked.push(id)
    return paid(id)
  }
  const checkAccount = async (): Promise<void> => {
    throw refused
  }
  const context = contextOf(db, await takeLease(db, job), answer, checkAccount)
  await t.rejects(planOf(checkUpcomingPayouts, context), refused)
  t.same(asked, [], 'nor is anything asked under its key')
})

t.test('a mark that somebody took away tells nobody twice', async t => {
  const { db } = await testDatabase(t)
  const id = await addBooking(db, upcoming)
  const telling = { lease: await takeLease(db, job), runId: uuidv7(), now: new Date(now) }
  t.equal(await recordUpcomingPayout(db, payoutOf(id), telling), 'queued')
  await sql`update payment_transfers set notified_at = null`.execute(db)
  t.equal(await recordUpcomingPayout(db, payoutOf(id), telling), 'changed')
  t.equal((await readAll(db, 'jobs.outbox')).length, 1)
})

t.test('an announcement that was dropped because its day moved is made once of the new day', async t => {
  const { db } = await testDatabase(t)
  const id = await addBooking(db, { ...upcoming, expert: 'user_ana', paymentIntentId: 'pi_ana' })
  const lease = await takeLease(db, job)
  const context = contextOf(db, lease)
  const run = async () =>
    (await applyAll(checkUpcomingPayouts, (await planOf(checkUpcomingPayouts, context)).effects, context)).counts
  const send = async (): Promise<string> => {
    const query = db.selectFrom('jobs.outbox').selectAll().orderBy('id', 'desc')
    const { created_at: createdAt, useful_until: usefulUntil, ...row } = await query.executeTakeFirstOrThrow()
    const notice = { ...row, createdAt, usefulUntil, attempt: 1 } as unknown as OutgoingNotice
    const signal = new AbortController().signal
    const verdict = await recheckMoney(notice, { db, payments: noPayments, now: new Date(now), signal })
    const [state, note] = verdict.kind === 'send' ? ['sent', null] : ['dropped', verdict.reason]
    await sql`update jobs.outbox set state = ${state}, note = ${note}, finished_at = ${now} where id = ${row.id}`.execute(
      db,
    )
    return note ?? state
  }
  t.same(await run(), { queued: 1 })
  await sql`update meetings set "endTime" = '2026-03-10 14:00'`.execute(db)
  t.same(await run(), {}, 'not while it waits to be looked at')
  t.equal(await send(), 'moved')
  t.same(await run(), { queued: 1 })
  t.match(await readAll(db, 'jobs.outbox'), [
    { occurrence: 'pi_ana' },
    { occurrence: 'pi_ana 2', subject: `payment_transfers ${id}`, facts: { eligibleFrom: '2026-03-11T14:00:00.000Z' } },
  ])
  t.equal(await send(), 'sent')
  t.same(await run(), {}, 'once')
  await sql`update jobs.outbox set state = 'dropped', note = 'by_operator' where occurrence = 'pi_ana 2'`.execute(db)
  t.same(await run(), {}, 'nor what an operator dropped')
  await sql`update jobs.outbox set note = 'no_reader' where occurrence = 'pi_ana 2'`.execute(db)
  t.same(await run(), { queued: 1 }, 'but what nobody could read')
})

t.test('of two runs at once exactly one tells', async t => {
  const { db } = await testDatabase(t)
  const id = await addBooking(db, upcoming)
  const telling = { lease: await takeLease(db, job), runId: uuidv7(), now: new Date(now) }
  const results = await Promise.all([1, 2, 3, 4].map(async () => await recordUpcomingPayout(db, payoutOf(id), telling)))
  t.same(results.toSorted(), ['changed', 'changed', 'changed', 'queued'])
  t.equal((await readAll(db, 'jobs.outbox')).length, 1)
})

t.test('a row that changed after the plan is not told of, and keeps every column', async t => {
  const { db } = await testDatabase(t)
  const telling = { lease: await takeLease(db, job), runId: uuidv7(), now: new Date(now) }
  const changes = [
    { status: 'REFUNDED' },
    { status: 'DISPUTED' },
    { amountCents: 8_499 },
    { currency: 'usd' },
    { transferId: 'tr_1' },
    { payoutId: 'po_1' },
    { notifiedAt: '2026-03-10T00:00:00Z' },
  ] as const
  for (const change of changes) {
    const id = await addBooking(db, { ...upcoming, ...change })
    const before = await readAll(db, 'payment_transfers')
    t.equal(await recordUpcomingPayout(db, payoutOf(id), telling), 'changed', JSON.stringify(change))
    t.same(await readAll(db, 'payment_transfers'), before)
  }
  t.same(await readAll(db, 'jobs.outbox'), [])
})

t.test('a run whose lease is gone, or whose job is paused, tells nobody', async t => {
  const { db } = await testDatabase(t)
  const id = await addBooking(db, upcoming)
  const telling = (lease: HeldLease) => ({ lease, runId: uuidv7(), now: new Date(now) })
  const former = await takeLease(db, job)
  const present = await takeLease(db, job)
  const expect = async (lease: HeldLease, reason: string): Promise<void> => {
    await t.rejects(recordUpcomingPayout(db, payoutOf(id), telling(lease)), { name: 'StopRunError', reason })
  }
  await expect(former, 'lease_lost')
  await expect({ ...present, owner: uuidv7() }, 'lease_lost')
  const paused = { job, first_boot_at: new Date(now), paused_at: new Date(now), paused_by: 'ana', pause_reason: 'x' }
  await db.insertInto('jobs.job_settings').values(paused).execute()
  await expect(present, 'paused')
  await db.deleteFrom('jobs.job_settings').execute()
  await sql`update jobs.leases set expires_at = clock_timestamp()`.execute(db)
  await expect(present, 'lease_lost')
  t.same(await readAll(db, 'jobs.outbox'), [])
  t.match(await readAll(db, 'payment_transfers'), [{ notified_at: null }])
})

t.test('a marketplace without service names says the name of the event, or none', async t => {
  const { db } = await testDatabase(t)
  const named = await addBooking(db, upcoming)
  const unnamed = await addBooking(db, { ...upcoming, eventId: 'UNKNOWN', durationMinutes: null, meetingEndsAt: null })
  await sql`alter table payment_transfers drop column service_name`.execute(db)
  const telling = { lease: await takeLease(db, job), runId: uuidv7(), now: new Date(now) }
  for (const id of [named, unnamed]) t.equal(await recordUpcomingPayout(db, payoutOf(id), telling), 'queued')
  const names = (await readAll(db, 'jobs.outbox')).map(({ facts }) => facts['rows'])
  t.match(names, [[{ serviceName: 'Consultation' }], [{ serviceName: null }]])
})

t.test('one payment that cannot be read fails alone, and the rows that nobody must be asked about wait', async t => {
  const { db } = await testDatabase(t)
  const broken = await addBooking(db, { ...upcoming, paymentIntentId: 'pi_broken' })
  await addBooking(db, { ...upcoming, paymentIntentId: 'pi_fine' })
  await addBooking(db, { ...upcoming, paymentIntentId: 'pi_far', meetingEndsAt: '2026-03-20T10:00:00Z' })
  await addBooking(db, { ...upcoming, paymentIntentId: 'pi_told', notifiedAt: '2026-03-10T00:00:00Z' })
  const asked: string[] = []
  const context = contextOf(db, await takeLease(db, job), id => {
    asked.push(id)
    if (id === 'pi_broken') throw Object.assign(new Error('no'), { code: 'no_answer' })
    return paid(id)
  })
  const plan = await planOf(checkUpcomingPayouts, context)
  t.same(asked.toSorted(), ['pi_broken', 'pi_fine'])
  t.equal(plan.effects.length, 1)
  t.match(plan.failures, [{ subject: `payment_transfers ${broken}`, code: 'no_answer' }])
  t.match(plan.waits, [{ reason: 'too_early', until: new Date('2026-03-19T10:00:00Z') }])
  t.equal(plan.left, 0)
})

/** The real job in the real application, with a Stripe on loopback. */
async function openApp(t: Test) {
  const clock = stoppedClock(now)
  const stripe = await startStripe({ clock })
  t.teardown(async () => await stripe.close())
  const env = { STRIPE_API_BASE_URL: stripe.url, STRIPE_SECRET_KEY: stripe.secretKey, MONEY_SINCE: '2026-01-01' }
  const app = await testApp(t, { jobs, clock, env })
  return { ...app, stripe, account: stripe.addAccount({}) }
}

t.test('only the expert of a paid booking hears of it, once, and no money moves', async t => {
  const { account, db, deliver, stripe } = await openApp(t)
  const money = { amountCents: 10_000, feeCents: 1_500, destination: account }
  const paidAt = new Date('2026-03-04T10:00:00Z')
  const booking = stripe.pay({ ...money, paidAt })
  const told = await addBooking(db, {
    ...upcoming,
    account,
    paymentIntentId: booking.paymentIntentId,
    status: 'PENDING',
  })
  const voucher = stripe.issueVoucher({ ...money, createdAt: paidAt })
  await addBooking(db, { ...upcoming, account, paymentIntentId: voucher.paymentIntentId, status: 'PENDING' })
  const before = stripe.snapshot()
  const dry = await deliver(`/jobs/${job}?dryRun=true`)
  t.match(dry.json, { plan: { effects: [{ subject: `payment_transfers ${told}` }] } })
  t.same(await readAll(db, 'jobs.outbox'), [], 'a dry run tells nobody')
  const message = { messageId: 'msg_1', scheduleId: `jobs.${job}` }
  const first = await deliver(`/jobs/${job}`, message)
  t.match(first.json, { outcome: 'succeeded', report: { applied: 1, counts: { queued: 1 } } })
  t.notOk((first.json['report'] as { sums?: object }).sums, 'a notice is no movement of money')
  t.match((await deliver(`/jobs/${job}`, message)).json, { outcome: 'duplicate' })
  t.match((await deliver(`/jobs/${job}`)).json, { outcome: 'succeeded', report: { applied: 0 } })
  const notices = await readAll(db, 'jobs.outbox')
  t.match(notices, [{ subject: `payment_transfers ${told}`, run_id: first.json['runId'] }])
  t.equal(notices.length, 1)
  t.same(await readAll(db, 'jobs.money_operations'), [])
  t.same(stripe.snapshot(), before)
})
