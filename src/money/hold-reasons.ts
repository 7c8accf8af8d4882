import type { LimitHold } from './limits.ts'
import type { ListedPayout, PayoutOwners } from './payout-facts.ts'
import { listPossiblePayers } from './payout-gates.ts'
import { failuresBeforeHold } from './payout-lanes.ts'
import { keysOf, reasonOf, type StandingHold } from './standing-holds.ts'

/** Why an operation waits for an operator although everything else is in order. */
export type Hold =
  | LimitHold
  | 'before_cut_over'
  /** A payout that somebody else made may have been for it, and no row says whom that paid. */
  | 'may_be_paid_already'
  /** A transfer that somebody made by hand may have been for it, and nothing on it says so or otherwise. */
  | 'may_be_transferred_already'
  | 'account_shared'
  | 'account_changed'
  | 'failed_repeatedly'
  /** Stripe refused its payment for good before. */
  | 'rejected_before'

/** One sentence for people: why it is held, and what to make sure of before it is approved. */
export const holdSentences: Readonly<Record<Hold, string>> = {
  above_single_limit: 'it is larger than MONEY_MAX_SINGLE',
  above_daily_limit: 'with it, 24 hours would exceed MONEY_MAX_TOTAL in its currency',
  before_cut_over:
    'the payment is before MONEY_SINCE: the old jobs may have paid it already; look for its transfer and its payout at ' +
    'Stripe',
  may_be_paid_already:
    'somebody else has made a payout out of its account since it was paid, and no rows say what that was for: make sure ' +
    'that it was not for this one',
  may_be_transferred_already:
    'somebody has made a transfer by hand, to its account since it was paid or in the group of its payment, and nothing ' +
    'says what that was for: make sure that it was not for this one',
  account_shared: 'two experts share this account: make sure that the money is for this one',
  account_changed: "it is not the expert's current account: make sure that this one is still theirs",
  rejected_before: 'Stripe has refused one of these rows for good before: make sure that what it refused is mended',
  failed_repeatedly:
    'three or more payouts of this account and currency have failed since the last one that arrived: make sure that the ' +
    'bank account works',
}

/** The sentence of a reason as it is stored; the bare word of one that this build does not know. */
export function explainHold(reason: string): string {
  return reason in holdSentences ? holdSentences[reason as Hold] : reason
}

/** A payout that nobody explained when its finding was written, as that has it. */
export interface PossiblePayer extends ListedPayout {
  readonly account: string
}

/** What our own tables say today about a held operation. */
export interface HoldEvidence {
  /** Users who have its account. */
  readonly users: number
  /** Its rows whose expert has another account today, or none. */
  readonly strangers: readonly number[]
  /** Its rows that Stripe has refused for good in another operation, under whatever row id their payment had there. */
  readonly rejectedRows: readonly number[]
  /** Payouts of its account and currency that failed since the last one that arrived. */
  readonly failedPayouts: number
  /** Its rows that are not what it was made from any more. */
  readonly changedRows: readonly number[]
  /** Payouts with a finding out of its account, or its experts' accounts of today, since its oldest row is there. */
  readonly payers: readonly PossiblePayer[]
  /** Whose those are by now; undefined where there are none. */
  readonly owners?: PayoutOwners | undefined
}

export interface HoldJudgement {
  /** Whether the reason is still so; `unknown` where only Stripe or the limits of that day can tell. */
  readonly stands: 'yes' | 'no' | 'unknown'
  /** The same for people, and what to compare where it is unknown. */
  readonly today: string
  /** What else speaks against it: other reasons of that time, and what would hold it today. */
  readonly doubts: readonly string[]
  /** All of this as an approval covers it, and nothing else. */
  readonly shown: readonly string[]
  /** What of it has come up since it was held: whoever looked at it then has not seen that. */
  readonly since: readonly string[]
}

/** All that there is to say about a held operation to whoever is to decide about it. */
export interface HeldFor extends HoldJudgement {
  readonly reason: string
  readonly decidedAt: Date
  /** The reason in a sentence, as it was decided. */
  readonly because: string
}

/** A held operation, as far as why it is. */
export interface Held {
  readonly kind: 'transfer' | 'payout'
  readonly reason: string
  /** All that it was held for; `reason` is the first of them. */
  readonly holds: readonly string[]
  readonly decidedAt: Date
}

/** Why an operation is held, when that was decided, and what is left of it today. */
export function describeHold({ decidedAt, holds, kind, reason }: Held, evidence: HoldEvidence): HeldFor {
  return { reason, decidedAt, because: explainHold(reason), ...judgeHold(kind, reason, evidence, holds) }
}

