import { type MoneyFailure, subjectOf } from './findings.ts'
import type { PayoutFacts } from './payout-facts.ts'

/** From so many on, what is true of every account is no accident. */
const manyAccounts = 3
const allRefusedMessage =
  'Stripe shows us none of the accounts: does STRIPE_SECRET_KEY belong to the platform that they are connected to, and ' +
  'may it see them?'

/** What could not be read this time: the run comes back for it. */
export function listPayoutFailures(facts: PayoutFacts): MoneyFailure[] {
  const { accounts, payments } = facts
  const asked = [
    ...[...accounts].map(([id, { atStripe }]) => ({ subject: id, what: 'this account', answer: atStripe })),
    ...[...payments].map(([id, answer]) => ({
      subject: subjectOf({ paymentTransferId: id }),
      what: 'the payment of this row',
      answer,
    })),
  ]
  const unread = asked.flatMap(({ answer, subject, what }) => {
    if (answer.kind !== 'failed') return []
    return [{ subject, code: answer.code, message: `Stripe did not tell about ${what} (${answer.code})` }]
  })
  return [...listRefusedAccounts(facts), ...unread]
}

/** One account that we may not see is its own matter; when all of them are, it is ours, and the run must not end well. */
function listRefusedAccounts({ accounts }: PayoutFacts): MoneyFailure[] {
  const asked = [...accounts].filter(([, { atStripe }]) => atStripe.kind !== 'left')
  const refused = asked.flatMap(([subject, { atStripe }]) =>
    atStripe.kind === 'refused' ? [{ subject, code: atStripe.code, message: allRefusedMessage }] : [],
  )
  return refused.length >= manyAccounts && refused.length === asked.length ? refused : []
}
