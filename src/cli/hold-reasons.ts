import type { HoldReason } from '../ledger/ledger.ts'

/** Why an operation is held, for the person who is to approve it: what to make sure of first. */
export function explainHold(reason: string | null): string | undefined {
  return holdSentences[reason as HoldReason] ?? reason ?? undefined
}

const holdSentences: Readonly<Record<HoldReason, string>> = {
  above_single_limit: 'it is larger than MONEY_MAX_SINGLE',
  above_daily_limit: 'with it, 24 hours would exceed MONEY_MAX_TOTAL in its currency',
  before_cut_over:
    'the payment is before MONEY_SINCE: the old jobs may have paid it out; look for its payout at Stripe',
  may_be_paid_already:
    'somebody else has made a payout out of its account since it was paid, and no rows say what that was for: make sure ' +
    'that it was not for this one',
  account_shared: 'two experts share this account: make sure that the money is for this one',
  account_changed: "it is not the expert's current account: make sure that this one is still theirs",
  rejected_before: 'Stripe has refused one of these rows for good before: make sure that what it refused is mended',
  failed_repeatedly: 'three payouts of these rows have failed: make sure that the bank account works',
}
