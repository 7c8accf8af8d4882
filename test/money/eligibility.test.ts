import fc from 'fast-check'
import t from 'tap'
import {
  type Booking,
  complaintWindowMs,
  eligibleFrom,
  judgeBooking,
  type PaymentFacts,
  payoutDelayDays,
  stopSentences,
  waitSentences,
} from '../../src/money/eligibility.ts'
import { waitSentences as payoutWaitSentences } from '../../src/money/payout-waits.ts'
import { mismatchSentences } from '../../src/money/transfer-checks.ts'
import type { TransferRow } from '../../src/money/transfer-decisions.ts'
import type { GivenUp } from '../../src/money/transfer-facts.ts'
import { findGivenUp, findMissing } from '../../src/money/transfer-findings.ts'
import { oddSentences } from '../../src/money/transfer-reasons.ts'
import { paid } from '../support/payments.ts'

const dayMs = 24 * 60 * 60_000
const at = (text: string): Date => new Date(text)
const shifted = (date: Date, ms: number): Date => new Date(date.getTime() + ms)

/** A paid and aged booking of an expert in Portugal, with nothing in its way. */
const booking = (overrides: Partial<Booking> = {}): Booking => ({
  status: 'READY',
  requiresApproval: false,
  approvedBy: null,
  country: 'PT',
  appointmentEndsAt: at('2026-03-02T10:00:00Z'),
  amountCents: 8_500,
  currency: 'eur',
  ...overrides,
})

const late = at('2027-01-01T00:00:00Z')

// Worked examples, row by row: payment, appointment's end, country, moment, and the bound that decides.
const examples = [
  ['usual PT', '2026-03-01T10:00Z', '2026-03-02T10:00Z', 'PT', '2026-03-08T10:00Z', 'payment_age'],
  ['far appointment', '2026-03-01T10:00Z', '2026-03-20T16:00Z', 'PT', '2026-03-21T16:00Z', 'complaint_window'],
  ['US', '2026-03-01T10:00Z', '2026-03-02T10:00Z', 'us', '2026-03-03T10:00Z', 'complaint_window'],
  ['no country', '2026-03-01T10:00Z', '2026-03-02T10:00Z', null, '2026-03-08T10:00Z', 'payment_age'],
  ['unknown country', '2026-03-01T10:00Z', '2026-03-02T10:00Z', 'ZZ', '2026-03-08T10:00Z', 'payment_age'],
  ['a voucher paid late', '2026-03-06T12:00Z', '2026-03-10T10:00Z', 'PT', '2026-03-13T12:00Z', 'payment_age'],
  ['the exact boundary', '2026-03-01T04:00Z', '2026-02-20T10:00Z', 'PT', '2026-03-08T04:00Z', 'payment_age'],
] as const

t.test('the worked examples become eligible at their moment and not a millisecond before', async t => {
  for (const [name, paidAt, endsAt, country, wanted, bound] of examples) {
    const row = booking({ country, appointmentEndsAt: at(endsAt) })
    const payment = paid({ paidAt: at(paidAt) })
    const moment = at(wanted)
    t.same(eligibleFrom(at(paidAt), at(endsAt), country), moment, name)
    t.same(judgeBooking(row, payment, shifted(moment, -1)), { kind: 'waits', reason: bound, until: moment }, name)
    t.same(judgeBooking(row, payment, moment), { kind: 'eligible', since: moment }, name)
    t.same(judgeBooking(row, payment, late), { kind: 'eligible', since: moment }, name)
  }
})

t.test('a voucher ages from its payment and not from its issue', async t => {
  const row = booking({ appointmentEndsAt: at('2026-03-10T10:00Z') })
  const verdict = judgeBooking(row, paid({ paidAt: at('2026-03-06T12:00Z') }), at('2026-03-11T10:00Z'))
  t.match(verdict, { kind: 'waits', until: at('2026-03-13T12:00Z') })
})

t.test('days are of 24 hours, across clock changes, leap days and the ends of months and years', async t => {
  const cases = [
    ['2026-03-25T00:30Z', 'PT', '2026-04-01T00:30Z'], // Lisbon's clocks go forward on 2026-03-29
    ['2026-10-22T00:30Z', 'PT', '2026-10-29T00:30Z'], // and back on 2026-10-25
    ['2026-03-07T23:00Z', 'US', '2026-03-09T23:00Z'], // New York's on 2026-03-08
    ['2028-02-27T12:00Z', 'US', '2028-02-29T12:00Z'],
    ['2027-02-27T12:00Z', 'US', '2027-03-01T12:00Z'],
    ['2026-12-28T23:59:59.999Z', 'FR', '2027-01-04T23:59:59.999Z'],
  ] as const
  for (const [paidAt, country, wanted] of cases) {
    t.same(eligibleFrom(at(paidAt), at('2026-01-01T00:00Z'), country), at(wanted), paidAt)
  }
  t.same(
    eligibleFrom(at('2026-01-01T00:00Z'), at('2026-03-29T00:30Z'), 'PT'),
    at('2026-03-30T00:30Z'),
    'the complaint window is of 24 hours too',
  )
})

