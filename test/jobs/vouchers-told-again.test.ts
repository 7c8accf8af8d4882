import { sql } from 'kysely'
import t from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { listReachable } from '../../src/database/unreachable.ts'
import { cleanupExpiredReservations } from '../../src/jobs/cleanup-expired-reservations.ts'
import { sendPaymentReminders } from '../../src/jobs/send-payment-reminders.ts'
import type { OutgoingNotice } from '../../src/notices/notice.ts'
import { recheckVoucher } from '../../src/notices/recheck-voucher.ts'
import type { Booking } from '../../src/providers/payments.ts'
import type { Job } from '../../src/runner/define-job.ts'
import { addFinding } from '../support/builders.ts'
import { addHold, bookingOf } from '../support/holds.ts'
import { testDatabase } from '../support/database.ts'
import { applyAll, planOf, testContext } from '../support/job-context.ts'
import { takeLease } from '../support/leases.ts'
import { noLedger, noPayments } from '../support/no-money.ts'

const gentleTime = '2026-03-04T12:00:30.000Z'
const nextTime = '2026-03-04T18:00:30.000Z'

type Answer = (id: string) => Booking

async function run(db: Db, job: Job, now: string, answer: Answer = bookingOf) {
  const context = testContext(db, now, {
    job: job.name,
    lease: await takeLease(db, job.name),
    ledger: { ...noLedger, checkAccount: async () => {} },
    providers: { payments: { ...noPayments, readBooking: async (id: string) => answer(id) } },
  })
  const plan = await planOf(job, context)
  return (await applyAll(job, plan.effects, context)).counts
}

/** Sends what waits, as the sender does: each is looked at again, and goes or is dropped. */
async function send(db: Db, now: string, answer: Answer = bookingOf): Promise<readonly string[]> {
  const rows = await db.selectFrom('jobs.outbox').selectAll().where('state', '=', 'pending').orderBy('id').execute()
  const ends: string[] = []
  for (const { created_at: createdAt, useful_until: usefulUntil, ...row } of rows) {
    const notice = { ...row, createdAt, usefulUntil, attempt: 1 } as unknown as OutgoingNotice
    const payments = { ...noPayments, readBooking: async (id: string) => answer(id) }
    const verdict = await recheckVoucher(notice, {
      db,
      payments,
      now: new Date(now),
      signal: new AbortController().signal,
    })
    const [state, note] = verdict.kind === 'send' ? ['sent', null] : ['dropped', verdict.reason]
    await sql`update jobs.outbox set state = ${state}, note = ${note}, finished_at = ${now} where id = ${row.id}`.execute(
      db,
    )
    ends.push(`${row.recipient} ${note ?? state}`)
  }
  return ends
}

t.test('a hold that came back, or has another guest or start, is told of as it is now', async t => {
  const changes = {
    hold_gone: async (db: Db) => {
      await sql`delete from slot_reservations`.execute(db)
    },
    recipient_changed: async (db: Db) => {
      await sql`update slot_reservations set guest_email = 'other@example.com'`.execute(db)
    },
    moved: async (db: Db) => {
      await sql`update slot_reservations set start_time = start_time + interval '1 day'`.execute(db)
    },
  }
  for (const [reason, change] of Object.entries(changes)) {
    const { db } = await testDatabase(t)
    await addHold(db, { guestEmail: 'ana@example.com', paymentIntentId: 'pi_ana' })
    t.same(await run(db, sendPaymentReminders, gentleTime), { queued: 1 })
    await change(db)
    t.same(await send(db, gentleTime), [`guest_ana@example.com ${reason}`])
    if (reason === 'hold_gone') await addHold(db, { guestEmail: 'ana@example.com', paymentIntentId: 'pi_ana' })
    t.same(await run(db, sendPaymentReminders, nextTime), { queued: 1 }, reason)
    const recipient = reason === 'recipient_changed' ? 'guest_other@example.com' : 'guest_ana@example.com'
    t.same(await send(db, nextTime), [`${recipient} sent`])
    t.same(await run(db, sendPaymentReminders, '2026-03-05T00:00:30.000Z'), {}, 'and once')
  }
})

