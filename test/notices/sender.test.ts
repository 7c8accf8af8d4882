import { sql } from 'kysely'
import t from 'tap'
import { selectDue } from '../../src/database/outbox-claims.ts'
import { KeyRefusedError } from '../../src/errors.ts'
import type { Recheck } from '../../src/notices/notice.ts'
import { rechecks } from '../../src/notices/rechecks.ts'
import type { SendAnswer } from '../../src/providers/notifications.ts'
import { addFinding } from '../support/builders.ts'
import { later, noon } from '../support/pings.ts'
import { accepted, fakeVendor, listFindings, nameOf, nothing, oweMany, testSender } from '../support/notices.ts'

t.test('what is due goes out together, once, oldest first, with its key and its reader', async t => {
  const { db, owe, read, sender, vendor } = await testSender(t)
  await owe('b', { at: later(-1_000) })
  const id = await owe('a', { at: later(-2_000) })
  await owe('c', { at: later(1) })

  t.strictSame(await sender.sendDue(), { ...nothing, sent: 2 })
  t.strictSame(vendor.calls, [['a', 'b']], 'one call, and nothing before its time')
  const [message] = vendor.inbox
  t.match(await read(id), {
    state: 'sent',
    attempts: 1,
    finished_at: noon.toISOString(),
    transaction_id: message?.transactionId,
    claimed_by: null,
    note: null,
  })
  t.strictSame(message?.to, {
    subscriberId: 'guest_ana@guests.test',
    email: 'ana@guests.test',
    locale: 'en-GB',
    timeZone: 'UTC',
  })
  t.strictSame(await sender.sendDue(), nothing)
  t.equal(vendor.calls.length, 1)
  t.strictSame(await listFindings(db), [])
})

t.test('more than a call takes goes out in calls of a hundred, and one pass at a time', async t => {
  const { db, owe, sender, vendor } = await testSender(t)
  await owe('first')
  await oweMany(db, 249)
  const passes = await Promise.all([sender.sendDue(), sender.sendDue(), sender.sendDue()])
  t.strictSame(
    passes.map(({ sent }) => sent),
    [250, 0, 0],
  )
  t.strictSame(
    vendor.calls.map(call => call.length),
    [100, 100, 50],
  )
})

t.test('a notice goes out until the millisecond in which it stops being useful, and no later', async t => {
  const { owe, read, sender, time, vendor } = await testSender(t)
  const last = await owe('last', { usefulUntil: later(5_000) })
  const late = await owe('late', { usefulUntil: later(4_999) })
  time.now = later(5_000)
  t.strictSame(await sender.sendDue(), { ...nothing, sent: 1, dropped: 1 })
  t.strictSame(vendor.calls, [['last']])
  t.match(await read(last), { state: 'sent' })
  t.match(await read(late), {
    state: 'dropped',
    note: 'too_late',
    finished_at: later(5_000).toISOString(),
    attempts: 0,
  })
})

for (const slow of ['the check', 'the wording'] as const) {
  t.test(`what stops being useful during ${slow} does not go out either`, async t => {
    const { create, db, owe, read, time, vendor } = await testSender(t)
    const id = await owe('slow', { usefulUntil: later(5_000) })
    const wait = (): void => {
      time.now = later(5_001)
    }
    const check: Recheck = async () => {
      if (slow === 'the check') wait()
      return { kind: 'send' }
    }
    const sender = create({
      rechecks: { ...rechecks, 'appointment-reminder-1h': check },
      render: () => {
        wait()
        return { workflow: 'appointment-universal', payload: {} }
      },
    })
    t.strictSame(await sender.sendDue(), { ...nothing, dropped: 1 })
    t.match(await read(id), { state: 'dropped', note: 'too_late', attempts: 0 })
    t.match(await listFindings(db), [{ kind: 'notice-lost', message: /^1 notice/ }])
    t.strictSame(vendor.calls, [])
  })
}

