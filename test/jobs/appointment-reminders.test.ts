import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { listReachable } from '../../src/database/unreachable.ts'
import { KeyRefusedError, StopRunError } from '../../src/errors.ts'
import { appointmentReminders1hr } from '../../src/jobs/appointment-reminders-1hr.ts'
import { appointmentReminders } from '../../src/jobs/appointment-reminders.ts'
import { findReminders } from '../../src/notices/find-reminders.ts'
import type { OutgoingNotice } from '../../src/notices/notice.ts'
import { recheckAppointment } from '../../src/notices/recheck-appointment.ts'
import { dayReminder } from '../../src/notices/reminder-rules.ts'
import { readSubject } from '../../src/notices/reminders.ts'
import type { Booking } from '../../src/providers/payments.ts'
import type { Job } from '../../src/runner/define-job.ts'
import { addExpert, addMeeting, moveMeeting } from '../support/appointments.ts'
import { addFinding, readAll } from '../support/builders.ts'
import { testDatabase } from '../support/database.ts'
import { applyAll, planOf, testContext } from '../support/job-context.ts'
import { takeLease } from '../support/leases.ts'
import { noPayments } from '../support/no-money.ts'
import { delivery, testRunner } from '../support/runner.ts'

type AskLocale = (paymentIntentId: string) => Promise<string | null>

const dayStart = '2026-03-11T12:00:00.000Z'
const now = '2026-03-10T12:00:30.000Z'

/** A day before the start of most of these appointments. */
async function openWorld(t: Test, job: Job = appointmentReminders) {
  const { db } = await testDatabase(t)
  await addExpert(db, { clerkId: 'user_ana' })
  const lease = await takeLease(db, job.name)
  const asked: string[] = []
  let askLocale: AskLocale = async () => null
  const readBooking = async (paymentIntentId: string): Promise<Booking> => {
    asked.push(paymentIntentId)
    const locale = await askLocale(paymentIntentId)
    const rest = { amountCents: 7_000, currency: 'eur', voucher: undefined, guestName: null, timeZone: null }
    return { paymentIntentId, status: 'paid', locale, ...rest }
  }
  const contextAt = (at: string) =>
    testContext(db, at, { job: job.name, lease, providers: { payments: { ...noPayments, readBooking } } })
  const runAt = async (at: string = now) => {
    const plan = await planOf(job, contextAt(at))
    return { plan, ...(await applyAll(job, plan.effects, contextAt(at))) }
  }
  return {
    db,
    asked,
    contextAt,
    runAt,
    planAt: async (at: string = now) => await planOf(job, contextAt(at)),
    answerLocales: (answer: AskLocale) => {
      askLocale = answer
    },
    notices: async () => (await readAll(db, 'jobs.outbox')).toSorted((a, b) => (a.subject < b.subject ? -1 : 1)),
  }
}

