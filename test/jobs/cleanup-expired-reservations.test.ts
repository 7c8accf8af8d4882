import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../../src/database/connection.ts'
import {
  deleteDuplicateHolds,
  deleteShortHolds,
  listDuplicateHolds,
  listExpiredVouchers,
  listShortHolds,
} from '../../src/database/expired-reservations.ts'
import { KeyRefusedError, PermanentError } from '../../src/errors.ts'
import { cleanupExpiredReservations } from '../../src/jobs/cleanup-expired-reservations.ts'
import { jobs } from '../../src/jobs/index.ts'
import { deleteCheckoutHolds, endLapsedHold } from '../../src/notices/expired-holds.ts'
import { checkFacts } from '../../src/notices/facts.ts'
import { rowsPerDelete } from '../../src/notices/hold-plan.ts'
import type { Booking } from '../../src/providers/payments.ts'
import { applyMarketplace, type MarketplaceVariant } from '../../src/sandbox/marketplace.ts'
import { startNovu } from '../../src/sandbox/novu.ts'
import { startStripe } from '../../src/sandbox/stripe.ts'
import { testApp } from '../support/app.ts'
import { readAll } from '../support/builders.ts'
import { testDatabase } from '../support/database.ts'
import { explainAll } from '../support/explain.ts'
import { addHold, bookingOf, readHolds } from '../support/holds.ts'
import { applyAll, planOf, testContext } from '../support/job-context.ts'
import { takeLease } from '../support/leases.ts'
import { noLedger, noPayments } from '../support/no-money.ts'
import { stoppedClock } from '../support/runner.ts'

const job = 'cleanup-expired-reservations'
/** A quarter of an hour after the end of the vouchers. */
const now = '2026-03-08T10:15:00.000Z'

type Answer = (id: string) => Booking | Promise<Booking>

const lapsed = (id: string): Booking => bookingOf(id, { status: 'lapsed', voucher: undefined })
const inState = (status: Booking['status']) => (id: string) => bookingOf(id, { status, voucher: undefined })

interface World {
  readonly answer?: Answer
  readonly asked?: string[]
  readonly at?: string
  readonly checkAccount?: () => Promise<void>
}

async function contextOf(db: Db, { answer = lapsed, asked = [], at = now, checkAccount = async () => {} }: World = {}) {
  const readBooking = async (id: string): Promise<Booking> => {
    asked.push(id)
    return await answer(id)
  }
  return testContext(db, at, {
    job,
    lease: await takeLease(db, job),
    ledger: { ...noLedger, checkAccount },
    providers: { payments: { ...noPayments, readBooking } },
  })
}

async function runJob(db: Db, world: World = {}) {
  const context = await contextOf(db, world)
  const plan = await planOf(cleanupExpiredReservations, context)
  return { plan, context, ...(await applyAll(cleanupExpiredReservations, plan.effects, context)) }
}

const short = { paymentIntentId: null, createdAt: '2026-03-08T10:00:00Z', expiresAt: '2026-03-08T10:10:00Z' }

t.test('a hold of ten minutes goes without a word and without asking, also when its expert is gone', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, short)
  await addHold(db, { ...short, guestEmail: '', hasExpert: false })
  await addHold(db, { ...short, meeting: 'succeeded', meetingPayment: 'pi_other' })
  const exact = await addHold(db, { ...short, expiresAt: now })
  const asked: string[] = []
  const { counts, plan } = await runJob(db, { asked })
  t.same(counts, { deleted: 3, changed: 0 })
  t.match(plan.effects, [{ kind: 'delete-checkout-holds' }])
  t.same(asked, [])
  t.same([...(await readHolds(db)).keys()], [exact.id], 'one that ends this very moment is not over')
  t.same(await readAll(db, 'jobs.outbox'), [])
  t.same((await runJob(db, { at: '2026-03-08T10:15:00.001Z' })).counts, { deleted: 1, changed: 0 })
})

