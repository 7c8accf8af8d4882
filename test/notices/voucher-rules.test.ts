import t from 'tap'
import { decideHold, type ExpiredHold } from '../../src/notices/hold-rules.ts'
import { decideVoucherReminder, findWindow, type VoucherHold } from '../../src/notices/voucher-rules.ts'
import type { Booking } from '../../src/providers/payments.ts'
import { bookingOf } from '../support/holds.ts'

const gentle = 'payment-reminder-gentle'
const urgent = 'payment-reminder-urgent'
const hourMs = 3_600_000
const at = (text: string, plusMs = 0): Date => new Date(Date.parse(text) + plusMs)

/** Seven days, as Stripe issues them. */
const hold: VoucherHold = {
  issuedAt: at('2026-03-01T10:00:00Z'),
  expiresAt: at('2026-03-08T10:00:00Z'),
  startsAt: at('2026-03-20T15:00:00Z'),
  hasAddress: true,
}
const waiting = bookingOf('pi_1')

t.test('a voucher of seven days is reminded of on day 3 and on day 6, to the millisecond', async t => {
  t.same(findWindow(gentle, hold), { opensAt: at('2026-03-03T22:00:00Z'), closesAt: at('2026-03-06T21:59:59.999Z') })
  t.same(findWindow(urgent, hold), { opensAt: at('2026-03-06T22:00:00Z'), closesAt: at('2026-03-08T08:00:00Z') })
  const cases = [
    [gentle, '2026-03-03T21:59:59.999Z', { kind: 'wait', reason: 'too_early', until: at('2026-03-03T22:00:00Z') }],
    [gentle, '2026-03-03T22:00:00.000Z', { kind: 'remind', usefulUntil: at('2026-03-06T21:59:59.999Z') }],
    [gentle, '2026-03-06T21:59:59.999Z', { kind: 'remind' }],
    [gentle, '2026-03-06T22:00:00.000Z', { kind: 'drop', reason: 'too_late' }],
    [urgent, '2026-03-06T21:59:59.999Z', { kind: 'wait', reason: 'too_early', until: at('2026-03-06T22:00:00Z') }],
    [urgent, '2026-03-06T22:00:00.000Z', { kind: 'remind', usefulUntil: at('2026-03-08T08:00:00Z') }],
    [urgent, '2026-03-08T08:00:00.000Z', { kind: 'remind' }],
    [urgent, '2026-03-08T08:00:00.001Z', { kind: 'drop', reason: 'too_late' }],
  ] as const
  for (const [kind, now, expected] of cases) {
    t.match(decideVoucherReminder(kind, hold, waiting, at(now)), expected, `${kind} ${now}`)
  }
})

t.test('a short voucher gets the urgent reminder by the time that is left, and one of hours gets none', async t => {
  const short = (hours: number): VoucherHold => ({ ...hold, expiresAt: at('2026-03-01T10:00:00Z', hours * hourMs) })
  const urgentOf = (hours: number) => findWindow(urgent, short(hours))
  t.same(urgentOf(48), { opensAt: at('2026-03-01T22:00:00Z'), closesAt: at('2026-03-03T08:00:00Z') })
  t.equal(findWindow(gentle, short(48)), undefined, 'never so early that the urgent one follows at once')
  t.same(urgentOf(24), { opensAt: at('2026-03-01T14:00:00Z'), closesAt: at('2026-03-02T08:00:00Z') })
  t.same(urgentOf(6), { opensAt: at('2026-03-01T14:00:00Z'), closesAt: at('2026-03-01T14:00:00Z') })
  t.equal(findWindow(urgent, { ...short(6), expiresAt: at('2026-03-01T15:59:59.999Z') }), undefined)
  t.match(findWindow(gentle, short(84 + 1)), { opensAt: at('2026-03-03T10:00:00Z') }, 'an hour is left for it')
  t.equal(findWindow(gentle, short(84)), undefined, 'at three and a half days none is')
  t.same(decideVoucherReminder(gentle, short(84), undefined, at('2026-03-03T10:00:00Z')), {
    kind: 'drop',
    reason: 'too_short',
  })
})

