import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../../src/database/connection.ts'
import { listVoucherHolds } from '../../src/database/reservations.ts'
import { KeyRefusedError, PermanentError } from '../../src/errors.ts'
import { jobs } from '../../src/jobs/index.ts'
import { sendPaymentReminders } from '../../src/jobs/send-payment-reminders.ts'
import { checkFacts } from '../../src/notices/facts.ts'
import type { NoticeKind, OutgoingNotice } from '../../src/notices/notice.ts'
import { recordPaymentReminder } from '../../src/notices/payment-reminders.ts'
import { recheckVoucher } from '../../src/notices/recheck-voucher.ts'
import type { Booking } from '../../src/providers/payments.ts'
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

const job = 'send-payment-reminders'
const gentleTime = '2026-03-04T12:00:30.000Z'
const urgentTime = '2026-03-07T12:00:30.000Z'

type Answer = (id: string) => Booking | Promise<Booking>

interface World {
  readonly now?: string
  readonly answer?: Answer
  readonly asked?: string[]
}

async function contextOf(db: Db, { answer = bookingOf, asked = [], now = gentleTime }: World = {}) {
  const readBooking = async (id: string): Promise<Booking> => {
    asked.push(id)
    return await answer(id)
  }
  const ledger = { ...noLedger, checkAccount: async () => {} }
  return testContext(db, now, {
    lease: await takeLease(db, job),
    ledger,
    providers: { payments: { ...noPayments, readBooking } },
  })
}

async function runJob(db: Db, world: World = {}) {
  const context = await contextOf(db, world)
  const plan = await planOf(sendPaymentReminders, context)
  return { plan, context, ...(await applyAll(sendPaymentReminders, plan.effects, context)) }
}

const outbox = async (db: Db) => await db.selectFrom('jobs.outbox').selectAll().orderBy('id').execute()

t.test('a voucher is reminded of once gently and once urgently, each with its stamp', async t => {
  const { db } = await testDatabase(t)
  const hold = await addHold(db, { guestEmail: ' Ana@Example.com ', paymentIntentId: 'pi_ana', meeting: 'pending' })
  const first = await runJob(db)
  t.same(first.counts, { queued: 1 })
  t.notMatch(JSON.stringify(first.plan), /Silva|Example|900000001|Consultation/i, 'nothing personal in the plan')
  t.same((await runJob(db)).plan.effects, [], 'the next run has nothing to do')
  t.same((await runJob(db, { now: '2026-03-06T12:00:00Z' })).plan.effects, [])
  t.same((await runJob(db, { now: urgentTime })).counts, { queued: 1 })
  t.same((await runJob(db, { now: '2026-03-07T18:00:00Z' })).plan.effects, [])
  const notices = await outbox(db)
  t.match(notices, [
    {
      kind: 'payment-reminder-gentle',
      subject: 'payment_intents pi_ana',
      recipient: 'guest_ana@example.com',
      occurrence: 'pi_ana',
      state: 'pending',
      useful_until: new Date('2026-03-06T21:59:59.999Z'),
      facts: {
        reservationId: hold.id,
        paymentIntentId: 'pi_ana',
        guestName: 'Ana Maria Silva',
        expertName: 'Inês Costa',
        serviceName: 'Consultation',
        startsAt: '2026-03-20T15:00:00.000Z',
        durationMinutes: 50,
        amountCents: 7_000,
        currency: 'eur',
        entity: '12345',
        reference: '900000001',
        voucherExpiresAt: '2026-03-08T10:00:00.000Z',
        voucherUrl: 'https://payments.stripe.example/voucher',
        reader: {
          language: 'pt',
          locale: 'pt-PT',
          timeZone: 'America/Sao_Paulo',
          firstName: 'Ana',
          lastName: 'Maria Silva',
        },
      },
    },
    { kind: 'payment-reminder-urgent', occurrence: 'pi_ana', useful_until: new Date('2026-03-08T08:00:00Z') },
  ])
  t.equal(notices.length, 2)
  for (const { facts, kind } of notices) t.equal(checkFacts(kind as NoticeKind, facts), undefined)
  const stamps = { gentle_reminder_sent_at: new Date(gentleTime), urgent_reminder_sent_at: new Date(urgentTime) }
  t.match((await readHolds(db)).get(hold.id), { ...stamps, updated_at: new Date(urgentTime) })
})

