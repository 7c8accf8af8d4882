import type { DemoCase } from '../case.ts'

/** Bookings that the old jobs may have paid out already; the cut-over is 21 days ago. */
export const cutOverCases: readonly DemoCase[] = [
  // Paid at Stripe, and the job ended before it could say so.
  {
    name: 'old-code-paid',
    expert: 'ines',
    payment: { by: 'card', paidDays: -30 },
    endsDays: -29,
    row: { status: 'COMPLETED' },
    later: ({ account, at, netCents, paymentTransferId, stripe }) => {
      stripe.payOutAsOldCode({ account, amountCents: netCents, paymentTransferId, at: at(-22) })
      return undefined
    },
    ends: { status: 'COMPLETED', finding: 'row-already-paid' },
  },
  {
    name: 'before-cut-over',
    expert: 'ines',
    payment: { by: 'card', paidDays: -24 },
    endsDays: -20,
    ends: {
      status: 'COMPLETED',
      transfer: 'recorded',
      payout: 'held',
      waits: 'held',
      finding: 'before-cut-over',
    },
  },
  // Its money left with a sweep that named nobody; what the account holds today is of a pack sale.
  {
    name: 'swept',
    expert: 'marta',
    payment: { by: 'voucher', issuedDays: -29, paidDays: -26 },
    endsDays: -22,
    row: { status: 'READY' },
    later: ({ account, at, netCents, stripe }) => {
      stripe.payOutAsOldCode({ account, amountCents: netCents, at: at(-24) })
      return undefined
    },
    ends: {
      status: 'COMPLETED',
      transfer: 'recorded',
      payout: 'held',
      waits: 'held',
      finding: 'before-cut-over',
    },
  },
]
