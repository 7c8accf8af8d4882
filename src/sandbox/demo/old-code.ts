import type { Db } from '../../database/connection.ts'
import type { StripeStandIn } from '../stripe.ts'
import type { AccountName } from './accounts.ts'
import type { DemoCase, Ending, Made } from './case.ts'
import { insertExperts } from './experts.ts'
import { openDemoAccounts } from './money.ts'
import { type DemoRow, seedCases } from './seed-cases.ts'

export interface OldCodeWorld {
  /** Every row, with the ending of the first live round: none of them is paid again. */
  readonly rows: readonly DemoRow[]
  /** Findings of that round about accounts, by kind and account. */
  readonly findings: readonly { readonly kind: string; readonly account: AccountName }[]
}

/** What Stripe has is recorded, nothing is sent, and a person compares the payouts of that time. */
const recorded: Ending = { status: 'COMPLETED', transfer: 'recorded', finding: 'before-cut-over' }
const held: Ending = { ...recorded, payout: 'held', waits: 'held' }
const unfunded: Ending = { ...recorded, waits: 'awaiting_funds' }
const heldCompleted: Ending = { status: 'COMPLETED', payout: 'held', waits: 'held', finding: 'before-cut-over' }

/**
 * Fills an empty, migrated marketplace as the old code leaves it: all was paid before
 * the cut-over `since` and is long due, and whatever left an account is at Stripe, recorded or not. Any moment from two
 * days after `since` on will do as the first live round's.
 */
export async function plantOldCode(db: Db, stripe: StripeStandIn, since: Date): Promise<OldCodeWorld> {
  await insertExperts(db)
  await openDemoAccounts(db, stripe, since)
  return { rows: await seedCases(db, stripe, oldCodeCases, since), findings: oldCodeFindings }
}

export const oldCodeFindings = [
  { kind: 'account-shared', account: 'aroha' },
  { kind: 'balance-unexplained', account: 'grace' },
  { kind: 'payout-unexplained', account: 'bruno' },
] as const

