/** What a person must look at, told so that they know what to do next. */

import { byHand } from './eligibility.ts'
import { type MoneyFinding, subjectOf } from './findings.ts'
import { overdueAfterMs, type TransferDecision, type TransferRow } from './transfer-decisions.ts'
import type { GivenUp } from './transfer-facts.ts'
import { kindOf, oddSentences } from './transfer-reasons.ts'

/** A row that is not what it should be. */
export function findOdd(row: TransferRow, { details, oddities }: TransferDecision & { kind: 'odd' }): MoneyFinding {
  const [kind = 'row-odd'] = oddities.map(kindOf)
  const message = oddities.map(oddity => oddSentences[oddity]).join('; ')
  return { kind, subject: subjectOf(row), message, details: { ...factsOf(row), ...details } }
}

/** A row that names what Stripe does not know. */
export function findMissing(row: TransferRow, code: string): MoneyFinding {
  const message =
    'Stripe does not know the payment of this row, or not the account that it is for: correct payment_intent_id or ' +
    'expert_connect_account_id, or set the row to FAILED'
  return { kind: 'payment-missing', subject: subjectOf(row), message, details: { ...factsOf(row), code } }
}

/** A row whose transfer is stuck. */
export function findOverdue(row: TransferRow, why: string, dueSince: Date): MoneyFinding {
  const hours = overdueAfterMs / 3_600_000
  const message = `the expert's money is overdue for more than ${hours} hours: ${why}; look at what keeps it`
  const details = { ...factsOf(row), dueSince, operationId: row.operation?.id, reason: row.operation?.reason }
  return { kind: 'transfer-overdue', subject: subjectOf(row), message, details }
}

/** A row whose transfer somebody may have made by hand already. */
export function findMaybeTransferred(row: TransferRow, transferIds: readonly string[]): MoneyFinding {
  const message =
    'transfers were made to the account since this booking was paid, or in the group of its payment, that do not say what ' +
    `they were for: if one was for this booking, decline its held operation and ${byHand}; else approve the operation`
  return {
    kind: 'may-be-transferred-already',
    subject: subjectOf(row),
    message,
    details: { ...factsOf(row), transferIds },
  }
}

/** A row that failed for good. */
export function findGivenUp({ errorCode, retryCount, ...row }: GivenUp): MoneyFinding {
  const message =
    `the row FAILED ${retryCount} times and no job picks it up again: remove the cause, then set it to PENDING, ` +
    'or, if nobody is owed anything, to REFUNDED'
  return { kind: 'row-given-up', subject: subjectOf(row), message, details: { ...factsOf(row), retryCount, errorCode } }
}

function factsOf({ account, amountCents, currency }: Pick<TransferRow, 'account' | 'amountCents' | 'currency'>) {
  return { account, amountCents, currency }
}