t.test('a meeting whose voucher the site could not hold is a finding, until it is paid or held', async t => {
  const { db } = await testDatabase(t)
  const { eventId, meetingId } = await addHold(db, { ...short, meeting: 'pending', meetingPayment: 'pi_1' })
  await addHold(db, { ...short, meeting: 'pending', meetingPayment: 'pi_2', startsAt: '2026-03-08T10:00:00Z' })
  const { plan } = await runJob(db)
  const finding = { kind: 'meeting-without-hold', subject: `meetings ${meetingId}`, message: /hold the slot/ }
  t.match(plan.findings, [finding])
  t.equal(plan.findings?.length, 1)
  const written = { kind: finding.kind, subject: finding.subject, state: 'open', job, occurrences: 1 }
  t.match(await readAll(db, 'jobs.findings'), [written], 'it is written with the deletion, before the run is closed')
  t.match((await runJob(db)).plan.findings, [finding], 'its hold is gone, and it still is so')
  await addHold(db, { eventId, paymentIntentId: 'pi_1', expiresAt: '2026-03-15T10:00:00Z' })
  t.same((await runJob(db)).plan.findings, [])
})

t.test('a hold goes together with what it shows of its meeting, or neither does', async t => {
  const { db } = await testDatabase(t)
  const { id, meetingId } = await addHold(db, { ...short, meeting: 'failed', meetingPayment: 'pi_1' })
  const other = await addHold(db, { ...short, meeting: 'succeeded', meetingPayment: 'pi_2' })
  const end = async () => await deleteCheckoutHolds(db, [id, other.id], { job, runId: uuidv7(), now: new Date(now) })
  await sql`alter table jobs.findings add constraint crash check (kind <> 'meeting-without-hold')`.execute(db)
  await t.rejects(end(), /crash/)
  t.equal((await readHolds(db)).size, 2)
  await sql`alter table jobs.findings drop constraint crash`.execute(db)
  t.equal(await end(), 2)
  t.match(await readAll(db, 'jobs.findings'), [{ subject: `meetings ${meetingId}` }])
  t.equal((await readAll(db, 'jobs.findings')).length, 1, 'a paid meeting is none')
})

t.test('a payment that settles for more than ten days keeps its hold, and is a finding while it does', async t => {
  const { db } = await testDatabase(t)
  const { id } = await addHold(db, { paymentIntentId: 'pi_1' })
  const planAt = async (at: string, status: Booking['status'] = 'settling') =>
    (await runJob(db, { answer: inState(status), at })).plan
  const inTime = await planAt('2026-03-18T10:00:00.000Z')
  t.same([inTime.effects, inTime.findings], [[], []])
  t.match(await planAt('2026-03-18T10:00:00.001Z'), {
    effects: { length: 0 },
    waits: [{ reason: 'settling' }],
    findings: [{ kind: 'hold-settles-too-long', subject: `slot_reservations ${id}`, message: /is kept/ }],
  })
  t.ok(cleanupExpiredReservations.standingFindings?.includes('hold-settles-too-long'), 'it closes itself')
  t.match((await planAt('2026-03-18T10:15:00Z', 'paid')).findings, [{ kind: 'voucher-paid-unnoticed' }])
  t.equal((await readHolds(db)).size, 1)
})

