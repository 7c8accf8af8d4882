import type { DemoCase, Ending } from '../case.ts'

const recorded: Ending = { status: 'COMPLETED', transfer: 'recorded' }

/** Bookings that are due, on accounts that something is the matter with. */
export const accountCases: readonly DemoCase[] = [
  {
    name: 'payouts-disabled',
    expert: 'ravi',
    payment: { by: 'card', paidDays: -10 },
    endsDays: -8,
    row: { status: 'COMPLETED' },
    ends: { status: 'COMPLETED', waits: 'payouts_disabled' },
  },
  // The old job's payout came back, and with it the bank account was disabled.
  {
    name: 'bank-disabled',
    expert: 'sam',
    payment: { by: 'card', paidDays: -20 },
    endsDays: -14,
    row: { status: 'COMPLETED' },
    later: ({ account, at, netCents, paymentTransferId, stripe }) => {
      const payoutId = stripe.payOutAsOldCode({ account, amountCents: netCents, paymentTransferId, at: at(-22) })
      stripe.setPayout(payoutId, 'failed', { code: 'account_closed' })
      return undefined
    },
    ends: { status: 'COMPLETED', waits: 'bank_account_disabled' },
  },
  {
    name: 'us-lower-case',
    expert: 'sam',
    payment: { by: 'card', paidDays: -3 },
    endsDays: -2,
    ends: { ...recorded, waits: 'bank_account_disabled' },
  },
  {
    name: 'below-minimum',
    expert: 'hugo',
    priceCents: 100,
    payment: { by: 'card', paidDays: -9 },
    endsDays: -5,
    ends: { ...recorded, waits: 'below_minimum' },
  },
  // The money is where it was sent, and the expert has another account today.
  {
    name: 'account-changed',
    expert: 'hugo',
    account: 'hugoBefore',
    payment: { by: 'card', paidDays: -15 },
    endsDays: -12,
    row: { status: 'COMPLETED' },
    ends: { status: 'COMPLETED', payout: 'held', waits: 'held', finding: 'account-changed' },
  },
  {
    name: 'account-shared',
    expert: 'aroha',
    payment: { by: 'card', paidDays: -10 },
    endsDays: -7,
    ends: { ...recorded, payout: 'held', waits: 'held' },
  },
  {
    name: 'account-shared-other',
    expert: 'otto',
    account: 'aroha',
    priceCents: 8_000,
    payment: { by: 'card', paidDays: -9 },
    endsDays: -6,
    row: { status: 'COMPLETED' },
    ends: { status: 'COMPLETED', payout: 'held', waits: 'held' },
  },
  {
    name: 'deauthorized',
    expert: 'lena',
    account: 'lena',
    payment: { by: 'card', paidDays: -12 },
    endsDays: -10,
    ends: { ...recorded, waits: 'account_unreachable' },
  },
  // Somebody paid out of this account after the cut-over, and no row says for whom.
  {
    name: 'swept-since-cut-over',
    expert: 'bruno',
    payment: { by: 'card', paidDays: -9 },
    endsDays: 4,
    later: ({ account, at, netCents, stripe }) => {
      stripe.payOutAsOldCode({ account, amountCents: netCents, at: at(-4) })
      return undefined
    },
    ends: { status: 'PENDING', waits: 'complaint_window' },
  },
  {
    name: 'account-frozen',
    expert: 'bruno',
    payment: { by: 'card', paidDays: -11 },
    endsDays: -8,
    row: { status: 'COMPLETED' },
    ends: { status: 'COMPLETED', waits: 'account_frozen' },
  },
  {
    name: 'above-limit',
    expert: 'vera',
    priceCents: 70_000,
    payment: { by: 'card', paidDays: -12 },
    endsDays: -9,
    ends: { ...recorded, payout: 'held', waits: 'held' },
  },
]