t.test('both parties of an appointment are told, each once, in their own words and by their own clock', async t => {
  const world = await openWorld(t)
  t.same((await world.planAt()).effects, [], 'of nothing there is nothing to tell')
  world.answerLocales(async () => 'br')
  const id = await addMeeting(world.db, {
    startsAt: dayStart,
    guestEmail: ' Rui@Example.COM ',
    timezone: 'America/Sao_Paulo',
    meetingUrl: 'https://meet.example/x',
    paymentIntentId: 'pi_rui',
  })
  const { counts, plan } = await world.runAt()
  t.same(counts, { queued: 2 })
  t.same(world.asked, ['pi_rui'])
  t.match(plan.effects, [
    { kind: 'remind', subject: `meetings ${id} guest`, locale: 'pt-BR', timeZone: 'America/Sao_Paulo' },
    { kind: 'remind', subject: `meetings ${id} expert`, locale: 'pt-PT', timeZone: 'Europe/Lisbon' },
  ])
  t.match(plan.effects[0], { usefulUntil: new Date('2026-03-10T16:00:00Z') })
  t.notMatch(JSON.stringify(plan), /rui@|Costa|Reis|meet\.example|Consultation/i, 'nothing personal in the plan')
  const shared = { meetingId: id, guestName: 'Rui Costa', expertName: 'Ana Reis', serviceName: 'Consultation' }
  const about = { ...shared, startsAt: dayStart, endsAt: '2026-03-11T12:50:00.000Z' }
  t.match(await world.notices(), [
    {
      kind: 'appointment-reminder-24h',
      recipient: 'user_ana',
      occurrence: dayStart,
      state: 'pending',
      useful_until: new Date('2026-03-10T16:00:00Z'),
      facts: {
        party: 'expert',
        ...about,
        reader: { language: 'pt', locale: 'pt-PT', timeZone: 'Europe/Lisbon', email: 'user_ana@experts.example' },
      },
    },
    {
      recipient: 'guest_rui@example.com',
      facts: {
        party: 'guest',
        ...about,
        meetingUrl: 'https://meet.example/x',
        reader: { language: 'pt', locale: 'pt-BR', timeZone: 'America/Sao_Paulo', email: 'Rui@Example.COM' },
      },
    },
  ])
  const next = await world.planAt('2026-03-10T12:30:30Z')
  t.same(next.effects, [], 'the next run has nobody to tell')
  t.match(next.counts, { appointments: 0 }, 'and reads nothing of them')
  t.same(world.asked, ['pi_rui'], 'and asks nobody')
  const again = await applyAll(appointmentReminders, plan.effects, world.contextAt(now))
  t.same(again.counts, { changed: 2 }, 'the same effects tell nobody twice')
  t.equal((await world.notices()).length, 2)
})

t.test('whatever the times of its runs, the reminder of an hour goes once', async t => {
  const world = await openWorld(t, appointmentReminders1hr)
  const id = await addMeeting(world.db, { startsAt: '2026-03-10T13:15:00.000Z' })
  t.same((await world.planAt('2026-03-10T11:59:59.999Z')).effects, [])
  t.equal((await world.planAt('2026-03-10T12:00:00.000Z')).effects.length, 2)
  t.equal((await world.planAt('2026-03-10T13:05:00.000Z')).effects.length, 2)
  const tooLate = await world.planAt('2026-03-10T13:05:00.001Z')
  t.match(tooLate.effects, [{ kind: 'drop-reminder', reason: 'too_late' }, { reason: 'too_late' }])
  // Late, doubled, after a gap.
  for (const at of ['2026-03-10T12:17:00Z', '2026-03-10T12:17:00Z', '2026-03-10T13:04:59Z', '2026-03-10T13:20:00Z']) {
    await world.runAt(at)
  }
  t.match(
    (await world.notices()).map(({ subject }) => subject),
    [`meetings ${id} expert`, `meetings ${id} guest`],
  )
})

t.test('a start with more digits than a clock of ours has is told of once, and is not taken for another', async t => {
  const { db, planAt, runAt } = await openWorld(t)
  await addMeeting(db, { startsAt: dayStart })
  await sql`update meetings set "startTime" = "startTime" + interval '999600 microseconds'`.execute(db)
  t.same((await runAt()).counts, { queued: 2 })
  t.same((await planAt()).effects, [])
  t.same(
    (await recheckAll(db, now)).map(({ occurrence, verdict }) => `${occurrence} ${verdict}`),
    Array.from({ length: 2 }, () => '2026-03-11T12:00:00.999Z send'),
  )
})

t.test('what came too late is written down with the reason, once', async t => {
  const { db, notices, planAt, runAt } = await openWorld(t)
  await addMeeting(db, { startsAt: '2026-03-11T08:00:00Z' })
  await addMeeting(db, { startsAt: '2026-03-11T07:00:00Z', createdAt: '2026-03-10T09:30:00Z' })
  await addMeeting(db, { startsAt: '2026-03-11T07:00:00Z', status: 'pending' })
  await addMeeting(db, { startsAt: '2026-03-09T12:00:29Z' })
  t.same((await runAt()).counts, { dropped: 4 })
  const rows = await notices()
  t.same(rows.map(({ note, state }) => `${state} ${note}`).toSorted(), [
    'dropped booked_too_late',
    'dropped booked_too_late',
    'dropped too_late',
    'dropped too_late',
  ])
  t.ok(rows.every(({ finished_at }) => finished_at !== null))
  t.same((await planAt()).effects, [], 'and not again')
})