t.test(
  'a voucher that lapsed unpaid frees its slot and is told to its guest alone, whatever meeting there is',
  async t => {
    const { db } = await testDatabase(t)
    const hold = await addHold(db, { paymentIntentId: 'pi_1', guestEmail: 'Ana@Example.com', meeting: 'pending' })
    const { context, counts, findings, plan } = await runJob(db)
    t.same(counts, { deleted: 1, lapsed: 1, queued: 1 })
    t.notMatch(JSON.stringify(plan), /Silva|example\.com|Consultation/i, 'nothing personal in the plan')
    t.match(plan.effects, [{ kind: 'end-voucher-hold', reason: 'lapsed', tells: true }])
    t.equal((await readHolds(db)).size, 0)
    const notices = await readAll(db, 'jobs.outbox')
    t.match(notices, [
      {
        kind: 'reservation-expired',
        subject: 'payment_intents pi_1',
        recipient: 'guest_ana@example.com',
        occurrence: 'pi_1',
        state: 'pending',
        useful_until: new Date('2026-03-20T15:00:00Z'),
        facts: {
          reservationId: hold.id,
          guestName: 'Ana Maria Silva',
          expertName: 'Inês Costa',
          serviceName: 'Consultation',
          startsAt: '2026-03-20T15:00:00.000Z',
          reader: { language: 'pt', timeZone: 'America/Sao_Paulo' },
        },
      },
    ])
    t.equal(notices.length, 1)
    t.equal(checkFacts('reservation-expired', notices[0]?.facts), undefined)
    const blocked = { kind: 'meeting-blocks-slot', subject: `meetings ${hold.meetingId}` }
    t.match(findings, [{ ...blocked, isRecorded: true }])
    t.match(await readAll(db, 'jobs.findings'), [{ ...blocked, state: 'open', job, run_id: context.runId }])
    t.match(await sql`select "stripePaymentStatus" as status from meetings`.execute(db), {
      rows: [{ status: 'pending' }],
    })
    t.match((await runJob(db)).plan, { effects: [], findings: [blocked] }, 'it is seen for as long as it is so')
    await sql`update meetings set "stripePaymentStatus" = 'succeeded'`.execute(db)
    t.same((await runJob(db)).plan.findings, [], 'and over when somebody has paid')
  },
)

t.test('Stripe decides: what is paid or settling is kept, and what is paid unnoticed is a finding', async t => {
  const { db } = await testDatabase(t)
  const states = {
    pi_paid: 'paid',
    pi_noticed: 'paid',
    pi_settles: 'settling',
    pi_waits: 'waiting',
    pi_ended: 'canceled',
  } as const
  const paid = await addHold(db, { paymentIntentId: 'pi_paid' })
  const pending = await addHold(db, { paymentIntentId: 'pi_noticed', meeting: 'pending' })
  await addHold(db, { paymentIntentId: 'pi_settles' })
  await addHold(db, { paymentIntentId: 'pi_waits' })
  const ended = await addHold(db, { paymentIntentId: 'pi_ended' })
  const answer: Answer = id => bookingOf(id, { status: states[id as keyof typeof states] })
  const { counts, plan } = await runJob(db, { answer })
  t.same(counts, { deleted: 1, canceled: 1, queued: 1 })
  t.notOk((await readHolds(db)).has(ended.id))
  t.equal((await readHolds(db)).size, 4)
  t.same(plan.waits?.map(wait => wait.reason).toSorted(), ['paid', 'paid', 'settling', 'waiting'])
  t.match(
    plan.waits?.find(wait => wait.reason === 'waiting'),
    { until: new Date('2026-03-12T10:00:00Z') },
  )
  const findings = new Map(plan.findings?.map(finding => [finding.subject, finding]))
  t.equal(findings.size, 2)
  t.match(findings.get(`slot_reservations ${paid.id}`), { kind: 'voucher-paid-unnoticed', message: /made no meeting/ })
  t.match(findings.get(`slot_reservations ${pending.id}`), {
    message: new RegExp(`meeting ${pending.meetingId} as unpaid`),
  })
  const later = await runJob(db, { answer, at: '2026-03-12T10:15:00Z' })
  t.same(later.counts, { deleted: 1, forgotten: 1, queued: 1 }, 'Stripe would have decided within four days')
})

t.test('a booking that is paid ends its hold in silence, and so does one that was paid otherwise', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { paymentIntentId: 'pi_1', meeting: 'succeeded' })
  await addHold(db, { paymentIntentId: 'pi_2', meeting: 'refunded' })
  await addHold(db, { paymentIntentId: 'pi_3', meeting: 'succeeded', meetingPayment: 'pi_card' })
  const asked: string[] = []
  const { counts, plan } = await runJob(db, { asked })
  t.same(
    plan.effects.map(effect => effect.kind),
    ['delete-booked-holds', 'end-voucher-hold'],
  )
  t.same(counts, { deleted: 3, changed: 0, lapsed: 1, untold: 1 })
  t.same(asked, ['pi_3', 'pi_3'], 'Stripe is asked about the payment that nobody has seen')
  t.same(await readAll(db, 'jobs.outbox'), [])
  t.same(await readAll(db, 'jobs.findings'), [])
})