/** What is left today of the reason for which an operation of this kind was held, and what has come to it since. */
export function judgeHold(
  kind: 'transfer' | 'payout',
  reason: string,
  evidence: HoldEvidence,
  holds: readonly string[] = [],
): HoldJudgement {
  const judged = judgeToday(kind, evidence)
  const lasting = [reason, ...holds].filter(key => !isJudged(reasonOf(key)))
  const others = new Set(lasting.map(reasonOf).filter(other => other !== reason))
  const doubts = [
    ...[...others].map(other => `held also because ${explainHold(other)}`),
    ...judged.filter(each => each.reason !== reason && each.of.length > 0).map(({ today }) => today),
  ]
  const { changedRows } = evidence
  if (changedRows.length > 0) doubts.push(`changed since: payment_transfers ${changedRows.join(', ')}`)
  const shown = [...new Set([...lasting, ...keysOf(listEvident(kind, evidence))])]
  const since = shown.filter(key => key !== reason && !holds.includes(key))
  const own = judged.find(each => each.reason === reason)
  if (own === undefined) {
    return { stands: 'unknown', today: comparisons[reason as Hold] ?? compareAll, doubts, shown, since }
  }
  const stands = own.of.length > 0
  return {
    stands: stands ? 'yes' : 'no',
    today: `${stands ? 'still so' : 'no longer so'}: ${own.today}`,
    doubts,
    shown,
    since,
  }
}

/** What of the reasons for a hold our own tables can tell today. */
export function listEvident(kind: 'transfer' | 'payout', evidence: HoldEvidence): StandingHold[] {
  return judgeToday(kind, evidence).filter(({ of }) => of.length > 0)
}

const compareAll = 'it was decided then and is not judged anew: compare it with what Stripe shows today'
const comparisons: Readonly<Partial<Record<Hold, string>>> = {
  above_single_limit: 'it was decided then: compare its amount with the MONEY_MAX_SINGLE of today',
  above_daily_limit: 'it was decided by the 24 hours before that: compare them with those before now',
  before_cut_over:
    'it was decided by the MONEY_SINCE of then: compare it with that of today, and the payouts with Stripe',
}

interface Judged extends StandingHold {
  /** It stands where it is about anything. */
  readonly today: string
}

const judgedReasons: readonly string[] = [
  'may_be_paid_already',
  'account_shared',
  'account_changed',
  'rejected_before',
  'failed_repeatedly',
] satisfies Hold[]

function isJudged(reason: string): boolean {
  return judgedReasons.includes(reason)
}

function judgeToday(kind: 'transfer' | 'payout', evidence: HoldEvidence): readonly Judged[] {
  const { failedPayouts, rejectedRows, strangers, users } = evidence
  const hasFailed = kind === 'payout' && failedPayouts >= failuresBeforeHold
  return [
    judgePayers(evidence),
    {
      reason: 'account_shared',
      of: users > 1 ? [`${users} users`] : [],
      today: `${countUsers(users)} this account`,
    },
    {
      reason: 'account_changed',
      of: strangers.map(String),
      today:
        strangers.length === 0
          ? 'it is the current account of the expert of each row'
          : `the expert has another account: payment_transfers ${strangers.join(', ')}`,
    },
    {
      reason: 'rejected_before',
      of: rejectedRows.map(String),
      today:
        rejectedRows.length === 0
          ? 'no refusal of its rows is recorded any more'
          : `Stripe refused for good: payment_transfers ${rejectedRows.join(', ')}`,
    },
    {
      reason: 'failed_repeatedly',
      of: hasFailed ? [`${failedPayouts} payouts`] : [],
      today: `${failedPayouts} of the account's payouts have failed since the last one that arrived`,
    },
  ]
}

/** Payouts that are explained by nobody, or by a person who has not said which rows they paid. */
function judgePayers({ owners, payers }: HoldEvidence): Judged {
  const ids = payers.filter(payer => owners === undefined || maySpeakAgainst(payer, owners)).map(({ id }) => id)
  const of = [...new Set(ids)]
  const today =
    of.length === 0
      ? 'rows say what all payouts of others were for'
      : `somebody else made payouts that may have been for it, and no rows say what they were for: ${of.join(', ')}`
  return { reason: 'may_be_paid_already', of, today }
}

function maySpeakAgainst(payer: PossiblePayer, owners: PayoutOwners): boolean {
  const account = { id: payer.account, atStripe: { kind: 'known', value: { payouts: [payer] } } } as const
  return listPossiblePayers(account, owners, payer.createdAt).length > 0
}

function countUsers(users: number): string {
  if (users === 0) return 'no user has'
  return users === 1 ? 'one user has' : `${users} users have`
}
