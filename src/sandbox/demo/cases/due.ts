import { type DemoCase, paidOut } from '../case.ts'

/** Bookings whose money goes out in the first round. */
export const dueCases: readonly DemoCase[] = [
  { name: 'card-due', expert: 'ines', payment: { by: 'card', paidDays: -12 }, endsDays: -10, ends: paidOut },
  // Every paid voucher ends READY, which the old jobs never looked at.
  {
    name: 'voucher-ready',
    expert: 'ines',
    payment: { by: 'voucher', issuedDays: -14, paidDays: -9 },
    endsDays: -8,
    row: { status: 'READY' },
    ends: paidOut,
  },
  {
    name: 'approved',
    expert: 'ines',
    payment: { by: 'card', paidDays: -10 },
    endsDays: -6,
    row: { status: 'APPROVED', requires_approval: true, admin_user_id: 'user_demo_admin' },
    ends: paidOut,
  },
  {
    name: 'approval-null',
    expert: 'ines',
    payment: { by: 'card', paidDays: -9 },
    endsDays: -5,
    row: { requires_approval: null },
    ends: paidOut,
  },
  {
    name: 'completed-due',
    expert: 'ines',
    payment: { by: 'card', paidDays: -16 },
    endsDays: -8,
    row: { status: 'COMPLETED' },
    ends: { status: 'PAID_OUT', payout: 'created' },
  },
  // The money stayed on the platform: the only kind of charge for which a transfer is made.
  {
    name: 'separate-charge',
    expert: 'ines',
    payment: { by: 'card', paidDays: -11, sentTo: null },
    endsDays: -9,
    ends: { ...paidOut, transfer: 'created' },
  },
  // The old job made the transfer and could not find it again.
  {
    name: 'old-separate-transfer',
    expert: 'ines',
    payment: { by: 'card', paidDays: -13, sentTo: null },
    endsDays: -9,
    row: { retry_count: 2, stripe_error_code: 'parameter_unknown' },
    later: ({ account, at, chargeId, netCents, paymentTransferId, stripe }) => {
      stripe.transferAsOldCode({
        paymentTransferId,
        destination: account,
        amountCents: netCents,
        chargeId,
        at: at(-5),
      })
      return undefined
    },
    ends: paidOut,
  },
  { name: 'us-two-days', expert: 'grace', payment: { by: 'card', paidDays: -3 }, endsDays: -2.5, ends: paidOut },
  {
    name: 'dollars-due',
    expert: 'grace',
    payment: { by: 'card', paidDays: -6 },
    endsDays: -4,
    row: { currency: 'USD' },
    ends: paidOut,
  },
  { name: 'country-null', expert: 'noa', payment: { by: 'card', paidDays: -8 }, endsDays: -7, ends: paidOut },
  // Another account than the one of today's rows is empty: the older row is paid, the younger one waits for its own money.
  {
    name: 'older-than-pending',
    expert: 'tia',
    payment: { by: 'card', paidDays: -15 },
    endsDays: -13,
    row: { status: 'COMPLETED' },
    ends: { status: 'PAID_OUT', payout: 'created' },
  },
]