t.test('nobody without an address is told, and the hold goes all the same', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { guestEmail: '' })
  await addHold(db, { guestEmail: 'nobody' })
  t.same((await runJob(db)).counts, { deleted: 2, lapsed: 2, untold: 2 })
  t.same(await readAll(db, 'jobs.outbox'), [])
})

t.test('without Stripe the holds with a voucher fail and are kept, and the others go', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, short)
  await addHold(db, { paymentIntentId: 'pi_1' })
  await addHold(db, { paymentIntentId: 'pi_2', meeting: 'succeeded' })
  const down = async (): Promise<never> => {
    throw Object.assign(new Error('no'), { code: 'no_answer' })
  }
  const refused = async (): Promise<never> => {
    throw new KeyRefusedError('no')
  }
  const other = async (): Promise<never> => {
    throw new PermanentError('another account', { code: 'stripe_account_changed' })
  }
  const codes = []
  for (const world of [{ answer: down }, { answer: refused }, { checkAccount: other }, { checkAccount: down }]) {
    const { plan } = await runJob(db, world)
    t.ok(plan.effects.every(effect => effect.kind !== 'end-voucher-hold'))
    codes.push(plan.failures?.map(failure => failure.code).join())
  }
  t.same(codes, ['no_answer', 'key_refused', 'stripe_account_changed', 'no_answer'])
  t.equal((await readHolds(db)).size, 1)
  const unknown = async (): Promise<never> => {
    throw new PermanentError('?', { code: 'resource_missing' })
  }
  const { plan } = await runJob(db, { answer: unknown })
  t.match(plan, { effects: [], failures: [], left: 0, findings: [{ kind: 'voucher-unknown', message: /is kept/ }] })
})

t.test('what changes between select and delete wins: an extension, another payment, the money itself', async t => {
  const { db } = await testDatabase(t)
  const held = await addHold(db, { paymentIntentId: 'pi_1' })
  const checkout = await addHold(db, short)
  const booked = await addHold(db, { paymentIntentId: 'pi_2', meeting: 'succeeded' })
  let status: Booking['status'] = 'lapsed'
  const context = await contextOf(db, { answer: id => bookingOf(id, { status, voucher: undefined }) })
  const { effects } = await planOf(cleanupExpiredReservations, context)
  t.equal(effects.length, 3)
  const expect = async (change: ReturnType<typeof sql>, undo: ReturnType<typeof sql>): Promise<void> => {
    await change.execute(db)
    const { counts } = await applyAll(cleanupExpiredReservations, effects, context)
    t.equal(counts['changed'], 3)
    t.equal((await readHolds(db)).size, 3)
    await undo.execute(db)
  }
  await expect(
    sql`update slot_reservations set expires_at = expires_at + interval '4 days'`,
    sql`update slot_reservations set expires_at = expires_at - interval '4 days'`,
  )
  await expect(
    sql`with m as (update meetings set "stripePaymentStatus" = 'pending')
      update slot_reservations set stripe_payment_intent_id = coalesce(stripe_payment_intent_id, 'pi') || '_new'`,
    sql`with m as (update meetings set "stripePaymentStatus" = 'succeeded')
      update slot_reservations set stripe_payment_intent_id = case when id = ${held.id}::uuid then 'pi_1'
        when id = ${booked.id}::uuid then 'pi_2' end`,
  )
  status = 'settling'
  const end = effects.filter(effect => effect.kind === 'end-voucher-hold')
  t.same((await applyAll(cleanupExpiredReservations, end, context)).counts, { changed: 1 })
  t.same(await readAll(db, 'jobs.outbox'), [])
  status = 'lapsed'
  t.match((await applyAll(cleanupExpiredReservations, effects, context)).counts, { deleted: 3, queued: 1 })
  t.notOk((await readHolds(db)).has(checkout.id))
})

