import type { LimitHold } from './limits.ts'
import { failuresBeforeHold } from './payout-lanes.ts'

/** Why an operation waits for an operator although everything else is in order. */
export type Hold =
  | LimitHold
  | 'before_cut_over'
  /** A payout that somebody else made may have been for it, and no row says whom that paid. */
  | 'may_be_paid_already'
  | 'account_shared'
  | 'account_changed'
  | 'failed_repeatedly'
  /** A transfer that somebody made by hand may have been for it, and nothing says what that was for. */
  | 'may_be_transferred_already'
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
  account_shared: 'two experts share this account: make sure that the money is for this one',
  account_changed: "it is not the expert's current account: make sure that this one is still theirs",
  rejected_before: 'Stripe has refused one of these rows for good before: make sure that what it refused is mended',
  may_be_transferred_already:
    'somebody has made a transfer to its account by hand since it was paid, and nothing says what that was for: make sure ' +
    'that it was not for this one',
  failed_repeatedly:
    'three or more payouts of this account and currency have failed since the last one that arrived: make sure that the ' +
    'bank account works',
}

/** The sentence of a reason as it is stored; the bare word of one that this build does not know. */
export function explainHold(reason: string): string {
  return reason in holdSentences ? holdSentences[reason as Hold] : reason
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
}

export interface HoldJudgement {
  /** Whether the reason is still so; `unknown` where only Stripe or the limits of that day can tell. */
  readonly stands: 'yes' | 'no' | 'unknown'
  /** The same for people, and what to compare where it is unknown. */
  readonly today: string
  /** What would speak against it today beside its reason; nobody has decided about that. */
  readonly doubts: readonly string[]
}

/** All that there is to say about a held operation to whoever is to decide about it. */
export interface HeldFor extends HoldJudgement {
  readonly reason: string
  readonly decidedAt: Date
  /** The reason in a sentence, as it was decided. */
  readonly because: string
}

/** Why an operation is held, when that was decided, and what is left of it today. */
export function describeHold(
  {
    decidedAt,
    kind,
    reason,
  }: { readonly kind: 'transfer' | 'payout'; readonly reason: string; readonly decidedAt: Date },
  evidence: HoldEvidence,
): HeldFor {
  return { reason, decidedAt, because: explainHold(reason), ...judgeHold(kind, reason, evidence) }
}

/** What is left today of the reason for which an operation of this kind was held, and what has come to it since. */
export function judgeHold(kind: 'transfer' | 'payout', reason: string, evidence: HoldEvidence): HoldJudgement {
  const judged = judgeToday(kind, evidence)
  const others = Object.entries(judged).filter(([other, { stands }]) => other !== reason && stands)
  const doubts = others.map(([, { today }]) => today)
  const { changedRows } = evidence
  if (changedRows.length > 0) doubts.push(`changed since: payment_transfers ${changedRows.join(', ')}`)
  const own = judged[reason as Judged]
  if (own === undefined) return { stands: 'unknown', today: comparisons[reason as Hold] ?? compareAll, doubts }
  return {
    stands: own.stands ? 'yes' : 'no',
    today: `${own.stands ? 'still so' : 'no longer so'}: ${own.today}`,
    doubts,
  }
}

type Judged = 'account_shared' | 'account_changed' | 'rejected_before' | 'failed_repeatedly'

const compareAll = 'it was decided then and is not judged anew: compare it with what Stripe shows today'
const comparisons: Readonly<Partial<Record<Hold, string>>> = {
  above_single_limit: 'it was decided then: compare its amount with the MONEY_MAX_SINGLE of today',
  above_daily_limit: 'it was decided by the 24 hours before that: compare them with those before now',
  before_cut_over:
    'it was decided by the MONEY_SINCE of then: compare it with that of today, and the payouts with Stripe',
  may_be_paid_already: 'it was decided by the payouts of then: compare the evidence with what Stripe shows today',
}

function judgeToday(
  kind: 'transfer' | 'payout',
  { failedPayouts, rejectedRows, strangers, users }: HoldEvidence,
): Readonly<Record<Judged, { readonly stands: boolean; readonly today: string }>> {
  const failed = `${failedPayouts} of the account's payouts have failed since the last one that arrived`
  return {
    account_shared: { stands: users > 1, today: `${countUsers(users)} this account` },
    account_changed: {
      stands: strangers.length > 0,
      today:
        strangers.length === 0
          ? 'it is the current account of the expert of each row'
          : `the expert has another account: payment_transfers ${strangers.join(', ')}`,
    },
    rejected_before: {
      stands: rejectedRows.length > 0,
      today:
        rejectedRows.length === 0
          ? 'no refusal of its rows is recorded any more'
          : `Stripe refused for good: payment_transfers ${rejectedRows.join(', ')}`,
    },
    failed_repeatedly: { stands: kind === 'payout' && failedPayouts >= failuresBeforeHold, today: failed },
  }
}

function countUsers(users: number): string {
  if (users === 0) return 'no user has'
  return users === 1 ? 'one user has' : `${users} users have`
}