t.test('every country of the table has its delay in any letter case, and everything else has the default', async t => {
  for (const code of ['PT', 'ES', 'IT', 'FR', 'DE', 'GB', 'CA', 'AU']) {
    for (const form of [code, code.toLowerCase(), ` ${code} `]) t.equal(payoutDelayDays(form), 7, form)
  }
  for (const form of ['US', 'us', 'Us', ' us ']) t.equal(payoutDelayDays(form), 2, form)
  for (const form of [null, '', 'ZZ', 'USA', 'BR', 'constructor', '__proto__'])
    t.equal(payoutDelayDays(form), 7, `${form}`)
})

t.test('a booking waits, without an end, for its payment, its dispute and its approval', async t => {
  const needsApproval = booking({ requiresApproval: true })
  t.same(judgeBooking(booking(), { status: 'unpaid', charge: undefined }, late), { kind: 'waits', reason: 'unpaid' })
  t.same(judgeBooking(booking(), { status: 'settling', charge: undefined }, late), {
    kind: 'waits',
    reason: 'settling',
  })
  t.same(judgeBooking(booking(), { status: 'canceled', charge: undefined }, late), {
    kind: 'waits',
    reason: 'payment_canceled',
  })
  t.same(judgeBooking(booking(), { status: 'paid', charge: undefined }, late), { kind: 'waits', reason: 'unpaid' })
  t.same(judgeBooking(booking(), { ...paid(), status: 'settling' }, late), { kind: 'waits', reason: 'settling' })
  t.same(judgeBooking(booking(), paid({ disputed: true }), late), { kind: 'waits', reason: 'disputed' })
  t.same(judgeBooking(booking({ status: 'DISPUTED' }), paid(), late), { kind: 'waits', reason: 'disputed' })
  t.same(judgeBooking(needsApproval, paid(), late), { kind: 'waits', reason: 'approval' })
  t.match(judgeBooking(needsApproval, paid(), at('2026-03-02T00:00Z')), { reason: 'payment_age' }, 'time comes first')
})

t.test('an approval is a status or a name, and a row that does not say needs none', async t => {
  const eligible = [
    { requiresApproval: null },
    { requiresApproval: false },
    { requiresApproval: true, status: 'APPROVED' },
    { requiresApproval: true, approvedBy: 'user_admin' },
    { requiresApproval: true, approvedBy: 'user_admin', status: 'COMPLETED' },
  ] as const
  for (const overrides of eligible) t.equal(judgeBooking(booking(overrides), paid(), late).kind, 'eligible')
  t.equal(judgeBooking(booking({ requiresApproval: true, status: 'COMPLETED' }), paid(), late).kind, 'waits')
})

t.test('a booking stops at whatever only a person can put right', async t => {
  const cases: readonly (readonly [Booking, PaymentFacts, string])[] = [
    [booking(), paid({ refundedCents: 1 }), 'partly_refunded'],
    [booking(), paid({ refundedCents: 9_999 }), 'partly_refunded'],
    [booking(), paid({ refundedCents: 10_000 }), 'refunded'],
    [booking(), paid({ refundedCents: 10_000, disputed: true }), 'refunded'],
    [booking(), paid({ disputed: true, disputeLost: true }), 'dispute_lost'],
    [booking({ status: 'REFUNDED' }), paid(), 'refunded'],
    [booking({ status: 'FAILED' }), paid(), 'failed'],
    [booking({ status: 'PAID_OUT' }), paid(), 'already_paid_out'],
    [booking({ appointmentEndsAt: null }), paid(), 'appointment_unknown'],
    [booking({ currency: 'usd' }), paid(), 'currency_mismatch'],
    [booking({ amountCents: 10_001 }), paid(), 'amount_above_payment'],
    ...[0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53].map(
      amountCents => [booking({ amountCents }), paid({ amountCents: 2 ** 54 }), 'amount_invalid'] as const,
    ),
    ...['', 'eu', 'euro', 'e1r'].map(
      currency => [booking({ currency }), paid({ currency }), 'amount_invalid'] as const,
    ),
  ]
  for (const [row, payment, reason] of cases) t.same(judgeBooking(row, payment, late), { kind: 'stopped', reason })
  t.equal(judgeBooking(booking({ amountCents: 10_000 }), paid(), late).kind, 'eligible', 'all of a payment may be owed')
  t.equal(judgeBooking(booking({ amountCents: 1 }), paid(), late).kind, 'eligible', 'and so may one cent')
  t.equal(judgeBooking(booking({ currency: 'EUR' }), paid(), late).kind, 'eligible', 'letter case means nothing')
  t.equal(judgeBooking(booking({ currency: 'EUR' }), paid({ currency: 'Eur' }), late).kind, 'eligible')
})

