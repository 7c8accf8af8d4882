import fc from 'fast-check'
import t from 'tap'
import type { PaymentFacts } from '../../src/money/eligibility.ts'
import { decideNotice, noticeWithinMs, type UpcomingRow } from '../../src/money/upcoming-payouts.ts'
import { paid } from '../support/payments.ts'

const dayMs = 24 * 60 * 60_000
const at = (text: string): Date => new Date(text)
const shifted = (date: Date, ms: number): Date => new Date(date.getTime() + ms)

/** Paid on March 1 at 10:00 and over the next day: payable from March 8 at 10:00 on. */
const row = (overrides: Partial<UpcomingRow> = {}): UpcomingRow => ({
  paymentTransferId: 7,
  status: 'READY',
  account: 'acct_1',
  currentAccount: 'acct_1',
  accountShared: false,
  amountCents: 8_500,
  currency: 'eur',
  country: 'PT',
  requiresApproval: null,
  approvedBy: null,
  appointmentEndsAt: at('2026-03-02T10:00:00Z'),
  createdAt: at('2026-03-01T10:00:00Z'),
  transferId: null,
  payoutId: null,
  hasTwin: false,
  hasPayout: false,
  operation: undefined,
  expert: 'user_expert',
  ...overrides,
})

const eligible = at('2026-03-08T10:00:00Z')
const rules = (now: Date) => ({
  now,
  cutOver: at('2026-01-01T00:00:00Z'),
  limits: { maxSingleCents: 200_000, maxTotalCents: 2_000_000 },
})
const decide = (overrides: Partial<UpcomingRow>, payment: PaymentFacts | undefined, now: Date) =>
  decideNotice(row(overrides), payment, rules(now))
const inTime = shifted(eligible, -dayMs)

t.test('an expert is told within two days before, to the millisecond, and never afterwards', async t => {
  const told = { kind: 'tell', eligibleFrom: eligible, paidAt: at('2026-03-01T10:00:00Z') }
  const earliest = shifted(eligible, -noticeWithinMs)
  t.same(decide({}, paid(), shifted(earliest, -1)), { kind: 'wait', reason: 'too_early', until: earliest })
  t.same(decide({}, paid(), earliest), told)
  t.same(decide({}, paid(), shifted(eligible, -1)), told)
  t.same(decide({}, paid(), eligible), { kind: 'silent' })
})

t.test('the moment is the real one: payment age, complaint window and country, not the age of the row', async t => {
  const voucher = paid({ paidAt: at('2026-03-06T12:00:00Z') })
  const issued = { appointmentEndsAt: at('2026-03-10T10:00:00Z'), createdAt: at('2026-03-01T10:00:00Z') }
  t.match(decide(issued, voucher, at('2026-03-06T12:00:00Z')), { kind: 'wait', reason: 'too_early' })
  t.match(decide(issued, voucher, at('2026-03-12T12:00:00Z')), {
    kind: 'tell',
    eligibleFrom: at('2026-03-13T12:00:00Z'),
  })
  const far = { appointmentEndsAt: at('2026-03-20T16:00:00Z') }
  t.match(decide(far, paid(), at('2026-03-07T12:00:00Z')), { kind: 'wait', until: at('2026-03-19T16:00:00Z') })
  t.match(decide(far, paid(), at('2026-03-20T12:00:00Z')), { kind: 'tell', eligibleFrom: at('2026-03-21T16:00:00Z') })
  t.match(decide({ country: 'us' }, paid(), at('2026-03-01T12:00:00Z')), {
    kind: 'tell',
    eligibleFrom: at('2026-03-03T10:00:00Z'),
  })
  t.equal(decide({ country: null }, paid(), inTime).kind, 'tell', 'an expert without a country has the default')
})