t.test('a booking of the last hours is told when its quiet time is over', async t => {
  const { db, planAt } = await openWorld(t)
  const id = await addMeeting(db, { startsAt: dayStart, createdAt: '2026-03-10T11:00:00Z' })
  t.match(await planAt(), {
    effects: [],
    waits: [{ subject: `meetings ${id}`, reason: 'just_booked', until: new Date('2026-03-10T13:00:00Z') }],
  })
  t.equal((await planAt('2026-03-10T12:59:59.999Z')).effects.length, 0)
  t.equal((await planAt('2026-03-10T13:00:00.000Z')).effects.length, 2)
})

t.test('nobody hears of a booking that is not paid, except that it waits', async t => {
  const { asked, db, planAt } = await openWorld(t)
  await addMeeting(db, { startsAt: dayStart, status: 'pending' })
  await addMeeting(db, { startsAt: dayStart, status: 'processing' })
  await addMeeting(db, { startsAt: dayStart, status: null })
  await addMeeting(db, { startsAt: dayStart, status: 'refunded' })
  await addMeeting(db, { startsAt: dayStart, status: null, price: 0, paymentIntentId: null, sessionId: 'cs_1' })
  const { effects, waits } = await planAt()
  t.same(effects, [])
  t.same(waits?.map(({ reason }) => reason).toSorted(), ['refunded', 'unpaid', 'unpaid', 'unpaid', 'unpaid'])
  const free = await addMeeting(db, { startsAt: dayStart, status: null, price: 0, paymentIntentId: null })
  t.match(
    (await planAt()).effects.map(({ subject }) => subject),
    [`meetings ${free} guest`, `meetings ${free} expert`],
  )
  t.same(asked, [], 'Stripe knows nothing of it')
})

t.test('what is missing of one party is no harm to the other', async t => {
  const { db, notices, runAt } = await openWorld(t)
  const noAddress = await addMeeting(db, { startsAt: dayStart, guestEmail: ' ', guestName: ' ' })
  const noExpert = await addMeeting(db, { startsAt: dayStart, expert: 'user_gone', timezone: 'America/New_York' })
  const { counts, plan } = await runAt()
  t.same(counts, { queued: 3, no_address: 1 })
  t.match(plan.effects.at(-1), { kind: 'drop-reminder', subject: `meetings ${noAddress} guest`, reason: 'no_address' })
  t.match(plan.findings, [{ kind: 'person-unreachable', subject: `meetings ${noAddress}`, message: /guestEmail/ }])
  for (const { kind, subject } of plan.findings ?? []) await addFinding(db, { kind, subject })
  t.same(await listReachable(db, new Date(now)), [])
  t.same(await listReachable(db, new Date(dayStart)), [`meetings ${noAddress}`], 'then nobody is to be told any more')
  const bySubject = new Map((await notices()).map(row => [row.subject, row]))
  t.match(bySubject.get(`meetings ${noAddress} guest`), { state: 'dropped', note: 'no_address', recipient: 'nobody' })
  t.match(bySubject.get(`meetings ${noAddress} expert`), { state: 'pending', facts: { guestName: '' } })
  t.match(bySubject.get(`meetings ${noExpert} expert`), {
    state: 'pending',
    recipient: 'user_gone',
    facts: { expertName: '', reader: { locale: 'en-US', timeZone: 'America/New_York' } },
  })
  t.match(bySubject.get(`meetings ${noExpert} guest`), { state: 'pending' })
  t.same((await runAt()).plan.effects, [], 'nothing is planned twice')
  await sql`update meetings set "guestEmail" = 'late@example.com' where id = ${noAddress}::uuid`.execute(db)
  t.same((await runAt()).counts, { queued: 1 }, 'an address that was added is told')
  t.same(await listReachable(db, new Date(now)), [`meetings ${noAddress}`])
})