t.test('what the old job has sent is not sent again, and an extended or rewritten hold triggers nothing', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { paymentIntentId: 'pi_old', gentleSentAt: '2026-03-04T06:00:00Z' })
  t.same((await runJob(db)).plan.effects, [])
  await sql`delete from slot_reservations`.execute(db)
  await addHold(db, { paymentIntentId: 'pi_new' })
  t.same((await runJob(db)).counts, { queued: 1 })
  await sql`delete from slot_reservations where stripe_payment_intent_id = 'pi_new'`.execute(db)
  await addHold(db, { paymentIntentId: 'pi_new', guestEmail: 'other@example.com', expiresAt: '2026-03-12T10:00:00Z' })
  const asked: string[] = []
  const settling = (id: string) => bookingOf(id, { status: 'settling', voucher: undefined })
  t.same((await runJob(db, { now: '2026-03-08T12:00:00Z', answer: settling, asked })).plan.effects, [])
  t.same(asked, ['pi_new'], 'Stripe alone knows that there is no other voucher')
  t.match((await runJob(db, { now: '2026-03-11T00:00:00Z', answer: settling })).counts, { dropped: 1, settling: 1 })
  t.equal((await outbox(db)).length, 2)
})

t.test('another voucher of a payment is told of anew, once, and a hold that was only extended is not', async t => {
  const { db } = await testDatabase(t)
  const { id } = await addHold(db, { paymentIntentId: 'pi_1' })
  t.same((await runJob(db)).counts, { queued: 1 })
  await sql`update slot_reservations set expires_at = '2026-03-12 10:00'`.execute(db)
  const ofNow = async (answer: Answer, now = '2026-03-08T12:00:00Z') => await runJob(db, { now, answer })
  for (const status of ['settling', 'paid', 'canceled', 'lapsed'] as const) {
    const { plan } = await ofNow(pi => bookingOf(pi, { status, voucher: undefined }))
    t.same(plan.effects, [], status)
    t.match(plan.waits, [{ reason: 'told_before' }], status)
  }
  t.same((await ofNow(bookingOf)).plan.effects, [], 'the same voucher still waits')
  const expiresAt = new Date('2026-03-12T10:00:00Z')
  const another: Answer = pi =>
    bookingOf(pi, { voucher: { entity: '12345', reference: '900000002', expiresAt, url: null } })
  const { counts, plan } = await ofNow(another)
  t.same(counts, { queued: 1 })
  t.notMatch(JSON.stringify(plan), /900000002/, 'nothing personal in the plan')
  t.same((await ofNow(another)).plan.effects, [], 'once')
  t.match(await outbox(db), [
    { occurrence: 'pi_1', facts: { reference: '900000001' } },
    { occurrence: `pi_1 ${expiresAt.toISOString()}`, facts: { reference: '900000002' } },
  ])
  t.match((await readHolds(db)).get(id), { gentle_reminder_sent_at: new Date('2026-03-08T12:00:00Z') })
  t.same((await ofNow(another, '2026-03-11T12:00:00Z')).counts, { queued: 1 }, 'and the urgent one is one of its own')
  t.equal((await outbox(db)).length, 3)
  const [, second] = await outbox(db)
  const notice = { ...second, transactionId: '', usefulUntil: null } as unknown as OutgoingNotice
  const payments = { ...noPayments, readBooking: async (pi: string) => await another(pi) }
  const signal = new AbortController().signal
  t.same(await recheckVoucher(notice, { db, payments, now: expiresAt, signal }), { kind: 'send' })
})

t.test('a voucher that was replaced before its reminder went is made up for by the next one', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { paymentIntentId: 'pi_1' })
  await runJob(db)
  await sql`update jobs.outbox set state = 'dropped', note = 'voucher_replaced', finished_at = now()`.execute(db)
  const voucher = { entity: '12345', reference: '900000002', expiresAt: new Date('2026-03-08T10:20:00Z'), url: null }
  const answer: Answer = pi => bookingOf(pi, { voucher })
  t.same((await runJob(db)).plan.effects, [], 'while it is the same one')
  t.same((await runJob(db, { answer })).counts, { queued: 1 })
  t.same((await runJob(db, { answer })).plan.effects, [])
})