t.test('nobody hears of money that was not paid, was given back, is disputed or is not approved', async t => {
  const reasons = [
    [{ status: 'unpaid', charge: undefined }, 'unpaid'],
    [{ status: 'settling', charge: undefined }, 'settling'],
    [{ status: 'canceled', charge: undefined }, 'payment_canceled'],
    [paid({ disputed: true }), 'disputed'],
  ] as const
  for (const [payment, reason] of reasons) t.same(decide({}, payment, inTime), { kind: 'wait', reason })
  for (const refundedCents of [1, 10_000]) t.same(decide({}, paid({ refundedCents }), inTime), { kind: 'silent' })
  t.same(decide({ requiresApproval: true }, paid(), inTime), { kind: 'wait', reason: 'approval' })
  t.equal(decide({ requiresApproval: true, approvedBy: 'user_admin' }, paid(), inTime).kind, 'tell')
})

t.test(
  'nobody hears of a row that contradicts itself, is being worked on, or may have been paid by others',
  async t => {
    const operation = { id: 'op', state: 'held', reason: null, wakeAt: null, createdAt: inTime } as const
    const silent = [
      { payoutId: 'po_1' },
      { transferId: 'tr_1' },
      { hasTwin: true },
      { hasPayout: true },
      { amountCents: 0 },
      { operation },
      { appointmentEndsAt: null },
    ]
    for (const overrides of silent) {
      t.same(decide(overrides, undefined, inTime), { kind: 'silent' })
      t.same(decide(overrides, paid(), inTime), { kind: 'silent' })
    }
    const old = { ...rules(inTime), cutOver: at('2026-03-01T10:00:00.001Z') }
    t.same(decideNotice(row(), paid(), old), { kind: 'wait', reason: 'before_cut_over' })
    t.same(decideNotice(row(), paid(), { ...old, cutOver: undefined }), { kind: 'wait', reason: 'before_cut_over' })
    t.equal(decideNotice(row(), paid(), { ...old, cutOver: at('2026-03-01T10:00:00Z') }).kind, 'tell')
  },
)

t.test('nobody is asked before it could matter, even where the site wrote the row days after the payment', async t => {
  const earliest = shifted(eligible, -5 * dayMs)
  t.same(decide({}, undefined, shifted(earliest, -1)), { kind: 'wait', reason: 'too_early', until: earliest })
  t.same(decide({}, undefined, earliest), { kind: 'ask' })
  t.same(decide({}, undefined, at('2027-01-01T00:00:00Z')), { kind: 'ask' }, 'a voucher may be paid at any time')
})

t.test('whoever is told has a paid booking that becomes payable within (0, 2 days], whatever else', async () => {
  const times = fc.integer({ min: -10 * dayMs, max: 10 * dayMs }).map(ms => shifted(inTime, ms))
  const payments = fc.record({
    status: fc.constantFrom<PaymentFacts['status']>('paid', 'paid', 'unpaid', 'settling'),
    charge: fc.option(
      fc.record({
        paidAt: times,
        amountCents: fc.constant(10_000),
        currency: fc.constant('EUR'),
        refundedCents: fc.constantFrom(0, 0, 0, 1),
        disputed: fc.constantFrom(false, false, false, true),
        disputeLost: fc.constantFrom(false, false, false, true),
      }),
      { nil: undefined, freq: 9 },
    ),
  })
  const rows = fc.record({
    country: fc.constantFrom('PT', 'US', null),
    appointmentEndsAt: times,
    requiresApproval: fc.constantFrom(true, false, null),
    status: fc.constantFrom<UpcomingRow['status']>('PENDING', 'READY', 'APPROVED'),
  })
  fc.assert(
    fc.property(rows, payments, times, (overrides, payment, now) => {
      const decision = decide(overrides, payment, now)
      if (decision.kind !== 'tell') return true
      const { charge } = payment
      const days = overrides.country === 'US' ? 2 : 7
      const from = Math.max(
        (charge?.paidAt.getTime() ?? Number.NaN) + days * dayMs,
        overrides.appointmentEndsAt.getTime() + dayMs,
      )
      const waitMs = from - now.getTime()
      const isPaid = payment.status === 'paid' && charge?.refundedCents === 0 && !charge.disputed
      const isApproved = overrides.requiresApproval !== true || overrides.status === 'APPROVED'
      return isPaid && isApproved && decision.eligibleFrom.getTime() === from && waitMs > 0 && waitMs <= noticeWithinMs
    }),
    { numRuns: 5_000 },
  )
})
