import type { MoneyFinding } from './findings.ts'
import type { Asked } from './asked.ts'
import type { AccountAtStripe, ListedPayout, OpenPayout, PayoutFacts } from './payout-facts.ts'
import { hasComeBack, judgePayout } from './payout-results.ts'

/** Stripe gives the money of a payout back with the failure, or soon after (docs.stripe.com/payouts). */
const moneyBackDays = 3
/** Longer than any bank takes, and than a payout may come back (docs.stripe.com/payouts). */
const settleDays = 10
const dayMs = 24 * 60 * 60_000

/** What a person must look at in payouts that were made and are not through. */
export function listOperationFindings(
  { accounts, operations }: Pick<PayoutFacts, 'accounts' | 'operations'>,
  now: Date,
): MoneyFinding[] {
  return operations.flatMap(operation => {
    const asked = accounts.get(operation.account)?.atStripe
    const payout = asked === undefined ? undefined : findListed(operation, asked)
    if (payout !== undefined && isMoneyMissing(operation, payout, now))
      return [findingOfMissingMoney(operation, payout)]
    return isUnsettled(operation, payout, asked, now) ? [findingOfUnsettled(operation, payout)] : []
  })
}

/** A payout that came back has not given its money back, days after Stripe said so. */
function isMoneyMissing({ updatedAt, vendorStatus }: OpenPayout, payout: ListedPayout, now: Date): boolean {
  if (!hasComeBack(payout.status) || payout.moneyIsBack || vendorStatus !== payout.status) return false
  return now.getTime() - updatedAt.getTime() >= moneyBackDays * dayMs
}

/** What could not be read this time is read by the next run; what Stripe does not show, or not decide, is a person's. */
function isUnsettled(
  { firstSentAt, state }: OpenPayout,
  payout: ListedPayout | undefined,
  asked: Asked<AccountAtStripe> | undefined,
  now: Date,
): boolean {
  if (state !== 'created' || firstSentAt === null) return false
  const isUndecided = asked?.kind === 'refused' || (payout !== undefined && judgePayout(payout) === 'unsettled')
  return isUndecided && now.getTime() - firstSentAt.getTime() > settleDays * dayMs
}

function findListed({ stripeId }: OpenPayout, asked: Asked<AccountAtStripe>): ListedPayout | undefined {
  if (stripeId === null || asked.kind !== 'known') return undefined
  return asked.value.payouts.find(({ id }) => id === stripeId)
}

function findingOfMissingMoney(operation: OpenPayout, { status }: ListedPayout): MoneyFinding {
  return {
    kind: 'payout-money-missing',
    subject: operation.id,
    message:
      `the bank sent this payout back (${status}) and its money is not in the account's balance again: ask Stripe's support ` +
      'where it is; its rows are paid again by themselves once it is there',
    details: { ...evidenceOf(operation), status, toldAt: operation.updatedAt },
  }
}

function findingOfUnsettled(operation: OpenPayout, payout: ListedPayout | undefined): MoneyFinding {
  return {
    kind: 'payout-unsettled',
    subject: operation.id,
    message:
      `nobody knows after ${settleDays} days whether this payout reached the bank: ask the expert or Stripe's support; its ` +
      'rows say PAID_OUT, and are paid again only once Stripe tells us that it came back',
    details: { ...evidenceOf(operation), status: payout?.status ?? null, sentAt: operation.firstSentAt },
  }
}

function evidenceOf({ account, amountCents, currency, stripeId }: OpenPayout) {
  return { account, payoutId: stripeId, amountCents, currency }
}