t.test('what will never be sent is written down with its reason, once, and without a stamp', async t => {
  const { db } = await testDatabase(t)
  const world = {
    now: urgentTime,
    answer: (id: string) => bookingOf(id, id === 'pi_paid' ? { status: 'paid', voucher: undefined } : {}),
  }
  await addHold(db, { paymentIntentId: 'pi_paid' })
  await addHold(db, { paymentIntentId: 'pi_nobody', guestEmail: '' })
  await addHold(db, { paymentIntentId: 'pi_began', startsAt: '2026-03-07T12:00:00Z' })
  await addHold(db, {
    paymentIntentId: 'pi_tiny',
    createdAt: '2026-03-07T10:00:00Z',
    expiresAt: '2026-03-07T15:00:00Z',
  })
  const { counts } = await runJob(db, world)
  t.same(counts, { dropped: 8, too_late: 2, paid: 1, no_address: 1, appointment_began: 2, too_short: 2 })
  const ends = (await outbox(db)).map(({ facts, kind, note, recipient, state, subject }) => {
    t.match(facts, { voucherExpiresAt: /^2026-03-0[78]T/ })
    t.equal(Object.keys(facts).length, 1, 'nothing personal')
    t.equal(state, 'dropped')
    return `${subject.slice(19)} ${kind.slice(17)} ${note} ${recipient === 'nobody'}`
  })
  t.same(ends.toSorted(), [
    'began gentle appointment_began false',
    'began urgent appointment_began false',
    'nobody gentle too_late true',
    'nobody urgent no_address true',
    'paid gentle too_late false',
    'paid urgent paid false',
    'tiny gentle too_short false',
    'tiny urgent too_short false',
  ])
  t.same((await runJob(db, world)).plan.effects, [])
  t.ok([...(await readHolds(db)).values()].every(row => row['urgent_reminder_sent_at'] === null))
})

t.test('a missed run loses nothing while it still makes sense', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { paymentIntentId: 'pi_1' })
  const late = await runJob(db, { now: '2026-03-08T07:59:59.000Z' })
  t.match(late.plan.effects, [
    { kind: 'drop-payment-reminder', reminder: 'payment-reminder-gentle', reason: 'too_late' },
    { kind: 'remind-of-voucher', reminder: 'payment-reminder-urgent' },
  ])
  await addHold(db, { paymentIntentId: 'pi_2' })
  const later = await runJob(db, { now: '2026-03-08T12:00:00Z' })
  t.same(later.counts, { dropped: 2, too_late: 2 }, 'after the end both are accounted for')
})

t.test('a Stripe that does not answer fails its item, and sends nothing half', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { paymentIntentId: 'pi_down' })
  await addHold(db, { paymentIntentId: 'pi_gone' })
  await addHold(db, { paymentIntentId: 'pi_blank' })
  await addHold(db, { paymentIntentId: 'pi_fine' })
  const answer: Answer = id => {
    if (id === 'pi_down') throw Object.assign(new Error('Ana'), { code: 'no_answer' })
    if (id === 'pi_gone') throw new PermanentError('unknown', { code: 'resource_missing' })
    return bookingOf(id, id === 'pi_blank' ? { voucher: undefined } : {})
  }
  const { counts, plan } = await runJob(db, { answer })
  t.same(counts, { queued: 1 })
  t.match(plan.failures, [{ code: 'no_answer', message: /later run/ }])
  t.match(plan.findings, [{ kind: 'voucher-unknown', details: { code: 'resource_missing' } }])
  t.match(plan.waits, [{ reason: 'no_voucher' }])
  t.equal(plan.left, 0)
  t.match((await runJob(db)).counts, { queued: 3 }, 'the next run sends what was missing')
  const refused = async (): Promise<never> => {
    throw new KeyRefusedError('no')
  }
  await addHold(db, { paymentIntentId: 'pi_last' })
  await t.rejects(runJob(db, { answer: refused }), { name: 'KeyRefusedError' })
})

t.test('what was decided is asked again before it is written, and a hold that changed wins', async t => {
  const { db } = await testDatabase(t)
  const statuses: Booking['status'][] = ['waiting', 'paid', 'waiting', 'waiting']
  await addHold(db, { paymentIntentId: 'pi_1' })
  const context = await contextOf(db, { answer: id => bookingOf(id, { status: statuses.shift() ?? 'waiting' }) })
  const { effects } = await planOf(sendPaymentReminders, context)
  t.same((await applyAll(sendPaymentReminders, effects, context)).counts, { changed: 1 }, 'it was paid in between')
  const changes = [
    sql`expires_at = expires_at + interval '4 days'`,
    sql`stripe_payment_intent_id = 'pi_other'`,
    sql`gentle_reminder_sent_at = now()`,
  ]
  for (const change of changes) {
    await db
      .transaction()
      .execute(async trx => {
        await sql`update slot_reservations set ${change}`.execute(trx)
        const inside = { ...context, db: { ...joined(trx) } as unknown as Db }
        t.same((await applyAll(sendPaymentReminders, effects, inside)).counts, { changed: 1 })
        throw new Error('undo')
      })
      .catch((err: unknown) => t.match(err, { message: 'undo' }))
  }
  t.same(await outbox(db), [])
  t.same((await applyAll(sendPaymentReminders, effects, context)).counts, { queued: 1 })
})

