import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { appointmentReminders } from '../../src/jobs/appointment-reminders.ts'
import type { OutgoingNotice } from '../../src/notices/notice.ts'
import { recheckAppointment } from '../../src/notices/recheck-appointment.ts'
import { PermanentError } from '../../src/errors.ts'
import type { Booking } from '../../src/providers/payments.ts'
import { addExpert, addMeeting, moveMeeting } from '../support/appointments.ts'
import { testDatabase } from '../support/database.ts'
import { applyAll, planOf, testContext } from '../support/job-context.ts'
import { takeLease } from '../support/leases.ts'
import { noPayments } from '../support/no-money.ts'

const noon = '2026-03-11T12:00:00.000Z'
const one = '2026-03-11T13:00:00.000Z'

/** Runs of the job, and a sender that looks at each notice again and sends it. */
async function openWorld(t: Test) {
  const { db } = await testDatabase(t)
  for (const clerkId of ['user_ana', 'user_bo']) await addExpert(db, { clerkId })
  const lease = await takeLease(db, appointmentReminders.name)
  const stripe = { localeOf: async (): Promise<string | null> => null }
  const readBooking = async (paymentIntentId: string): Promise<Booking> => {
    const rest = { amountCents: 7_000, currency: 'eur', voucher: undefined, guestName: null, timeZone: null }
    return { paymentIntentId, status: 'paid', locale: await stripe.localeOf(), ...rest }
  }
  const contextAt = (at: string) => {
    const providers = { payments: { ...noPayments, readBooking } }
    return testContext(db, at, { job: appointmentReminders.name, lease, providers })
  }
  const recheck = async ({ created_at: createdAt, useful_until: usefulUntil, ...row }: Row, at: string) => {
    const notice = { ...row, createdAt, usefulUntil, attempt: 1 } as unknown as OutgoingNotice
    const signal = new AbortController().signal
    return await recheckAppointment(notice, { db, payments: noPayments, now: new Date(at), signal })
  }
  const waiting = async () =>
    await db.selectFrom('jobs.outbox').selectAll().where('state', '=', 'pending').orderBy('subject').execute()
  type Row = Awaited<ReturnType<typeof waiting>>[number]
  return {
    db,
    stripe,
    waiting,
    recheck,
    run: async (at: string) => {
      const plan = await planOf(appointmentReminders, contextAt(at))
      return { plan, ...(await applyAll(appointmentReminders, plan.effects, contextAt(at))) }
    },
    send: async (at: string): Promise<readonly string[]> => {
      const ends: string[] = []
      for (const row of await waiting()) {
        const verdict = await recheck(row, at)
        const [state, note] = verdict.kind === 'send' ? ['sent', null] : ['dropped', verdict.reason]
        const set = sql`update jobs.outbox set state = ${state}, note = ${note}, finished_at = ${at} where id = ${row.id}`
        await set.execute(db)
        ends.push(`${row.recipient} ${row.occurrence.slice(11, 16)} ${note ?? state}`)
      }
      return ends
    },
  }
}

t.test('whoever is new to an appointment is reminded of it, and the other party not once more', async t => {
  const { db, run, send } = await openWorld(t)
  const id = await addMeeting(db, { startsAt: noon, guestEmail: 'Wrong@x.test' })
  await run('2026-03-10T12:00:30.000Z')
  await send('2026-03-10T12:01:00.000Z')
  await sql`update meetings set "guestEmail" = ' Right@x.test ' where id = ${id}::uuid`.execute(db)
  t.same((await run('2026-03-10T12:30:30.000Z')).counts, { queued: 1 })
  t.same(await send('2026-03-10T12:31:00.000Z'), ['guest_right@x.test 12:00 sent'])
  await sql`update meetings set "clerkUserId" = 'user_bo' where id = ${id}::uuid`.execute(db)
  t.same((await run('2026-03-10T13:00:30.000Z')).counts, { queued: 1 })
  t.same(await send('2026-03-10T13:01:00.000Z'), ['user_bo 12:00 sent'])
  t.same((await run('2026-03-10T13:30:30.000Z')).plan.effects, [], 'each once')
})

t.test('an appointment that was moved back is told of once more: the last that people read is true', async t => {
  const { db, run, send } = await openWorld(t)
  const id = await addMeeting(db, { startsAt: noon, guestEmail: 'rui@x.test' })
  const both = (time: string) => [`user_ana ${time} sent`, `guest_rui@x.test ${time} sent`]
  const sendBoth = async (at: string) => (await send(at)).toReversed().toSorted().toReversed()
  await run('2026-03-10T12:00:30.000Z')
  t.same(await sendBoth('2026-03-10T12:01:00.000Z'), both('12:00'))
  await moveMeeting(db, id, one)
  await run('2026-03-10T12:45:30.000Z')
  t.same(await sendBoth('2026-03-10T12:46:00.000Z'), both('13:00'))
  await moveMeeting(db, id, noon)
  t.same((await run('2026-03-10T13:15:30.000Z')).counts, { queued: 2 })
  t.same(await sendBoth('2026-03-10T13:16:00.000Z'), both('12:00'))
  t.same((await run('2026-03-10T13:30:30.000Z')).plan.effects, [], 'once')
  await moveMeeting(db, id, one)
  t.same((await run('2026-03-10T14:00:30.000Z')).counts, { queued: 2 })
  t.same(await sendBoth('2026-03-10T14:01:00.000Z'), both('13:00'), 'and so on')
})