t.test('without asking the vendor only our own rows decide', async t => {
  const until = at('2026-03-03T10:00:00Z')
  const judge = (overrides: Partial<Booking>, now: Date) => judgeBooking(booking(overrides), undefined, now)
  t.same(judge({}, shifted(until, -1)), { kind: 'waits', reason: 'complaint_window', until })
  t.same(judge({}, until), { kind: 'unknown' })
  t.same(judge({ requiresApproval: true }, until), { kind: 'waits', reason: 'approval' })
  t.same(judge({ appointmentEndsAt: null }, until), { kind: 'unknown' }, 'an unpaid booking needs no appointment')
  t.same(judge({ status: 'DISPUTED' }, until), { kind: 'waits', reason: 'disputed' })
  t.same(judge({ amountCents: 0 }, until), { kind: 'stopped', reason: 'amount_invalid' })
})

t.test('a moment that is no date is never reached', async t => {
  const never = new Date(Number.NaN)
  t.equal(judgeBooking(booking(), paid({ paidAt: never }), late).kind, 'waits')
  t.equal(judgeBooking(booking({ appointmentEndsAt: never }), paid(), late).kind, 'waits')
  t.equal(judgeBooking(booking(), paid(), never).kind, 'waits')
})

t.test('what a person is to do can be done: by hand names the columns, and closing a row names its status', async t => {
  const byHand =
    /make the payout of exactly the row's amount at Stripe, write its id \(po_…\) into .* payout_id .* PAID_OUT/
  for (const reason of ['partly_refunded', 'appointment_unknown', 'dispute_lost'] as const) {
    t.match(stopSentences[reason], byHand, reason)
  }
  t.match(mismatchSentences.reversed, /set the row to REFUNDED; else/)
  t.match(mismatchSentences.reversed, byHand)
  const all = [...Object.values(stopSentences), ...Object.values(mismatchSentences), ...Object.values(oddSentences)]
  const missing = findMissing({ paymentTransferId: 1 } as TransferRow, 'resource_missing').message
  const givenUp = findGivenUp({ paymentTransferId: 1 } as GivenUp).message
  for (const sentence of [...all, missing, givenUp]) t.notMatch(sentence, /by hand|close the (?:booking|row)/)
  t.match(missing, /set the row to FAILED/)
  t.match(givenUp, /to REFUNDED/)
})

t.test('each reason has a sentence of its own for people', async t => {
  for (const sentences of [waitSentences, stopSentences]) {
    const texts = Object.values(sentences)
    t.equal(new Set(texts).size, texts.length)
    for (const text of texts) t.match(text, /^[a-z].{20,}[^.]$/s)
  }
})

const times = fc.integer({ min: at('2024-01-01').getTime(), max: at('2030-01-01').getTime() }).map(ms => new Date(ms))
const bookings: fc.Arbitrary<Booking> = fc.record({
  status: fc.constantFrom<Booking['status']>(
    'PENDING',
    'READY',
    'APPROVED',
    'COMPLETED',
    'DISPUTED',
    'REFUNDED',
    'FAILED',
  ),
  requiresApproval: fc.constantFrom(true, false, null),
  approvedBy: fc.constantFrom(null, 'user_admin'),
  country: fc.oneof(fc.constantFrom(null, 'PT', 'us', 'US', 'gb', 'ZZ'), fc.string({ maxLength: 3 })),
  appointmentEndsAt: fc.option(times, { freq: 9 }),
  amountCents: fc.integer({ min: -1, max: 20_000 }),
  currency: fc.constantFrom('eur', 'EUR', 'usd'),
})
const payments: fc.Arbitrary<PaymentFacts> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      status: fc.constant<PaymentFacts['status']>('paid'),
      charge: fc.record({
        paidAt: times,
        amountCents: fc.integer({ min: 1, max: 20_000 }),
        currency: fc.constantFrom('eur', 'EUR'),
        refundedCents: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 20_000 })),
        disputed: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
        disputeLost: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
      }),
    }),
  },
  fc.record({
    status: fc.constantFrom<PaymentFacts['status']>('unpaid', 'settling', 'canceled'),
    charge: fc.constant(undefined),
  }),
)
/** Moments at and around the bounds, where mistakes would be. */
const moments = fc.record({
  base: fc.constantFrom('aged', 'window', 'from', 'free'),
  ms: fc.constantFrom(-1, 0, 1),
  free: times,
})