t.test('a zone that does not exist costs its row the local time, and nothing else', async t => {
  const { db, notices, runAt } = await openWorld(t)
  await addExpert(db, { clerkId: 'user_mars', timezone: 'Mars/Phobos' })
  const id = await addMeeting(db, { startsAt: dayStart, expert: 'user_mars', timezone: 'Lisbon' })
  await addMeeting(db, { startsAt: dayStart })
  await addMeeting(db, { startsAt: dayStart, expert: 'user_mars', timezone: 'Europe/Madrid' })
  const { counts, plan } = await runAt()
  t.same(counts, { queued: 6 })
  t.match(plan.counts, { invalid_zones: 2 })
  t.match(
    plan.findings?.toSorted((a, b) => (a.subject < b.subject ? -1 : 1)),
    [
      { kind: 'zone-invalid', subject: `meetings ${id}` },
      { kind: 'zone-invalid', subject: /^schedules [0-9a-f-]{36}$/ },
    ],
  )
  t.notMatch(JSON.stringify(plan), /Mars/, 'what somebody typed is not repeated')
  const readers = (await notices()).map(({ facts }) => (facts['reader'] as { timeZone: string }).timeZone)
  const [lisbon, madrid] = ['Europe/Lisbon', 'Europe/Madrid']
  t.same(
    readers.toSorted(),
    [lisbon, lisbon, madrid, madrid, 'UTC', 'UTC'],
    'an expert has the meeting’s, where it is one',
  )
})

t.test('Stripe is asked for languages only, and its silence holds up those alone whose language it knows', async t => {
  for (const trouble of [new Error('503'), new KeyRefusedError('401')]) {
    const world = await openWorld(t)
    world.answerLocales(async () => {
      throw trouble
    })
    for (let index = 0; index < 20; index += 1) {
      await addMeeting(world.db, { startsAt: dayStart, timezone: 'Europe/Madrid' })
    }
    const plan = await world.planAt()
    t.equal(plan.effects.length, 20, 'the experts')
    t.match(plan.counts, { languages_asked: 20, languages_unknown: 20 })
    t.equal(plan.waits?.filter(({ reason }) => reason === 'language_unknown').length, 20)
    t.ok(trouble instanceof KeyRefusedError ? world.asked.length < 20 : world.asked.length === 20, 'none in vain')
    const late = await world.planAt('2026-03-10T14:00:00Z')
    t.equal(late.effects.length, 40)
    t.match(late.effects[0], { locale: 'es-ES' }, 'the language of the zone')
  }
})

t.test('a moved appointment is told of anew, and the old notice does not go', async t => {
  const { db, notices, planAt, runAt } = await openWorld(t)
  const id = await addMeeting(db, { startsAt: dayStart })
  await runAt()
  await moveMeeting(db, id, '2026-03-11T12:10:00Z')
  t.same((await runAt()).counts, { queued: 2 })
  const verdicts = await recheckAll(db, now)
  t.same(
    verdicts.map(({ occurrence, verdict }) => `${occurrence} ${verdict}`),
    [
      '2026-03-11T12:00:00.000Z moved',
      '2026-03-11T12:00:00.000Z moved',
      '2026-03-11T12:10:00.000Z send',
      '2026-03-11T12:10:00.000Z send',
    ],
  )
  // The sender drops them; then the site moves the appointment back.
  await sql`update jobs.outbox set state = 'dropped', note = 'moved', finished_at = now()
    where occurrence = ${dayStart}`.execute(db)
  await moveMeeting(db, id, dayStart)
  t.same((await runAt()).counts, { queued: 2 }, 'what was taken back does not stand against it')
  t.same(
    (await notices()).filter(({ state }) => state === 'pending').map(({ occurrence }) => occurrence),
    ['2026-03-11T12:10:00.000Z', `${dayStart} 2`, '2026-03-11T12:10:00.000Z', `${dayStart} 2`],
  )
  t.same((await planAt()).effects, [])
})

