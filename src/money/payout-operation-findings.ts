import type { ListedPayout, OpenPayout, PayoutAccount, PayoutFacts, PayoutFinding } from './payout-facts.ts'
import { hasComeBack } from './payout-results.ts'

/** Stripe gives the money of a payout back with the failure, or soon after (reference/stripe.md section 3.4). */
const moneyBackDays = 3
const dayMs = 24 * 60 * 60_000

/** What a person must look at in payouts that were made and are not through. */
export function listOperationFindings(
  { accounts, operations }: Pick<PayoutFacts, 'accounts' | 'operations'>,
  now: Date,
): PayoutFinding[] {
  return operations.flatMap(operation => {
    const payout = findListed(operation, accounts.get(operation.account))
    if (payout === undefined) return []
    return isMoneyMissing(operation, payout, now) ? [findingOfMissingMoney(operation, payout)] : []
  })
}

/** A payout that came back has not given its money back, days after Stripe said so. */
function isMoneyMissing({ updatedAt, vendorStatus }: OpenPayout, payout: ListedPayout, now: Date): boolean {
  if (!hasComeBack(payout.status) || payout.moneyIsBack || vendorStatus !== payout.status) return false
  return now.getTime() - updatedAt.getTime() >= moneyBackDays * dayMs
}

function findListed({ stripeId }: OpenPayout, account: PayoutAccount | undefined): ListedPayout | undefined {
  if (stripeId === null || account?.atStripe.kind !== 'known') return undefined
  return account.atStripe.value.payouts.find(({ id }) => id === stripeId)
}

function findingOfMissingMoney(operation: OpenPayout, { status }: ListedPayout): PayoutFinding {
  const { account, amountCents, currency, id, stripeId, updatedAt } = operation
  return {
    kind: 'payout-money-missing',
    subject: id,
    message:
      `the bank sent this payout back (${status}) and its money is not in the account's balance again: ask Stripe's support ` +
      'where it is; its rows are paid again by themselves once it is there',
    details: { account, payoutId: stripeId, status, amountCents, currency, toldAt: updatedAt },
  }
}
