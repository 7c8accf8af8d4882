import { type DemoCase, waits } from '../case.ts'

/** Bookings whose money is not due, or not there; nobody has to do anything about them. */
export const waitingCases: readonly DemoCase[] = [
  {
    name: 'voucher-unpaid',
    expert: 'ines',
    payment: { by: 'unpaid voucher', issuedDays: -6 },
    endsDays: -2,
    ends: waits('unpaid'),
  },
  {
    name: 'voucher-settling',
    expert: 'ines',
    payment: { by: 'settling voucher', issuedDays: -8 },
    endsDays: -3,
    ends: waits('settling'),
  },
  {
    name: 'voucher-canceled',
    expert: 'ines',
    payment: { by: 'canceled voucher', issuedDays: -9 },
    endsDays: -4,
    ends: waits('payment_canceled'),
  },
  {
    name: 'appointment-ahead',
    expert: 'ines',
    payment: { by: 'card', paidDays: -10 },
    endsDays: 3,
    ends: waits('complaint_window'),
  },
  {
    name: 'complaint-window',
    expert: 'ines',
    payment: { by: 'card', paidDays: -9 },
    endsDays: -0.25,
    ends: { ...waits('complaint_window'), isTold: true },
  },
  {
    name: 'payment-age',
    expert: 'ines',
    payment: { by: 'card', paidDays: -4 },
    endsDays: -2,
    ends: waits('payment_age'),
  },
  // Due in (0, 2 days]: its expert is told.
  {
    name: 'upcoming',
    expert: 'ines',
    payment: { by: 'card', paidDays: -6 },
    endsDays: -3,
    ends: { ...waits('payment_age'), isTold: true },
  },
  {
    name: 'country-null-young',
    expert: 'noa',
    payment: { by: 'card', paidDays: -4.5 },
    endsDays: -3,
    ends: waits('payment_age'),
  },
  {
    name: 'needs-approval',
    expert: 'ines',
    payment: { by: 'card', paidDays: -8 },
    endsDays: -3,
    row: { requires_approval: true },
    ends: waits('approval'),
  },
  // The site has not heard of the dispute.
  {
    name: 'disputed-unnoticed',
    expert: 'ines',
    payment: { by: 'card', paidDays: -12 },
    endsDays: -9,
    later: ({ chargeId, stripe }) => {
      stripe.dispute(chargeId)
      return undefined
    },
    ends: waits('disputed'),
  },
  {
    name: 'disputed',
    expert: 'ines',
    payment: { by: 'card', paidDays: -14 },
    endsDays: -11,
    later: ({ chargeId, stripe }) => {
      stripe.dispute(chargeId)
      return { status: 'DISPUTED' }
    },
    ends: { status: 'DISPUTED' },
  },
  // The site never takes DISPUTED back.
  {
    name: 'dispute-won',
    expert: 'ines',
    payment: { by: 'card', paidDays: -18 },
    endsDays: -16,
    later: ({ chargeId, stripe }) => {
      stripe.closeDispute(stripe.dispute(chargeId), 'won')
      return { status: 'DISPUTED' }
    },
    ends: { status: 'DISPUTED', finding: 'dispute-won' },
  },
  // The bank keeps the money of this one for longer.
  {
    name: 'money-pending',
    expert: 'tia',
    payment: { by: 'card', paidDays: -9, availableDays: 0.75 },
    endsDays: -7,
    row: { status: 'COMPLETED' },
    ends: { status: 'COMPLETED', waits: 'awaiting_funds' },
  },
  // A refund took back what the old sweep had paid out: the account is short, and the youngest waits.
  {
    name: 'short-refunded-after-sweep',
    expert: 'noa',
    priceCents: 10_000,
    payment: { by: 'card', paidDays: -28 },
    endsDays: -12,
    later: ({ account, at, chargeId, currency, netCents, stripe }) => {
      stripe.payOutAsOldCode({ account, amountCents: netCents, currency, at: at(-27) })
      stripe.refund({ chargeId, reverseTransfer: true, refundFee: true })
      return { status: 'REFUNDED' }
    },
    ends: { status: 'REFUNDED' },
  },
  {
    name: 'short-youngest',
    expert: 'noa',
    payment: { by: 'card', paidDays: -7.5 },
    endsDays: -6,
    ends: { status: 'COMPLETED', transfer: 'recorded', waits: 'awaiting_funds' },
  },
]