t.test('what has happened between decision and sending is seen', async t => {
  const { db, runAt } = await openWorld(t)
  const changes = {
    deleted: async (id: string) => await sql`delete from meetings where id = ${id}::uuid`.execute(db),
    refunded: async (id: string) => await setStatus(db, id, 'refunded'),
    unpaid: async (id: string) => await setStatus(db, id, 'failed'),
    send: async () => {},
  }
  const ids = new Map<string, string>()
  for (const [name] of Object.entries(changes)) ids.set(await addMeeting(db, { startsAt: dayStart }), name)
  await runAt()
  for (const [id, name] of ids) await changes[name as keyof typeof changes](id)
  for (const { subject, verdict } of await recheckAll(db, now)) {
    t.equal(verdict, ids.get(readSubject(subject).meetingId), subject)
  }
  await sql`update meetings set "guestEmail" = 'other@example.com', "clerkUserId" = 'user_other'`.execute(db)
  const changed = (await recheckAll(db, now)).filter(
    ({ subject }) => ids.get(readSubject(subject).meetingId) === 'send',
  )
  t.same(
    changed.map(({ verdict }) => verdict),
    ['recipient_changed', 'recipient_changed'],
  )
})

t.test('a plan that is not true any more writes nothing', async t => {
  const { contextAt, db, notices, planAt } = await openWorld(t)
  const moved = await addMeeting(db, { startsAt: dayStart })
  const refunded = await addMeeting(db, { startsAt: dayStart })
  const deleted = await addMeeting(db, { startsAt: dayStart })
  const { effects } = await planAt()
  await moveMeeting(db, moved, '2026-03-12T12:00:00Z')
  await setStatus(db, refunded, 'refunded')
  await sql`delete from meetings where id = ${deleted}::uuid`.execute(db)
  t.same((await applyAll(appointmentReminders, effects, contextAt(now))).counts, { changed: 6 })
  t.same(await notices(), [])
})

t.test('of many that are written together each comes to its own', async t => {
  const { contextAt, db, notices, planAt } = await openWorld(t)
  const told = await addMeeting(db, { startsAt: dayStart })
  const moved = await addMeeting(db, { startsAt: dayStart })
  const silent = await addMeeting(db, { startsAt: dayStart, guestEmail: 'rui@example.com' })
  const late = await addMeeting(db, { startsAt: '2026-03-11T07:00:00Z' })
  const { effects } = await planAt()
  t.equal(effects.length, 8)
  await moveMeeting(db, moved, '2026-03-12T12:00:00Z')
  await sql`update meetings set "guestEmail" = '' where id = ${silent}::uuid`.execute(db)
  const twice = [...effects, ...effects.filter(({ subject }) => subject === `meetings ${told} guest`)]
  const results = (await appointmentReminders.applyTogether?.(twice, contextAt(now))) ?? []
  const came = (id: string) =>
    results.flatMap((result, index) =>
      twice[index]?.subject.includes(id) === true ? Object.keys(result?.counts ?? {}) : [],
    )
  t.same(came(told), ['queued', 'queued', 'changed'], 'the same one twice is told once')
  t.same(came(moved), ['changed', 'changed'])
  t.same(came(silent), ['no_address', 'queued'])
  t.same(came(late), ['dropped', 'dropped'])
  const states = (await notices()).map(({ note, state }) => `${state} ${note}`).toSorted()
  t.same(states, ['dropped no_address', 'dropped too_late', 'dropped too_late', ...Array(3).fill('pending null')])
  const again = await appointmentReminders.applyTogether?.(effects, contextAt(now))
  t.ok(again?.every(result => result?.counts?.['changed'] === 1))
})

t.test('a run that lost its lease, or was paused, writes nothing', async t => {
  const { contextAt, db, notices, planAt } = await openWorld(t)
  await addMeeting(db, { startsAt: dayStart })
  const { effects } = await planAt()
  const context = contextAt(now)
  await takeLease(db, appointmentReminders.name)
  await t.rejects(applyAll(appointmentReminders, effects, context), new StopRunError('lease_lost'))
  await t.rejects(applyAll(appointmentReminders, effects, { ...context, lease: undefined }), /without a lease/)
  t.same(await notices(), [])
})