/** A connection inside of a transaction, on which a job's own transaction is a part of it. */
function joined(trx: Db) {
  return { transaction: () => ({ execute: async (work: (db: Db) => Promise<unknown>) => await work(trx) }) }
}

t.test('of two processes exactly one tells, and a crash between stamp and notice leaves neither', async t => {
  const { db } = await testDatabase(t)
  const hold = await addHold(db, { paymentIntentId: 'pi_1' })
  const lease = await takeLease(db, job)
  const telling = { lease, runId: uuidv7(), now: new Date(gentleTime) }
  const reminder = {
    reminder: 'payment-reminder-gentle' as const,
    reservationId: hold.id,
    paymentIntentId: 'pi_1',
    expiresAt: new Date('2026-03-08T10:00:00Z'),
  }
  const booking = bookingOf('pi_1') as Parameters<typeof recordPaymentReminder>[2]
  const tell = async (some = telling) =>
    await recordPaymentReminder(db, reminder, booking, new Date('2026-03-06T00:00:00Z'), some)
  await sql`alter table jobs.outbox add constraint crash check (kind <> 'payment-reminder-gentle')`.execute(db)
  await t.rejects(tell(), /crash/)
  t.match((await readHolds(db)).get(hold.id), { gentle_reminder_sent_at: null }, 'the stamp went with the notice')
  await sql`alter table jobs.outbox drop constraint crash`.execute(db)
  t.same((await Promise.all([1, 2, 3, 4].map(async () => await tell()))).toSorted(), [
    'changed',
    'changed',
    'changed',
    'queued',
  ])
  await sql`update slot_reservations set gentle_reminder_sent_at = null`.execute(db)
  t.equal(await tell(), 'changed', 'a stamp that somebody took away tells nobody twice')
  t.equal((await outbox(db)).length, 1)
  await takeLease(db, job)
  await t.rejects(tell(), { name: 'StopRunError', reason: 'lease_lost' })
})

t.test('right before it goes it is dropped when the guest has paid, or the hold or voucher is another', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { paymentIntentId: 'pi_1', guestEmail: 'Ana@example.com' })
  const facts = { entity: '12345', reference: '900000001', startsAt: '2026-03-20T15:00:00.000Z' }
  const recipient = 'guest_ana@example.com'
  const notice = { kind: 'payment-reminder-urgent', recipient, occurrence: 'pi_1', facts } as unknown as OutgoingNotice
  const recheck = async (answer: Answer, some: object = {}) => {
    const readBooking = async (id: string): Promise<Booking> => await answer(id)
    const payments = { ...noPayments, readBooking }
    return await recheckVoucher(
      { ...notice, ...some },
      { db, payments, now: new Date(urgentTime), signal: new AbortController().signal },
    )
  }
  const dropped = (reason: string) => ({ kind: 'drop', reason })
  t.same(await recheck(bookingOf), { kind: 'send' })
  for (const status of ['paid', 'settling', 'canceled'] as const) {
    t.same(await recheck(id => bookingOf(id, { status, voucher: undefined })), dropped(status))
  }
  t.same(await recheck(id => bookingOf(id, { status: 'lapsed', voucher: undefined })), dropped('no_voucher'))
  t.same(await recheck(bookingOf, { facts: { ...facts, reference: '1' } }), dropped('voucher_replaced'))
  t.same(await recheck(bookingOf, { recipient: 'guest_bo@example.com' }), dropped('recipient_changed'))
  const startsAt = '2026-03-21T15:00:00.000Z'
  t.same(await recheck(bookingOf, { facts: { ...facts, startsAt } }), dropped('moved'))
  t.same(await recheck(() => Promise.reject(new PermanentError('?'))), dropped('payment_unknown'))
  await t.rejects(
    recheck(() => Promise.reject(new Error('no answer'))),
    /no answer/,
    'it waits for a later try',
  )
  t.same(await recheck(bookingOf, { occurrence: 'pi_none' }), dropped('hold_gone'))
  const ended = { kind: 'reservation-expired', occurrence: 'pi_none' }
  t.same(await recheck(id => bookingOf(id, { status: 'lapsed' }), ended), { kind: 'send' })
  t.same(await recheck(id => bookingOf(id, { status: 'paid' }), ended), dropped('paid'))
  t.same(await recheck(id => bookingOf(id, { status: 'settling' }), ended), dropped('settling'))
})