t.test('of many processes one deletes and tells; a crash leaves hold and notice, or neither', async t => {
  const { db } = await testDatabase(t)
  const { id: reservationId, meetingId } = await addHold(db, { paymentIntentId: 'pi_1', meeting: 'failed' })
  const lease = await takeLease(db, job)
  const hold = { reservationId, paymentIntentId: 'pi_1', tells: true, blockedBy: meetingId }
  const end = async () =>
    await endLapsedHold(db, hold, lapsed('pi_1'), { job, lease, runId: uuidv7(), now: new Date(now) })
  await sql`alter table jobs.outbox add constraint crash check (kind <> 'reservation-expired')`.execute(db)
  await t.rejects(end(), /crash/)
  t.equal((await readHolds(db)).size, 1)
  t.same(await readAll(db, 'jobs.findings'), [])
  await sql`alter table jobs.outbox drop constraint crash`.execute(db)
  const results = await Promise.all([1, 2, 3, 4].map(async () => (await end()).result))
  t.same(results.toSorted(), ['changed', 'changed', 'changed', 'queued'])
  t.equal((await readAll(db, 'jobs.outbox')).length, 1)
  t.match(await readAll(db, 'jobs.findings'), [{ kind: 'meeting-blocks-slot', occurrences: 1 }])
  await takeLease(db, job)
  await t.rejects(end(), { name: 'StopRunError', reason: 'lease_lost' })
})

t.test('a run that the site overtakes while it deletes waits for it, and the extension wins', async t => {
  const { db } = await testDatabase(t)
  const { id: reservationId } = await addHold(db, { paymentIntentId: 'pi_1' })
  const lease = await takeLease(db, job)
  const hold = { reservationId, paymentIntentId: 'pi_1', tells: true, blockedBy: undefined }
  const { ending } = await db.transaction().execute(async trx => {
    await sql`update slot_reservations set expires_at = '2026-03-12 10:00'`.execute(trx)
    const waiting = endLapsedHold(db, hold, lapsed('pi_1'), { job, lease, runId: uuidv7(), now: new Date(now) })
    await untilBlocked(db)
    return { ending: waiting }
  })
  t.match(await ending, { result: 'changed' })
  t.same(await readAll(db, 'jobs.outbox'), [])
  t.equal((await readHolds(db)).size, 1)
})

async function untilBlocked(db: Db): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ waits: boolean }>`
      select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()) as waits
    `.execute(db)
    if (rows[0]?.waits === true) return
  }
}

async function marketplaceOf(t: Test, variant: MarketplaceVariant): Promise<Db> {
  const { db } = await testDatabase(t)
  await sql`drop schema public cascade`.execute(db)
  await sql`create schema public`.execute(db)
  await applyMarketplace(db, variant)
  return db
}

const running = { paymentIntentId: null, expiresAt: '2026-03-08T10:20:00Z', guestEmail: 'ana@example.com' }

t.test('of the holds of one guest and slot the voucher stays, else the newest', async t => {
  const db = await marketplaceOf(t, { slotUnique: 'event-start-guest' })
  const { eventId, id: older } = await addHold(db, { ...running, createdAt: '2026-03-08T10:10:00Z' })
  const same = { ...running, eventId }
  const newer = await addHold(db, { ...same, guestEmail: 'Ana@Example.com', createdAt: '2026-03-08T10:12:00Z' })
  await addHold(db, { ...same, guestEmail: 'rui@example.com' })
  await addHold(db, { ...same, startsAt: '2026-03-20T16:00:00Z' })
  t.same(await listDuplicateHolds(db, new Date(now)), { ids: [older], left: 0 })
  const voucher = {
    ...same,
    guestEmail: ' ana@example.com',
    expiresAt: '2026-03-14T10:00:00Z',
    createdAt: '2026-03-08T10:00:00Z',
  }
  const kept = await addHold(db, { ...voucher, paymentIntentId: 'pi_voucher' })
  const other = await addHold(db, {
    ...voucher,
    guestEmail: 'ANA@example.com',
    paymentIntentId: 'pi_other',
    expiresAt: running.expiresAt,
  })
  t.same((await listDuplicateHolds(db, new Date(now))).ids, [older, newer.id].toSorted())
  const { counts, plan } = await runJob(db)
  t.match(plan.effects, [{ kind: 'delete-duplicate-holds', ids: { length: 2 } }])
  t.same(counts, { deleted: 2, changed: 0 })
  const left = await readHolds(db)
  t.ok(left.has(kept.id) && left.has(other.id), 'a voucher is never superfluous')
  t.equal(left.size, 4)
})