t.test('what people read last is what was tried last, whenever it turned out to have gone', async t => {
  const { db, run, send } = await openWorld(t)
  const id = await addMeeting(db, { startsAt: noon })
  await run('2026-03-10T12:00:30.000Z')
  await send('2026-03-10T12:50:00.000Z')
  await sql`update jobs.outbox set tried_at = '2026-03-10T12:01:00Z'`.execute(db)
  await moveMeeting(db, id, one)
  await run('2026-03-10T12:30:30.000Z')
  await send('2026-03-10T12:31:00.000Z')
  await moveMeeting(db, id, noon)
  t.same((await run('2026-03-10T13:00:30.000Z')).counts, { queued: 2 })
})

t.test('one that was moved back before anybody read of it is not', async t => {
  const { db, run, send } = await openWorld(t)
  const id = await addMeeting(db, { startsAt: noon })
  await run('2026-03-10T12:00:30.000Z')
  await send('2026-03-10T12:01:00.000Z')
  await moveMeeting(db, id, one)
  t.same((await run('2026-03-10T12:45:30.000Z')).counts, { queued: 2 })
  await moveMeeting(db, id, noon)
  t.same((await run('2026-03-10T13:15:30.000Z')).plan.effects, [], 'while the other notice waits')
  t.match(await send('2026-03-10T13:16:00.000Z'), [/ 13:00 moved$/, / 13:00 moved$/])
  t.same((await run('2026-03-10T13:30:30.000Z')).plan.effects, [], 'nor when it was dropped')
})

t.test('a guest whose language is not known waits for Stripe, and near the end reads that of the zone', async t => {
  const { run, db, stripe, waiting } = await openWorld(t)
  await addMeeting(db, { startsAt: noon, timezone: 'Europe/Berlin' })
  const id = await addMeeting(db, { startsAt: noon, timezone: 'Europe/Madrid', guestEmail: 'late@x.test' })
  stripe.localeOf = async () => await Promise.reject(new Error('stripe 500'))
  const first = await run('2026-03-10T12:00:30.000Z')
  t.same(first.counts, { queued: 2 }, 'the experts')
  const until = new Date('2026-03-10T14:00:00.000Z')
  t.match(
    first.plan.waits?.find(({ subject }) => subject === `meetings ${id} guest`),
    { reason: 'language_unknown', until },
  )
  t.equal(first.plan.waits?.length, 2)
  stripe.localeOf = async () => 'pt'
  await sql`update meetings set "stripePaymentIntentId" = 'pi_late' where id = ${id}::uuid`.execute(db)
  t.same((await run('2026-03-10T12:30:30.000Z')).counts, { queued: 2 })
  const localesOf = async () =>
    (await waiting()).flatMap(({ facts, subject }) =>
      subject.endsWith('guest') ? [(facts['reader'] as { locale: string }).locale] : [],
    )
  t.same(await localesOf(), ['pt-PT', 'pt-PT'])
  const other = await openWorld(t)
  other.stripe.localeOf = async () => await Promise.reject(new Error('stripe 500'))
  await addMeeting(other.db, { startsAt: noon, timezone: 'Europe/Madrid' })
  t.same((await other.run('2026-03-10T13:30:30.000Z')).counts, { queued: 1 })
  t.same((await other.run('2026-03-10T14:00:30.000Z')).counts, { queued: 1 }, 'two hours are left')
  t.match(
    (await other.waiting()).map(({ facts }) => facts),
    [{ party: 'expert' }, { party: 'guest', reader: { locale: 'es-ES' } }],
  )
  const never = await openWorld(t)
  never.stripe.localeOf = async () => await Promise.reject(new PermanentError('no such payment'))
  await addMeeting(never.db, { startsAt: noon, timezone: 'Europe/Madrid' })
  t.same(
    (await never.run('2026-03-10T12:00:30.000Z')).counts,
    { queued: 2 },
    'what will never be known is not waited for',
  )
})

t.test('what goes says what is true then: link, end, clock, names and addresses', async t => {
  const { db, recheck, run, stripe, waiting } = await openWorld(t)
  stripe.localeOf = async () => 'pt'
  const id = await addMeeting(db, { startsAt: noon, meetingUrl: 'https://old.test/x', guestEmail: 'rui@x.test' })
  await run('2026-03-10T12:00:30.000Z')
  await sql`update meetings set "meetingUrl" = 'https://new.test/x', timezone = 'America/New_York', "guestName" = 'Rui Lima',
    "endTime" = "endTime" + interval '1 hour' where id = ${id}::uuid`.execute(db)
  await sql`update users set country = 'ES', first_name = 'Eva'`.execute(db)
  await sql`update schedules set timezone = 'Mars/Phobos'`.execute(db)
  const [expert, guest] = await Promise.all(
    (await waiting())
      .toSorted((a, b) => (a.subject < b.subject ? -1 : 1))
      .map(async row => await recheck(row, '2026-03-10T12:01:00.000Z')),
  )
  const about = { meetingUrl: 'https://new.test/x', endsAt: '2026-03-11T13:50:00.000Z', guestName: 'Rui Lima' }
  t.match(guest, {
    kind: 'send',
    facts: {
      ...about,
      party: 'guest',
      expertName: 'Eva Reis',
      reader: { locale: 'pt-PT', timeZone: 'America/New_York', lastName: 'Lima', email: 'rui@x.test' },
    },
  })
  t.match(expert, {
    kind: 'send',
    facts: { ...about, party: 'expert', reader: { language: 'es', locale: 'es-ES', firstName: 'Eva' } },
  })
})