const check = (property: (row: Booking, payment: PaymentFacts, now: Date) => boolean): void => {
  fc.assert(
    fc.property(bookings, payments, moments, (row, payment, { base, free, ms }) => {
      const paidAt = payment.charge?.paidAt ?? free
      const endsAt = row.appointmentEndsAt ?? free
      const bases = {
        aged: paidAt.getTime() + payoutDelayDays(row.country) * dayMs,
        window: endsAt.getTime() + complaintWindowMs,
        from: eligibleFrom(paidAt, endsAt, row.country).getTime(),
        free: free.getTime(),
      }
      return property(row, payment, new Date(bases[base] + ms))
    }),
    { numRuns: 2_000 },
  )
}

const isEligible = (row: Booking, payment: PaymentFacts, now: Date): boolean =>
  judgeBooking(row, payment, now).kind === 'eligible'

t.test('no booking is ever eligible before it has aged, or while the client may complain', async () => {
  check((row, payment, now) => {
    if (!isEligible(row, payment, now)) return true
    const { charge } = payment
    if (charge === undefined || row.appointmentEndsAt === null) return false
    const days = row.country?.trim().toUpperCase() === 'US' ? 2 : 7
    return (
      now.getTime() - charge.paidAt.getTime() >= days * dayMs &&
      now.getTime() - row.appointmentEndsAt.getTime() >= 24 * 60 * 60_000
    )
  })
})

t.test('what is eligible stays so as time passes, since the same moment', async () => {
  check((row, payment, now) => {
    const verdict = judgeBooking(row, payment, now)
    if (verdict.kind !== 'eligible') return true
    const later = judgeBooking(row, payment, shifted(now, 90 * dayMs))
    return later.kind === 'eligible' && later.since.getTime() === verdict.since.getTime()
  })
})

t.test('a moment that is promised is kept: not earlier, and then nothing but an approval is missing', async () => {
  check((row, payment, now) => {
    const verdict = judgeBooking(row, payment, now)
    if (verdict.kind !== 'waits' || verdict.until === undefined) return true
    const then = judgeBooking(row, payment, verdict.until)
    const isKept = then.kind === 'eligible' || (then.kind === 'waits' && then.reason === 'approval')
    return isKept && verdict.until > now && !isEligible(row, payment, shifted(verdict.until, -1))
  })
})

t.test('any refund, any dispute and any payment that did not arrive stops a booking, whatever the rest', async () => {
  check((row, payment, now) => {
    const { charge } = payment
    if (charge === undefined) return !isEligible(row, payment, now)
    return [
      { ...payment, charge: { ...charge, refundedCents: 1 } },
      { ...payment, charge: { ...charge, disputed: true } },
      { ...payment, status: 'settling' as const },
      { ...payment, charge: undefined },
    ].every(facts => !isEligible(row, facts, now))
  })
})

t.test('an approval never makes a booking eligible that would not be without the need for one', async () => {
  check((row, payment, now) => {
    const approved = { ...row, requiresApproval: true, approvedBy: 'user_admin' }
    const free = { ...row, requiresApproval: false, approvedBy: null }
    const status = row.status === 'APPROVED' ? 'READY' : row.status
    return (
      isEligible(approved, payment, now) === isEligible(free, payment, now) &&
      isEligible(row, payment, now) <= isEligible({ ...free, status }, payment, now)
    )
  })
})

t.test('letter case of country and currency changes no verdict', async () => {
  check((row, payment, now) => {
    const flipped = { ...row, country: row.country?.toLowerCase() ?? null, currency: row.currency.toUpperCase() }
    return JSON.stringify(judgeBooking(flipped, payment, now)) === JSON.stringify(judgeBooking(row, payment, now))
  })
})

t.test('asking the vendor never turns a wait of our own rows into a release', async () => {
  check((row, payment, now) => {
    const unasked = judgeBooking(row, undefined, now)
    return unasked.kind === 'unknown' || !isEligible(row, payment, now)
  })
})

t.test('whoever reads that an approval is missing reads what to set, at both stages', t => {
  t.match(waitSentences.approval, /set its status to APPROVED and admin_user_id/)
  t.match(payoutWaitSentences.approval, /admin_user_id is empty.*APPROVED.*set it to the administrator/)
  t.end()
})