t.test('what is not true any more is dropped with its reason, and what cannot be told waits', async t => {
  const check: Recheck = async ({ facts }) => {
    if (facts['name'] === 'unclear') throw new Error('no answer')
    return facts['name'] === 'moved' ? { kind: 'drop', reason: 'moved' } : { kind: 'send' }
  }
  const { owe, read, sender, vendor, wait } = await testSender(t, {
    rechecks: { ...rechecks, 'appointment-reminder-1h': check },
  })
  const ids = [await owe('moved'), await owe('unclear'), await owe('true')] as const
  t.strictSame(await sender.sendDue(), { ...nothing, sent: 1, dropped: 1, later: 1 })
  t.strictSame(vendor.calls, [['true']])
  t.match(await read(ids[0]), { state: 'dropped', note: 'moved', attempts: 0 })
  const unclear = {
    state: 'pending',
    note: 'recheck_failed',
    attempts: 0,
    next_attempt_at: later(30_000).toISOString(),
  }
  t.match(await read(ids[1]), unclear)
  wait(29_999)
  t.strictSame(await sender.sendDue(), nothing)
  wait(1)
  t.strictSame(await sender.sendDue(), { ...nothing, later: 1 })
})

t.test('a reader is that of the facts, of the marketplace, or an operator; without one nobody is told', async t => {
  const { db, owe, read, sender, vendor } = await testSender(t)
  await sql`insert into users ("clerkUserId", email, first_name, country) values ('user_1', 'e@x.test', 'Eva', 'ES')`.execute(
    db,
  )
  await sql`insert into schedules ("clerkUserId", timezone) values ('user_1', 'Europe/Madrid')`.execute(db)
  const ids = [
    await owe('expert', { kind: 'payout-failed', facts: {} }),
    await owe('stranger', { kind: 'payout-upcoming', facts: {} }),
    await owe('operator', { kind: 'job-failing', facts: {} }),
  ] as const
  await sql`update jobs.outbox set recipient = 'user_1' where id = ${ids[0]}`.execute(db)
  t.strictSame(await sender.sendDue(), { ...nothing, sent: 2, dropped: 1 })
  t.match(
    vendor.inbox.map(({ to }) => to),
    [
      { subscriberId: 'user_1', email: 'e@x.test', firstName: 'Eva', locale: 'es-ES', timeZone: 'Europe/Madrid' },
      { locale: 'en-GB', timeZone: 'UTC' },
    ],
  )
  t.match(await read(ids[1]), { state: 'dropped', note: 'no_reader' })
})

t.test('whoever has no address is one finding, whatever they are told, until they have one', async t => {
  const { db, owe, sender, vendor, wait } = await testSender(t)
  const unnamed = { reader: { language: 'en', locale: 'en-GB', timeZone: 'UTC' } }
  const owed = [
    await owe('1', { facts: unnamed }),
    await owe('2', { facts: unnamed }),
    await owe('3', { kind: 'payout-upcoming', facts: {} }),
  ]
  await sql`update jobs.outbox set recipient = 'user_gone' where id = any(${owed}::bigint[])`.execute(db)
  await owe('4', { facts: unnamed })
  await owe('5', { kind: 'job-failing', facts: {} })
  t.strictSame(await sender.sendDue(), { ...nothing, sent: 4, dropped: 1 })
  t.equal(vendor.inbox.filter(({ to }) => to.subscriberId === 'user_gone').length, 2, 'Novu may know them')
  const gone = { kind: 'person-unreachable', subject: 'users user_gone' }
  t.match(await listFindings(db), [{ ...gone, state: 'open' }])
  t.equal((await listFindings(db)).length, 1)
  await sender.raiseUndelivered()
  t.match(await listFindings(db), [{ ...gone, state: 'open' }])
  await sql`insert into users ("clerkUserId", email) values ('user_gone', 'e@x.test')`.execute(db)
  wait(900_000)
  await sender.raiseUndelivered()
  t.match(await listFindings(db), [{ ...gone, state: 'resolved' }])
})

