import t from 'tap'
import {
  closesAt,
  dayReminder,
  decideReminder,
  hourReminder,
  judgePayment,
  occurrenceOf,
  type ReminderFacts,
  startOf,
} from '../../src/notices/reminder-rules.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const startsAt = new Date('2026-06-10T14:00:00.000Z')
const booked: ReminderFacts = {
  startsAt,
  createdAt: new Date('2026-05-01T00:00:00Z'),
  paymentStatus: 'succeeded',
  hasPayment: true,
  priceCents: 7_000,
}
const before = (ms: number): Date => new Date(startsAt.getTime() - ms)
const kindAt = (rule: typeof dayReminder, ms: number, facts: Partial<ReminderFacts> = {}) => {
  const decision = decideReminder(rule, { ...booked, ...facts }, before(ms))
  return 'reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind
}

t.test('a window holds from its first to its last millisecond', async t => {
  const windows = [
    [dayReminder, 24 * hourMs + 30 * minuteMs, 20 * hourMs],
    [hourReminder, 75 * minuteMs, 10 * minuteMs],
  ] as const
  for (const [rule, opens, closes] of windows) {
    t.equal(kindAt(rule, opens + 1), 'none', 'a millisecond before it opens')
    t.equal(kindAt(rule, opens), 'tell', 'as it opens')
    t.equal(kindAt(rule, closes), 'tell', 'as it closes')
    t.equal(kindAt(rule, closes - 1), 'drop too_late', 'a millisecond after')
    t.equal(kindAt(rule, -24 * hourMs), 'drop too_late', 'a day after the start')
    t.equal(kindAt(rule, -24 * hourMs - 1), 'none', 'and no longer')
    t.same(closesAt(rule, startsAt), before(closes))
  }
})

t.test('who has just booked hears nothing before the quiet time is over', async t => {
  const quiets = [
    [dayReminder, 24 * hourMs, 2 * hourMs],
    [hourReminder, 60 * minuteMs, 15 * minuteMs],
  ] as const
  for (const [rule, bookedBefore, quietMs] of quiets) {
    const createdAt = before(bookedBefore)
    t.equal(kindAt(rule, bookedBefore, { createdAt }), 'wait just_booked')
    t.equal(kindAt(rule, bookedBefore - quietMs + 1, { createdAt }), 'wait just_booked')
    t.equal(kindAt(rule, bookedBefore - quietMs, { createdAt }), 'tell')
    t.match(decideReminder(rule, { ...booked, createdAt }, before(bookedBefore)), {
      until: before(bookedBefore - quietMs),
    })
  }
})

t.test('a booking whose quiet time outlasts the window was made too late, to the millisecond', async t => {
  for (const rule of [dayReminder, hourReminder]) {
    const inTime = before(rule.closesMs + rule.quietMs)
    const late = before(rule.closesMs + rule.quietMs - 1)
    t.equal(kindAt(rule, rule.closesMs, { createdAt: inTime }), 'tell', 'the last moment is told')
    t.equal(kindAt(rule, rule.closesMs, { createdAt: late }), 'wait just_booked')
    t.match(decideReminder(rule, { ...booked, createdAt: late }, before(rule.closesMs)), {
      until: before(rule.closesMs),
    })
    t.equal(kindAt(rule, rule.closesMs - 1, { createdAt: inTime }), 'drop too_late')
    t.equal(kindAt(rule, rule.closesMs - 1, { createdAt: late }), 'drop booked_too_late')
    t.equal(kindAt(rule, 0, { createdAt: before(5 * minuteMs) }), 'drop booked_too_late', 'booked after it closed')
  }
})

t.test('only what was paid is told, and what is free and never saw Stripe', async t => {
  const free = { paymentStatus: null, hasPayment: false, priceCents: 0 }
  t.equal(judgePayment(booked), 'paid')
  t.equal(judgePayment({ ...booked, hasPayment: false }), 'paid', 'with the code of a pack')
  t.equal(judgePayment(free), 'paid')
  t.equal(judgePayment({ ...free, priceCents: 1 }), 'unpaid')
  t.equal(judgePayment({ ...free, hasPayment: true }), 'unpaid')
  for (const paymentStatus of ['pending', 'processing', 'failed', '', 'SUCCEEDED', 'paid']) {
    t.equal(judgePayment({ ...booked, paymentStatus }), 'unpaid', paymentStatus)
    t.equal(judgePayment({ ...free, paymentStatus }), 'unpaid', `${paymentStatus} of a free event`)
  }
  t.equal(judgePayment({ ...booked, paymentStatus: 'refunded' }), 'refunded')
})

t.test('who has not paid waits while there is time, and nothing is written of them afterwards', async t => {
  for (const rule of [dayReminder, hourReminder]) {
    t.equal(kindAt(rule, rule.closesMs, { paymentStatus: 'pending' }), 'wait unpaid')
    t.equal(kindAt(rule, rule.opensMs, { paymentStatus: 'refunded' }), 'wait refunded')
    t.equal(kindAt(rule, rule.closesMs - 1, { paymentStatus: 'pending' }), 'none')
  }
})

t.test('a window is as many hours long on the days on which clocks change', async t => {
  // The first hour after midnight, and the ninth in the morning, of days with 23 and 25 hours.
  const starts = [
    ['Europe/Lisbon', '2026-03-29T08:30:00Z', '09:30'],
    ['Europe/Lisbon', '2026-10-25T09:30:00Z', '09:30'],
    ['Europe/Madrid', '2026-03-29T07:30:00Z', '09:30'],
    ['Europe/Madrid', '2026-10-25T00:30:00Z', '02:30'],
    ['Europe/Madrid', '2026-10-25T01:30:00Z', '02:30'],
    ['America/New_York', '2026-03-08T13:30:00Z', '09:30'],
    ['America/New_York', '2026-11-01T05:30:00Z', '01:30'],
    ['America/New_York', '2026-11-01T06:30:00Z', '01:30'],
    ['America/Sao_Paulo', '2018-11-04T11:30:00Z', '09:30'],
    ['America/Sao_Paulo', '2026-11-01T12:30:00Z', '09:30'],
    ['Pacific/Auckland', '2026-04-04T21:30:00Z', '09:30'],
    ['Pacific/Auckland', '2026-09-26T20:30:00Z', '09:30'],
  ] as const
  for (const [zone, start, local] of starts) {
    const at = new Date(start)
    const clock = new Intl.DateTimeFormat('pt-PT', { timeZone: zone, hour: '2-digit', minute: '2-digit' }).format(at)
    t.equal(clock, local, `${zone}: the test means this time`)
    for (const rule of [dayReminder, hourReminder]) {
      const decide = (ms: number) =>
        decideReminder(rule, { ...booked, createdAt: new Date(0), startsAt: at }, new Date(at.getTime() - ms)).kind
      const edges = [rule.opensMs + 1, rule.opensMs, rule.closesMs, rule.closesMs - 1].map(decide)
      t.same(edges, ['none', 'tell', 'tell', 'drop'], `${zone} ${start}`)
    }
  }
})

t.test('an occurrence is the start, and a new one after it was taken back', async t => {
  t.equal(occurrenceOf(startsAt, 0), '2026-06-10T14:00:00.000Z')
  t.equal(occurrenceOf(startsAt, 1), '2026-06-10T14:00:00.000Z 2')
  t.equal(startOf(occurrenceOf(startsAt, 0)), startsAt.toISOString())
  t.equal(startOf(occurrenceOf(startsAt, 7)), startsAt.toISOString())
})