t.test('every voucher of 12 hours or more meets a run that reminds of it, whenever it was issued', async t => {
  const runs = Array.from({ length: 40 }, (_, index) => at('2026-03-01T00:00:30Z', index * 6 * hourMs))
  for (const hours of [12, 18, 24, 25, 26, 28, 36, 72, 168]) {
    const missed = Array.from({ length: 72 }, (_, index) => at('2026-03-01T00:00:00Z', index * 300_000)).filter(
      issuedAt => {
        const voucher = { ...hold, issuedAt, expiresAt: new Date(issuedAt.getTime() + hours * hourMs) }
        const decide = (now: Date) => decideVoucherReminder(urgent, voucher, undefined, now)
        return !runs.some(now => decide(now).kind === 'ask')
      },
    )
    t.same(missed, [], `${hours} h`)
  }
})

t.test('Stripe is asked only when a reminder is due by what the hold says', async t => {
  const ask = (kind: typeof gentle | typeof urgent, now: string, some: Partial<VoucherHold> = {}) =>
    decideVoucherReminder(kind, { ...hold, ...some }, undefined, at(now))
  t.same(ask(gentle, '2026-03-03T22:00:00Z'), { kind: 'ask' })
  t.same(ask(gentle, '2026-03-03T22:00:00Z', { hasAddress: false }), { kind: 'drop', reason: 'no_address' })
  t.match(ask(gentle, '2026-03-03T21:00:00Z', { hasAddress: false }), { kind: 'wait' })
  const began = { startsAt: at('2026-03-03T22:00:00Z') }
  t.same(ask(gentle, '2026-03-03T22:00:00Z', began), { kind: 'drop', reason: 'appointment_began' })
  t.match(
    decideVoucherReminder(
      gentle,
      { ...hold, startsAt: at('2026-03-05T00:00:00Z') },
      waiting,
      at('2026-03-04T00:00:00Z'),
    ),
    { kind: 'remind', usefulUntil: at('2026-03-05T00:00:00Z') },
    'it helps no longer than until the appointment',
  )
})

t.test('only a voucher that still waits, and that can be paid, is reminded of', async t => {
  const decide = (booking: Booking) => decideVoucherReminder(gentle, hold, booking, at('2026-03-04T10:00:00Z'))
  for (const status of ['paid', 'settling', 'canceled'] as const) {
    t.same(decide({ ...waiting, status, voucher: undefined }), { kind: 'drop', reason: status })
  }
  t.same(decide({ ...waiting, status: 'lapsed', voucher: undefined }), { kind: 'wait', reason: 'no_voucher' })
  t.same(decide({ ...waiting, voucher: undefined }), { kind: 'wait', reason: 'no_voucher' }, 'nothing is left blank')
})

t.test("the voucher's own end decides, not the end that the hold was extended to", async t => {
  const extended = { ...hold, expiresAt: at('2026-03-12T10:00:00Z') }
  const now = at('2026-03-08T11:00:00Z')
  t.same(decideVoucherReminder(gentle, extended, undefined, now), { kind: 'ask' })
  t.same(decideVoucherReminder(gentle, extended, waiting, now), { kind: 'drop', reason: 'too_late' })
  const settling = { ...waiting, status: 'settling' as const, voucher: undefined }
  t.same(decideVoucherReminder(gentle, extended, settling, now), { kind: 'drop', reason: 'settling' })
  const reissued = bookingOf('pi_1', { voucher: { ...waiting.voucher!, expiresAt: at('2026-03-15T00:00:00Z') } })
  t.match(decideVoucherReminder(gentle, hold, reissued, at('2026-03-05T00:00:00Z')), {
    kind: 'wait',
    reason: 'too_early',
  })
})