t.test('a zone of an expert that is none is a finding when their notice goes, until it is corrected', async t => {
  const { db, owe, sender, vendor, wait } = await testSender(t)
  await sql`insert into users ("clerkUserId", email, country) values ('user_1', 'e@x.test', 'ES')`.execute(db)
  const { rows } = await sql<{ id: string }>`
    insert into schedules ("clerkUserId", timezone) values ('user_1', 'Mars/Phobos') returning id`.execute(db)
  for (const name of ['1', '2']) await owe(name, { kind: 'payout-failed', facts: {} })
  await sql`update jobs.outbox set recipient = 'user_1'`.execute(db)
  t.strictSame(await sender.sendDue(), { ...nothing, sent: 2 })
  t.match(vendor.inbox[0]?.to, { subscriberId: 'user_1', timeZone: 'UTC' })
  const finding = { kind: 'zone-invalid', subject: `schedules ${rows[0]?.id}` }
  const open = await listFindings(db)
  t.match(open, [{ ...finding, state: 'open', message: /UTC/ }])
  t.equal(open.length, 1, 'once for both')
  t.notMatch(JSON.stringify(open), /Mars/, 'what somebody typed is not repeated')
  await sender.raiseUndelivered()
  t.match(await listFindings(db), [{ ...finding, state: 'open' }], 'it stands for as long as it is so')
  await sql`update schedules set timezone = 'Europe/Madrid'`.execute(db)
  wait(900_000)
  await sender.raiseUndelivered()
  t.match(await listFindings(db), [{ ...finding, state: 'resolved' }])
})

t.test('findings about zones close when the row is well or gone, of guests too', async t => {
  const { db, sender } = await testSender(t)
  const gone = '00000000-0000-4000-8000-000000000000'
  const { rows } = await sql<{ id: string }>`
    with e as (insert into events (name, slug, "durationInMinutes", "clerkUserId") values ('a', 'a', 1, 'a') returning id)
    insert into meetings ("eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime", timezone,
      "stripePaymentIntentId")
    select e.id, 'a', 'a', 'a', now(), now(), z.zone, z.payment
    from e, (values ('Europe/Lisbon', 'pi_well'), ('Lisbon', 'pi_ill')) z (zone, payment) returning id`.execute(db)
  const [well, ill] = rows.map(({ id }) => `meetings ${id}`)
  const stay = [ill, 'payment_intents pi_ill', 'payment_intents pi_unseen']
  const close = [well, 'payment_intents pi_well', `schedules ${gone}`, `meetings ${gone}`]
  for (const subject of [...stay, ...close]) {
    await addFinding(db, { kind: 'zone-invalid', subject: subject ?? '' })
  }
  await addFinding(db, { kind: 'other', subject: well ?? '' })
  await sender.raiseUndelivered()
  const open = (await listFindings(db)).filter(({ state }) => state === 'open')
  t.same(open.map(({ kind, subject }) => `${kind} ${subject}`).toSorted(), [
    `other ${well}`,
    ...stay.map(subject => `zone-invalid ${subject}`).toSorted(),
  ])
})

t.test('what cannot be worded, and what the vendor refuses for good, is set aside as a finding', async t => {
  const vendor = fakeVendor({
    answer: message => (nameOf(message) === 'refused' ? { kind: 'refused', code: 'payload_invalid' } : accepted),
  })
  const { db, owe, read, sender } = await testSender(t, {
    notifications: vendor,
    render: (_, facts) => {
      if (facts['name'] === 'unworded') throw new TypeError('ana@guests.test is no date')
      return { workflow: 'appointment-universal', payload: facts }
    },
  })
  const ids = [await owe('unworded'), await owe('refused'), await owe('fine')] as const
  t.strictSame(await sender.sendDue(), { ...nothing, sent: 1, poison: 2 })
  t.match(await read(ids[0]), { state: 'poison', note: 'unworded: TypeError', attempts: 0 })
  t.match(await read(ids[1]), { state: 'poison', note: 'payload_invalid', attempts: 1 })
  const findings = await listFindings(db)
  t.match(findings, [
    { kind: 'notice-poison', subject: 'appointment-universal: unworded: TypeError', state: 'open' },
    { kind: 'notice-poison', subject: 'appointment-universal: payload_invalid', state: 'open' },
  ])
  t.notMatch(JSON.stringify(findings), /ana@/)
  t.strictSame(await sender.sendDue(), nothing, 'it is not tried again')
})