t.test('duplicates are deleted only while the better hold is there', async t => {
  const db = await marketplaceOf(t, { slotUnique: 'event-start-guest' })
  const { eventId, id } = await addHold(db, { ...running, createdAt: '2026-03-08T10:10:00Z' })
  const better = await addHold(db, {
    ...running,
    eventId,
    guestEmail: 'ANA@example.com',
    createdAt: '2026-03-08T10:12:00Z',
  })
  const { ids } = await listDuplicateHolds(db, new Date(now))
  t.same(ids, [id])
  await sql`delete from slot_reservations where id = ${better.id}::uuid`.execute(db)
  t.equal(await deleteDuplicateHolds(db, ids, new Date(now)), 0)
  const expired = {
    ...running,
    eventId,
    guestEmail: 'aNA@example.com',
    paymentIntentId: 'pi_over',
    expiresAt: '2026-03-08T10:00:00Z',
  }
  await addHold(db, expired)
  t.same((await listDuplicateHolds(db, new Date(now))).ids, [], 'one that is over is no better one')
  await addHold(db, { ...running, eventId, guestEmail: '', createdAt: '2026-03-08T10:13:00Z' })
  t.same((await listDuplicateHolds(db, new Date(now))).ids, [], 'nor is one of nobody')
})

t.test('where one slot has one hold there are no duplicates, and the job does its work', async t => {
  const db = await marketplaceOf(t, { slotUnique: 'event-start' })
  await addHold(db, running)
  await addHold(db, short)
  await addHold(db, { paymentIntentId: 'pi_1' })
  const { counts } = await runJob(db)
  t.same(counts, { deleted: 2, changed: 0, lapsed: 1, queued: 1 })
})

t.test('10,000 holds cost as many statements as ten, and the statements that select read an index', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { ...short, startsAt: '2026-03-30T10:00:00Z' })
  await sql`alter table slot_reservations drop constraint slot_reservations_active_slot_unique`.execute(db)
  await sql`insert into events (id, name, slug, "durationInMinutes", "clerkUserId")
    select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'E', 'e', 50, 'user_x' from generate_series(0, 499) n
  `.execute(db)
  await sql`insert into slot_reservations (event_id, clerk_user_id, guest_email, start_time, end_time, expires_at,
      stripe_payment_intent_id, created_at)
    select ('00000000-0000-4000-8000-' || lpad((n % 500)::text, 12, '0'))::uuid, 'user_x', 'g' || n || '@example.com', '2026-04-01', '2026-04-01 01:00',
      case when n <= 10000 then timestamp '2026-03-08 10:00' + make_interval(secs => n % 600)
        else timestamp '2026-04-08 10:00' + make_interval(secs => n) end,
      case when n % 20 = 0 or n > 10000 then 'pi_n' || n end, timestamp '2026-03-01 10:00'
    from generate_series(1, 60000) n`.execute(db)
  await sql`analyze slot_reservations`.execute(db)
  const at = new Date(now)
  const listed = await listShortHolds(db, at)
  t.equal(listed.ids.length, 9_501)
  t.same(await listShortHolds(db, at, 9_500).then(({ left }) => left), 1)
  const vouchers = await listExpiredVouchers(db, at, 100)
  t.same([vouchers.rows.length, vouchers.left], [100, 400])
  const next = await listExpiredVouchers(db, new Date('2026-03-08T11:15:00Z'), 100)
  t.notSame(
    next.rows.map(row => row.id),
    vouchers.rows.map(row => row.id),
    'others have their turn at another hour',
  )
  const plans = await explainAll(db, async spy => {
    await listShortHolds(spy, at)
    await listExpiredVouchers(spy, at)
    await listDuplicateHolds(spy, at)
    await deleteShortHolds(spy, listed.ids.slice(0, rowsPerDelete), at)
  })
  t.equal(plans.length, 4)
  for (const plan of plans) t.notMatch(plan, /Seq Scan on slot_reservations/)
  for (const plan of plans.slice(0, 3)) t.match(plan, 'slot_reservations_expires_at_idx')
  const { plan } = await runJob(db, { answer: inState('settling') })
  t.equal(plan.effects.length, Math.ceil(9_501 / rowsPerDelete))
  t.same(plan.counts, { voucher_holds: 500, asked: 500 })
  t.equal((await readHolds(db)).size, 50_500)
})