t.test("a guest's zone that does not exist costs the notice its local time, and the job nothing", async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { paymentIntentId: 'pi_1', meeting: 'pending', meetingZone: 'Mars/Olympus' })
  const { counts, findings } = await runJob(db, { answer: id => bookingOf(id, { guestName: null, locale: null }) })
  t.same(counts, { queued: 1, invalid_zones: 1 })
  t.match(findings, [{ kind: 'zone-invalid', subject: 'payment_intents pi_1' }])
  t.match(await outbox(db), [
    { facts: { guestName: 'Rui of the meeting', reader: { language: 'en', timeZone: 'UTC' } } },
  ])
})

t.test('10,000 holds cost one query, and that one reads an index', async t => {
  const { db } = await testDatabase(t)
  const { eventId } = await addHold(db, { paymentIntentId: 'pi_first' })
  await sql`alter table slot_reservations drop constraint slot_reservations_active_slot_unique`.execute(db)
  await sql`insert into slot_reservations (event_id, clerk_user_id, guest_email, start_time, end_time, expires_at,
      stripe_payment_intent_id, created_at)
    select ${eventId}::uuid, 'user_x', 'g' || n || '@example.com', '2026-04-01', '2026-04-01 01:00',
      timestamp '2026-03-08 10:00' + make_interval(mins => case when n <= 10000 then n % 600 else 20000 + n end), 'pi_n' || n,
      timestamp '2026-03-01 10:00'
    from generate_series(1, 40000) n`.execute(db)
  await sql`analyze slot_reservations`.execute(db)
  const query = {
    from: new Date('2026-03-03T12:00:00Z'),
    to: new Date('2026-03-09T00:00:00Z'),
    urgentTo: new Date('2026-03-06T00:00:00Z'),
  }
  const found = await listVoucherHolds(db, { ...query, limit: 50 })
  t.equal(found.rows.length, 50)
  t.equal(found.left, 10_001 - 50)
  const plans = await explainAll(db, async spy => await listVoucherHolds(spy, { ...query, limit: 50 }))
  t.equal(plans.length, 1)
  t.match(plans[0], 'slot_reservations_expires_at_idx')
  t.match(plans[0], 'outbox_kind_subject_recipient_occurrence_key')
})

/** The real job in the real application, with a Stripe and a Novu on loopback. */
async function openApp(t: Test, now: string) {
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

t.test(
  'through the door: a waiting voucher is reminded of in the words of the payment, a settling one is not',
  async t => {
    const { db, deliver, novu, stripe } = await openApp(t, urgentTime)
    const createdAt = new Date('2026-03-01T10:00:00Z')
    const meeting = JSON.stringify({ guestName: 'João Lima', locale: 'br', timezone: 'America/Sao_Paulo' })
    const { paymentIntentId } = stripe.issueVoucher({ amountCents: 6_050, createdAt, metadata: { meeting } })
    const settling = stripe.issueVoucher({ amountCents: 6_050, createdAt })
    stripe.processVoucher(settling.paymentIntentId)
    const reminded = { gentleSentAt: '2026-03-04T06:00:00Z' }
    await addHold(db, { ...reminded, paymentIntentId, guestEmail: 'joao@example.com' })
    await addHold(db, { ...reminded, paymentIntentId: settling.paymentIntentId })
    const dry = await deliver(`/jobs/${job}?dryRun=true`)
    t.match(dry.json, { report: { planned: 2 } })
    t.same(await readAll(db, 'jobs.outbox'), [], 'a dry run tells nobody')
    const message = { messageId: 'msg_1', scheduleId: `jobs.${job}` }
    const first = await deliver(`/jobs/${job}`, message)
    t.match(first.json, { outcome: 'succeeded', report: { counts: { queued: 1, dropped: 1, settling: 1 } } })
    t.notMatch(JSON.stringify(first.json), /Lima|example\.com|reference/)
    t.match((await deliver(`/jobs/${job}`, message)).json, { outcome: 'duplicate' })
    t.match((await deliver(`/jobs/${job}`)).json, { outcome: 'succeeded', report: { planned: 0 } })
    const sent = async () => await db.selectFrom('jobs.outbox').selectAll().where('state', '=', 'sent').execute()
    while ((await sent()).length === 0) await setImmediate()
    t.match(await sent(), [{ kind: 'payment-reminder-urgent', facts: { guestName: 'João Lima', amountCents: 6_050 } }])
    const inbox = novu.inbox()
    t.same(new Set(inbox.map(({ to }) => to.subscriberId)), new Set(['guest_joao@example.com']))
    const said = JSON.stringify(inbox)
    for (const word of ['João Lima', '12345', '60.50', 'Último aviso']) t.match(said, word)
    t.match(said, /20 de março de 2026/)
    t.match(said, '12:00', "by the guest's clock")
  },
)