t.test(
  'a message that breaks the call for all holds up nobody for long: after an unclear call each goes alone',
  async t => {
    const vendor = fakeVendor({
      answer: (_, together) =>
        together.some(message => nameOf(message) === 'bad') ? { kind: 'unknown', code: 'status_500' } : accepted,
    })
    const { owe, sender, wait } = await testSender(t, { notifications: vendor })
    for (const name of ['1', 'bad', '2']) await owe(name)
    for (let minute = 0; minute < 10; minute += 1) {
      await sender.sendDue()
      wait(60_000)
    }
    t.strictSame(vendor.inbox.map(nameOf).toSorted(), ['1', '2'])
  },
)

t.test('a kind that this build does not know waits for one that does', async t => {
  const { db, owe, read, sender } = await testSender(t)
  const id = await owe('1')
  await sql`update jobs.outbox set kind = 'of-tomorrow'`.execute(db)
  t.strictSame(await sender.sendDue(), { ...nothing, later: 1 })
  t.match(await read(id), { state: 'pending', note: 'kind_unknown', attempts: 0 })
})

t.test('429 waits as long as it is told', async t => {
  const vendor = fakeVendor({ answer: () => ({ kind: 'later', code: 'status_429', retryAfterMs: 45_000 }) })
  const { owe, read, sender } = await testSender(t, { notifications: vendor })
  const id = await owe('1')
  t.strictSame(await sender.sendDue(), { ...nothing, later: 1 })
  const row = { state: 'pending', note: 'status_429', attempts: 1, next_attempt_at: later(45_000).toISOString() }
  t.match(await read(id), row)
})

t.test('a vendor in trouble ends the pass, and is tried with single notices before the others follow', async t => {
  let answer: SendAnswer = { kind: 'later', code: 'refused' }
  const vendor = fakeVendor({ answer: () => answer })
  const { db, owe, sender, wait } = await testSender(t, { notifications: vendor })
  await owe('first')
  await oweMany(db, 249)
  const sizes = (): number[] => vendor.calls.map(call => call.length)
  await sender.sendDue()
  t.strictSame(sizes(), [100])
  await sender.sendDue()
  t.strictSame(sizes(), [100, 1])
  answer = accepted
  wait(60_000)
  t.strictSame(await sender.sendDue(), { ...nothing, sent: 250 })
  t.strictSame(sizes(), [100, 1, 1, 1, 1, 100, 100, 47])
})

t.test('a workflow that is not ready holds up its own notices alone, and its finding closes when it works', async t => {
  let isReady = false
  const vendor = fakeVendor({
    answer: message =>
      isReady || nameOf(message) === 'fine' ? accepted : { kind: 'unready', code: 'workflow_not_found' },
  })
  const { db, owe, read, sender, wait } = await testSender(t, {
    notifications: vendor,
    render: (_, facts) => ({
      workflow: facts['name'] === 'fine' ? 'reservation-expired' : 'appointment-universal',
      payload: facts,
    }),
  })
  const id = await owe('1')
  await owe('fine')
  t.strictSame(await sender.sendDue(), { ...nothing, sent: 1, later: 1 })
  t.match(await read(id), { state: 'pending', note: 'workflow_not_found' })
  t.match(await listFindings(db), [{ kind: 'novu-workflow-unready', subject: 'appointment-universal', state: 'open' }])
  isReady = true
  wait(60_000)
  await sender.sendDue()
  t.match(await listFindings(db), [{ kind: 'novu-workflow-unready', state: 'resolved' }])
})