t.test('spans are hours, on days that clocks change too', async t => {
  const changes = {
    Lisbon: '2026-03-29T01:00:00Z',
    'Lisbon back': '2026-10-25T01:00:00Z',
    'New York': '2026-03-08T07:00:00Z',
  }
  for (const [where, change] of Object.entries(changes)) {
    for (const beforeMs of [0, 36, 108].map(hours => hours * hourMs)) {
      const expiresAt = at(change, beforeMs)
      const times = { issuedAt: at(change, beforeMs - 168 * hourMs), expiresAt }
      const opened = [gentle, urgent].map(kind => findWindow(kind as typeof gentle, times)?.opensAt.getTime() ?? 0)
      t.same(opened, [expiresAt.getTime() - 108 * hourMs, expiresAt.getTime() - 36 * hourMs], where)
    }
  }
})

const expired: ExpiredHold = {
  startsAt: at('2026-03-20T15:00:00Z'),
  expiresAt: at('2026-03-08T10:00:00Z'),
  hasAddress: true,
  meeting: undefined,
  isBookedOtherwise: false,
}
const now = at('2026-03-08T10:15:00Z')
const gone = { kind: 'delete', tells: true, blockedBy: undefined }

t.test('a hold is kept while its money is there or on its way, and goes with a notice when it lapsed', async t => {
  const decide = (status: Booking['status']) => decideHold(expired, { ...waiting, status, voucher: undefined }, now)
  t.same(decideHold(expired, undefined, now), { kind: 'ask' })
  t.same(decide('paid'), { kind: 'keep', reason: 'paid' })
  t.same(decide('settling'), { kind: 'keep', reason: 'settling', isTooLong: false })
  t.same(decide('canceled'), { ...gone, reason: 'canceled' })
  t.same(decide('lapsed'), { ...gone, reason: 'lapsed' })
})

t.test('one that still waits is kept until Stripe must have decided, four days after the end', async t => {
  const decide = (text: string, some = waiting) => decideHold(expired, some, at(text))
  const until = at('2026-03-12T10:00:00Z')
  t.same(decide('2026-03-12T09:59:59.999Z'), { kind: 'keep', reason: 'waiting', until })
  t.same(decide('2026-03-12T10:00:00.000Z'), { ...gone, reason: 'forgotten' })
  const longer = bookingOf('pi_1', { voucher: { ...waiting.voucher!, expiresAt: at('2026-03-09T10:00:00Z') } })
  t.match(decide('2026-03-12T10:00:00Z', longer), { kind: 'keep', until: at('2026-03-13T10:00:00Z') })
  t.same(decide('2026-03-12T10:00:00Z', { ...waiting, voucher: undefined }), { ...gone, reason: 'forgotten' })
})

t.test('a paid booking is deleted in silence, without asking; an unpaid meeting silences nothing', async t => {
  const meeting = (paymentStatus: string) => ({ ...expired, meeting: { id: 'm_1', paymentStatus } })
  for (const status of ['succeeded', 'refunded']) {
    t.match(decideHold(meeting(status), undefined, now), { kind: 'delete', reason: 'booked', tells: false })
  }
  const lapsed = { ...waiting, status: 'lapsed' as const, voucher: undefined }
  for (const status of ['pending', 'failed']) {
    t.same(decideHold(meeting(status), undefined, now), { kind: 'ask' })
    t.same(decideHold(meeting(status), lapsed, now), { ...gone, reason: 'lapsed', blockedBy: 'm_1' })
  }
})

t.test('nobody is told without an address, of the past, or of a slot that they have paid for otherwise', async t => {
  const lapsed = { ...waiting, status: 'lapsed' as const, voucher: undefined }
  const decide = (some: Partial<ExpiredHold>) => decideHold({ ...expired, ...some }, lapsed, now)
  t.match(decide({ hasAddress: false }), { kind: 'delete', tells: false })
  t.match(decide({ isBookedOtherwise: true }), { kind: 'delete', tells: false })
  t.match(decide({ startsAt: now }), { kind: 'delete', tells: false })
  t.match(decide({ startsAt: at(now.toISOString(), 1) }), { kind: 'delete', tells: true })
  const past = { startsAt: now, meeting: { id: 'm_1', paymentStatus: 'pending' } }
  t.match(decide(past), { blockedBy: undefined }, 'a slot that is over is not blocked')
})