t.test('of two runs at once each party is told by one', async t => {
  const { contextAt, db, notices, planAt } = await openWorld(t)
  for (let index = 0; index < 5; index += 1) await addMeeting(db, { startsAt: dayStart })
  const { effects } = await planAt()
  const runs = await Promise.all(
    [1, 2, 3, 4].map(async () => (await applyAll(appointmentReminders, effects, contextAt(now))).counts),
  )
  t.equal(
    runs.reduce((sum, { queued = 0 }) => sum + queued, 0),
    10,
  )
  t.equal((await notices()).length, 10)
})

t.test('a dry run writes nothing and says who is told what, when and why not', async t => {
  const { answer, db } = await testRunner(t, {
    providers: {
      site: { check: async () => ({ state: 'up', latencyMs: 1, detail: '' }) },
      qstash: undefined,
      payments: noPayments,
      calendarTokens: undefined,
    },
  })
  await addExpert(db, { clerkId: 'user_ana' })
  const free = { status: null, price: 0, paymentIntentId: null, startsAt: dayStart } as const
  await addMeeting(db, free)
  await addMeeting(db, { ...free, guestEmail: '' })
  await addMeeting(db, { startsAt: dayStart, status: 'pending' })
  await addMeeting(db, { startsAt: '2026-03-11T07:59:00Z' })
  const dry = await answer(delivery(appointmentReminders, { dryRun: true }))
  t.match(dry.body, { outcome: 'succeeded', dryRun: true, report: { planned: 6, applied: 0, waiting: 1 } })
  t.same(await readAll(db, 'jobs.outbox'), [])
  t.notMatch(JSON.stringify(dry.body), /@|Costa|Reis|user_ana/)
  const real = await answer(delivery(appointmentReminders))
  t.match(real.body, { outcome: 'succeeded', report: { applied: 6, counts: { queued: 3, no_address: 1, dropped: 2 } } })
})

t.test('many appointments are read page by page, and what does not fit is left', async t => {
  const { db } = await openWorld(t)
  for (let index = 0; index < 12; index += 1) {
    // Also several of the same start, across the ends of pages.
    await addMeeting(db, { startsAt: new Date(Date.parse(dayStart) + Math.floor(index / 3) * 60_000).toISOString() })
  }
  await addMeeting(db, { startsAt: '2026-03-11T07:00:00Z' })
  const bounds = { now: new Date(now), signal: new AbortController().signal, pageSize: 5 }
  const all = await findReminders(db, dayReminder, bounds)
  t.equal(new Set(all.due.map(({ id }) => id)).size, 13)
  t.equal(all.left, 0)
  t.same(all.due.at(-1)?.starts_at, new Date('2026-03-11T07:00:00Z'), 'those who can still be told come first')
  const some = await findReminders(db, dayReminder, { ...bounds, maxDue: 5 })
  t.equal(some.due.length, 5)
  t.equal(some.left, 8)
})

async function setStatus(db: Db, id: string, status: string): Promise<void> {
  await sql`update meetings set "stripePaymentStatus" = ${status} where id = ${id}::uuid`.execute(db)
}

/** Looks at all notices again, as the sender does before it sends. */
async function recheckAll(db: Db, at: string) {
  const notices = await readAll(db, 'jobs.outbox')
  const checked = await Promise.all(
    notices.map(async row => {
      const outgoing = {
        id: row.id,
        kind: row.kind as OutgoingNotice['kind'],
        subject: row.subject,
        recipient: row.recipient,
        occurrence: row.occurrence,
        facts: row.facts,
        usefulUntil: row.useful_until,
        createdAt: row.created_at,
        attempt: 1,
      }
      const context = { db, payments: noPayments, now: new Date(at), signal: new AbortController().signal }
      const verdict = await recheckAppointment(outgoing, context)
      const { occurrence, subject } = row
      return { occurrence, subject, verdict: verdict.kind === 'send' ? 'send' : verdict.reason }
    }),
  )
  return checked.toSorted((a, b) => (a.occurrence < b.occurrence ? -1 : 1))
}