for (const way of ['message', 'look-up'] as const) {
  t.test(`a refused key holds up everything, is one finding, and is over when a ${way} goes through`, async t => {
    let works = false
    const vendor = fakeVendor({
      answer: () => (works ? accepted : { kind: 'keyRefused', code: 'status_401' }),
      isTaken: async () => (works ? true : await Promise.reject(new KeyRefusedError('refused'))),
    })
    const { db, owe, read, sender, wait } = await testSender(t, { notifications: vendor })
    const id = await owe('1')
    if (way === 'look-up') await sql`update jobs.outbox set state = 'unknown', tried_at = ${noon}`.execute(db)
    await sender.sendDue()
    t.match(await read(id), { state: way === 'message' ? 'pending' : 'unknown' })
    t.match(await listFindings(db), [{ kind: 'novu-key-refused', state: 'open' }])
    works = true
    wait(300_000)
    t.strictSame(await sender.sendDue(), { ...nothing, sent: 1 })
    t.match(await listFindings(db), [{ kind: 'novu-key-refused', state: 'resolved' }])
  })
}

t.test('what waits for a day is a finding of its kind, until it has gone', async t => {
  let answer: SendAnswer = { kind: 'later', code: 'refused' }
  const vendor = fakeVendor({ answer: () => answer })
  const { db, owe, sender, wait } = await testSender(t, { notifications: vendor })
  for (const name of ['1', '2']) await owe(name, { kind: 'payout-failed', usefulUntil: null })
  await owe('3', { usefulUntil: later(90_000_000) })
  await sender.sendDue()
  wait(86_400_000)
  await sender.raiseUndelivered()
  t.strictSame(await listFindings(db), [])
  wait(900_001)
  await sender.raiseUndelivered()
  const open = { kind: 'notice-undelivered', subject: 'payout-failed', state: 'open', message: /^2 / }
  t.match(await listFindings(db), [open])
  answer = accepted
  await sender.sendDue()
  wait(900_000)
  await sender.raiseUndelivered()
  t.match(await listFindings(db), [{ kind: 'notice-undelivered', state: 'resolved' }])
})

t.test('closing makes a last pass, cuts off what hangs, and that is looked up later', async t => {
  let wasCut = false
  const hanging = {
    ...fakeVendor(),
    send: async (_: unknown, signal: AbortSignal): Promise<SendAnswer[]> => {
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      wasCut = true
      return [{ kind: 'unknown', code: 'cut_off' }]
    },
  }
  const { create, owe, read } = await testSender(t)
  const id = await owe('1')
  const sender = create({ notifications: hanging })
  await sender.close(200)
  t.ok(wasCut)
  t.match(await read(id), { state: 'unknown', note: 'cut_off' })
  t.strictSame(await sender.sendDue(), nothing)

  const second = await owe('2')
  await create().close(2_000)
  t.match(await read(second), { state: 'sent' })
})

t.test('a silent sender leaves what is due to others', async t => {
  const { create, owe, read, vendor } = await testSender(t)
  const id = await owe('1')
  const silent = create({ isSilent: true })
  t.strictSame(await silent.sendDue(), nothing)
  await silent.raiseUndelivered()
  await silent.close(100)
  t.match(await read(id), { state: 'pending' })
  t.strictSame(vendor.calls, [])
})

t.test('the claim finds what is due by the index, among many that are through', async t => {
  const { db } = await testSender(t)
  await sql`insert into jobs.outbox (kind, subject, recipient, occurrence, facts, transaction_id, next_attempt_at,
      created_at, state, finished_at)
    select 'payout-failed', 'x' || n, 'user_1', 'once', '{}', 'tx' || n, ${noon}, ${noon},
      case when n % 1000 = 0 then 'pending' else 'sent' end, case when n % 1000 <> 0 then ${noon}::timestamptz end
    from generate_series(1, 20000) n`.execute(db)
  await sql`analyze jobs.outbox`.execute(db)
  const { rows } = await sql<{ 'QUERY PLAN': string }>`explain ${selectDue(later(1), 100)}`.execute(db)
  const plan = rows.map(row => row['QUERY PLAN']).join('\n')
  t.match(plan, /Index Scan using outbox_due/)
  t.notMatch(plan, /Seq Scan/)
})