/** The real job in the real application, with a Stripe and a Novu on loopback. */
async function openApp(t: Test) {
  const clock = stoppedClock(now)
  const stripe = await startStripe({ clock })
  t.teardown(async () => await stripe.close())
  const novu = await startNovu({ clock })
  t.teardown(async () => await novu.close())
  const env = {
    STRIPE_API_BASE_URL: stripe.url,
    STRIPE_SECRET_KEY: stripe.secretKey,
    MONEY_SINCE: '2026-01-01',
    NOVU_BASE_URL: novu.url,
    NOVU_SECRET_KEY: novu.secretKey,
  }
  return { ...(await testApp(t, { jobs, clock, env })), stripe, novu }
}

t.test('through the door: the whole life of vouchers at Stripe, without a word that is wrong', async t => {
  const { db, deliver, novu, stripe } = await openApp(t)
  const order = { amountCents: 6_050, createdAt: new Date('2026-03-01T10:00:00Z') }
  const [unpaid, slow, paid] = [1, 2, 3].map(() => stripe.issueVoucher(order).paymentIntentId)
  for (const paymentIntentId of [unpaid, slow, paid])
    await addHold(db, { paymentIntentId: paymentIntentId ?? null, meeting: 'pending' })
  await addHold(db, short)
  stripe.settleVoucher(paid ?? '')
  const dry = await deliver(`/jobs/${job}?dryRun=true`)
  t.match(dry.json, { report: { planned: 1, waiting: 3 } })
  t.equal((await readHolds(db)).size, 4, 'a dry run deletes nothing')
  const message = { messageId: 'msg_1', scheduleId: `jobs.${job}` }
  t.match((await deliver(`/jobs/${job}`, message)).json, {
    outcome: 'succeeded',
    report: { counts: { deleted: 1 }, waiting: 3, findings: 1 },
  })
  t.match((await deliver(`/jobs/${job}`, message)).json, { outcome: 'duplicate' })
  t.same(await readAll(db, 'jobs.outbox'), [])
  stripe.expireVoucher(unpaid ?? '')
  const second = await deliver(`/jobs/${job}`)
  t.match(second.json, { outcome: 'succeeded', report: { counts: { deleted: 1, lapsed: 1, queued: 1 }, waiting: 2 } })
  t.notMatch(JSON.stringify(second.json), /example\.com/)
  t.match(await readAll(db, 'jobs.outbox'), [{ kind: 'reservation-expired', occurrence: unpaid }])
  while (novu.inbox().length === 0) await setImmediate()
  t.match(novu.inbox(), [{ workflow: 'reservation-expired', to: { subscriberId: /^guest_guest\d+@example\.com$/ } }])
  t.equal(novu.inbox().length, 1)
  await stripe.close()
  await addHold(db, short)
  const third = await deliver(`/jobs/${job}`)
  t.match(third.json, { outcome: 'incomplete', report: { failed: 2, counts: { deleted: 1 } } })
  t.equal((await readHolds(db)).size, 2)
})