export const oldCodeCases: readonly DemoCase[] = [
  // READY, and its money left with a sweep days before the appointment.
  {
    name: 'old-ready-swept',
    expert: 'marta',
    payment: { by: 'voucher', issuedDays: -18, paidDays: -14 },
    endsDays: -9,
    row: { status: 'READY' },
    later: sweep(-13),
    ends: unfunded,
  },
  // The same, and by now another booking's money is on the account: nothing may be paid out of it for this one.
  {
    name: 'old-ready-swept-refilled',
    expert: 'ines',
    payment: { by: 'voucher', issuedDays: -20, paidDays: -16 },
    endsDays: -12,
    row: { status: 'READY' },
    later: sweep(-15),
    ends: held,
  },
  { name: 'old-refill', expert: 'ines', payment: { by: 'card', paidDays: -10 }, endsDays: -4, ends: held },
  // Paid at Stripe for this row, and PAID_OUT was never written: the job ended in between.
  {
    name: 'old-paid-unrecorded',
    expert: 'noa',
    payment: { by: 'card', paidDays: -17 },
    endsDays: -15,
    row: { status: 'COMPLETED' },
    later: payFor(-6),
    ends: { status: 'COMPLETED', finding: 'row-already-paid' },
  },
  // The same, and the payout says nothing of the row: nobody but a person can tell whose it was.
  {
    name: 'old-paid-without-metadata',
    expert: 'hugo',
    payment: { by: 'card', paidDays: -15 },
    endsDays: -13,
    row: { status: 'COMPLETED' },
    later: sweep(-5),
    ends: { status: 'COMPLETED', waits: 'awaiting_funds', finding: 'before-cut-over' },
  },
  // Recorded as paid in full, and 3.00 of it left: the row says PAID_OUT, so that the rest stays unexplained.
  {
    name: 'old-paid-in-part',
    expert: 'grace',
    payment: { by: 'card', paidDays: -13 },
    endsDays: -11,
    row: { status: 'PAID_OUT' },
    later: ({ account, at, paymentTransferId, stripe }) => ({
      payout_id: stripe.payOutAsOldCode({ account, amountCents: 300, paymentTransferId, at: at(-4) }),
    }),
    ends: { status: 'PAID_OUT' },
  },
  // A part went back to the client, and the site called all of it REFUNDED.
  {
    name: 'old-partly-refunded',
    expert: 'grace',
    payment: { by: 'card', paidDays: -12 },
    endsDays: -10,
    later: ({ chargeId, stripe }) => {
      stripe.refund({ chargeId, amountCents: 2_000 })
      return { status: 'REFUNDED' }
    },
    ends: { status: 'REFUNDED' },
  },
  {
    name: 'old-partly-refunded-unnoticed',
    expert: 'grace',
    payment: { by: 'card', paidDays: -12 },
    endsDays: -9,
    row: { status: 'COMPLETED' },
    later: ({ chargeId, stripe }) => {
      stripe.refund({ chargeId, amountCents: 2_000 })
      return undefined
    },
    ends: { status: 'COMPLETED', finding: 'row-partly-refunded' },
  },
  // Two users with one account, both with money on it.
  {
    name: 'old-shared-one',
    expert: 'aroha',
    payment: { by: 'card', paidDays: -14 },
    endsDays: -11,
    row: { status: 'COMPLETED' },
    ends: heldCompleted,
  },
  {
    name: 'old-shared-other',
    expert: 'otto',
    payment: { by: 'card', paidDays: -13 },
    endsDays: -10,
    ends: held,
  },
  // The old scheduler still ran after the cut-over: its payout has no row, and freezes the account.
  {
    name: 'old-swept-after-cut-over',
    expert: 'bruno',
    payment: { by: 'card', paidDays: -11 },
    endsDays: -8,
    later: sweep(0.5),
    ends: { ...recorded, waits: 'account_frozen' },
  },
  {
    name: 'old-frozen-neighbour',
    expert: 'bruno',
    payment: { by: 'card', paidDays: -10 },
    endsDays: -7,
    row: { status: 'COMPLETED' },
    ends: { status: 'COMPLETED', waits: 'account_frozen', finding: 'before-cut-over' },
  },
  // Given up by the old transfer job, which could not search for the transfer.
  {
    name: 'old-given-up',
    expert: 'tia',
    payment: { by: 'card', paidDays: -16, sentTo: null },
    endsDays: -14,
    row: { status: 'FAILED', retry_count: 3, stripe_error_code: 'parameter_unknown' },
    ends: { status: 'FAILED', finding: 'row-given-up' },
  },
  // Never transferred: due, and before the cut-over, so that even the transfer waits for a person.
  {
    name: 'old-never-transferred',
    expert: 'tia',
    payment: { by: 'card', paidDays: -15, sentTo: null },
    endsDays: -13,
    ends: { status: 'PENDING', transfer: 'held', waits: 'held' },
  },
  {
    name: 'old-paid-out',
    expert: 'vera',
    payment: { by: 'card', paidDays: -20 },
    endsDays: -18,
    row: { status: 'PAID_OUT' },
    later: ({ account, at, netCents, paymentTransferId, stripe }) => ({
      payout_id: stripe.payOutAsOldCode({ account, amountCents: netCents, paymentTransferId, at: at(-9) }),
    }),
    ends: { status: 'PAID_OUT' },
  },
]

/** All of the row's money leaves, and nothing says for whom. */
function sweep(days: number) {
  return ({ account, at, netCents, stripe }: Made): undefined => {
    stripe.payOutAsOldCode({ account, amountCents: netCents, at: at(days) })
  }
}

/** The row's money leaves in its name, and nobody writes it down. */
function payFor(days: number) {
  return ({ account, at, netCents, paymentTransferId, stripe }: Made): undefined => {
    stripe.payOutAsOldCode({ account, amountCents: netCents, paymentTransferId, at: at(days) })
  }
}
