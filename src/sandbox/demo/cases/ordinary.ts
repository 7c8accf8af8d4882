import { type DemoCase, paidOut, waits } from '../case.ts'
import type { ExpertName } from '../experts.ts'

const formerly: readonly ExpertName[] = ['ines', 'grace', 'noa', 'ravi', 'vera']
const booked: readonly ExpertName[] = ['ines', 'grace', 'vera', 'sam']

/** What a marketplace is full of: bookings that were paid out long ago, that are due as they should be, or still to come. */
export const ordinaryCases: readonly DemoCase[] = [
  ...formerly.flatMap((expert, index) => [0, 1, 2, 3].map(nth => paidBefore(expert, index, nth))),
  ...[0, 1, 2, 3].map(nth => dueOfGrace(nth)),
  ...booked.flatMap((expert, index) => [0, 1, 2].map(nth => stillToCome(expert, index, nth))),
]

/** Paid out by the old jobs, which for once wrote it down. */
function paidBefore(expert: ExpertName, index: number, nth: number): DemoCase {
  const paidDays = -32 + nth - index / 10
  return {
    name: `paid-before-${expert}-${nth + 1}`,
    expert,
    priceCents: 5_000 + 500 * nth,
    payment: { by: 'card', paidDays },
    endsDays: paidDays + 1,
    row: { status: 'PAID_OUT' },
    later: ({ account, at, currency, netCents, paymentTransferId, stripe }) => ({
      payout_id: stripe.payOutAsOldCode({ account, amountCents: netCents, currency, paymentTransferId, at: at(-22.5) }),
    }),
    ends: { status: 'PAID_OUT' },
  }
}

function dueOfGrace(nth: number): DemoCase {
  return {
    name: `due-grace-${nth + 1}`,
    expert: 'grace',
    priceCents: 4_500 + 250 * nth,
    payment: { by: 'card', paidDays: -9 + nth },
    endsDays: -5 + nth / 2,
    ends: paidOut,
  }
}

function stillToCome(expert: ExpertName, index: number, nth: number): DemoCase {
  return {
    name: `to-come-${expert}-${nth + 1}`,
    expert,
    priceCents: 5_500 + 100 * index,
    payment: { by: 'card', paidDays: -1 - nth },
    endsDays: 3 + 2 * nth + index / 8,
    ends: waits('complaint_window'),
  }
}