t.test('one that went is not told again because its hold was written anew', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { guestEmail: 'ana@example.com', paymentIntentId: 'pi_ana' })
  await run(db, sendPaymentReminders, gentleTime)
  t.same(await send(db, gentleTime), ['guest_ana@example.com sent'])
  await sql`delete from slot_reservations`.execute(db)
  await addHold(db, { guestEmail: 'ana@example.com', paymentIntentId: 'pi_ana' })
  t.same(await run(db, sendPaymentReminders, nextTime), {})
})

t.test('a reminder that went to a wrong address goes to the right one too, and to nobody twice', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { guestEmail: 'wrong@example.com', paymentIntentId: 'pi_ana' })
  await run(db, sendPaymentReminders, gentleTime)
  t.same(await send(db, gentleTime), ['guest_wrong@example.com sent'])
  const correct = async (address: string) => {
    await sql`update slot_reservations set guest_email = ${address}`.execute(db)
  }
  await correct(' Ana@Example.com')
  t.same(await run(db, sendPaymentReminders, nextTime), { queued: 1 })
  t.same(await run(db, sendPaymentReminders, nextTime), {}, 'not while it waits')
  t.same(await send(db, nextTime), ['guest_ana@example.com sent'])
  t.same(await run(db, sendPaymentReminders, '2026-03-05T00:00:30.000Z'), {})
  await correct('WRONG@example.com')
  t.same(await run(db, sendPaymentReminders, '2026-03-05T06:00:30.000Z'), {}, 'who knows it already hears nothing')
  await correct('')
  t.same(await run(db, sendPaymentReminders, '2026-03-05T06:00:30.000Z'), {}, 'nor is nobody told')
})

t.test('a guest whose address came later is reminded then, and one that never came is dropped once', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { guestEmail: '', paymentIntentId: 'pi_ana' })
  const context = testContext(db, gentleTime, { job: sendPaymentReminders.name })
  const finding = (await planOf(sendPaymentReminders, context)).findings?.[0]
  t.match(finding, { kind: 'person-unreachable', subject: /^slot_reservations / })
  await addFinding(db, { kind: finding?.kind ?? '', subject: finding?.subject ?? '' })
  t.same(await run(db, sendPaymentReminders, gentleTime), { dropped: 1, no_address: 1 })
  t.same(await run(db, sendPaymentReminders, nextTime), {})
  t.same(await listReachable(db, new Date(nextTime)), [])
  await sql`update slot_reservations set guest_email = 'ana@example.com'`.execute(db)
  t.same(await listReachable(db, new Date(nextTime)), [finding?.subject], 'its finding can close')
  t.same(await run(db, sendPaymentReminders, nextTime), { queued: 1 })
  t.same(await send(db, nextTime), ['guest_ana@example.com sent'])
  t.same(await run(db, sendPaymentReminders, '2026-03-05T00:00:30.000Z'), {})
})

t.test('an address that only the meeting has is one', async t => {
  const { db } = await testDatabase(t)
  await addHold(db, { guestEmail: '', paymentIntentId: 'pi_ana', meeting: 'pending' })
  await sql`update meetings set "guestEmail" = 'Known@example.com'`.execute(db)
  t.same(await run(db, sendPaymentReminders, gentleTime), { queued: 1 })
  t.same(await send(db, gentleTime), ['guest_known@example.com sent'])
  const lapsed: Answer = id => bookingOf(id, { status: 'lapsed', voucher: undefined })
  const ended = await run(db, cleanupExpiredReservations, '2026-03-08T10:15:00.000Z', lapsed)
  t.match(ended, { deleted: 1, lapsed: 1, queued: 1 })
  t.same(await send(db, '2026-03-08T10:15:00.000Z', lapsed), ['guest_known@example.com sent'])
})

t.test('nobody hears that a reservation expired who has paid for the same time meanwhile', async t => {
  const { db } = await testDatabase(t)
  const lapsed: Answer = id => bookingOf(id, { status: 'lapsed', voucher: undefined })
  await addHold(db, { guestEmail: 'Ana@example.com', paymentIntentId: 'pi_ana' })
  t.match(await run(db, cleanupExpiredReservations, '2026-03-08T10:15:00.000Z', lapsed), { queued: 1 })
  await addHold(db, {
    guestEmail: 'ana@example.com',
    paymentIntentId: null,
    meeting: 'succeeded',
    meetingPayment: 'pi_other',
  })
  t.same(await send(db, '2026-03-08T10:16:00.000Z', lapsed), ['guest_ana@example.com booked'])
})
