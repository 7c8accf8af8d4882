/** What became of the disputes of rows that the site has set to DISPUTED: a person takes the row back, never a job. */

import { type MoneyFailure, type MoneyFinding, subjectOf } from './findings.ts'
import type { Asked } from './asked.ts'
import type { PaymentFacts } from './eligibility.ts'

/** A row that the site has set to DISPUTED, which it never takes back. */
export interface DisputedRow {
  readonly paymentTransferId: number
  readonly paymentIntentId: string
  /** The Connect account. */
  readonly account: string
  /** The expert's net. */
  readonly amountCents: number
  /** In lower case. */
  readonly currency: string
  readonly transferId: string | null
  readonly payoutId: string | null
  /** The payout that it names is an operation's, and came back: the row was DISPUTED then, and kept it. */
  readonly payoutReturned?: boolean
}

/** A DISPUTED row, and what Stripe says of its payment. */
export interface AskedDispute {
  readonly row: DisputedRow
  readonly answer: Asked<PaymentFacts>
}

export interface DisputePlan {
  readonly findings: readonly MoneyFinding[]
  readonly failures: readonly MoneyFailure[]
}

/** What a person must do about disputes that are over; nothing about those that are open. */
export function planDisputes(asked: readonly AskedDispute[]): DisputePlan {
  return {
    findings: asked.flatMap(({ answer, row }) => tellDispute(row, answer)),
    failures: asked.flatMap(({ answer, row }) => {
      if (answer.kind !== 'failed') return []
      const message = `Stripe did not tell about the disputes of this row (${answer.code})`
      return [{ subject: subjectOf(row), code: answer.code, message }]
    }),
  }
}

/** What a row was before the site overwrote it, or would be by now. */
export function statusBefore({
  payoutId,
  payoutReturned = false,
  transferId,
}: DisputedRow): 'PENDING' | 'COMPLETED' | 'PAID_OUT' {
  if (payoutId !== null) return payoutReturned ? 'COMPLETED' : 'PAID_OUT'
  return transferId === null ? 'PENDING' : 'COMPLETED'
}

function tellDispute(row: DisputedRow, answer: AskedDispute['answer']): readonly MoneyFinding[] {
  const { account, amountCents, currency, paymentIntentId, payoutId, transferId } = row
  const details = { paymentIntentId, account, amountCents, currency, transferId, payoutId }
  const subject = subjectOf(row)
  if (answer.kind === 'refused') {
    const message = 'Stripe does not know the payment of this row: correct payment_intent_id, or set the row to FAILED'
    return [{ kind: 'payment-missing', subject, message, details: { ...details, code: answer.code } }]
  }
  if (answer.kind !== 'known') return []
  const { charge } = answer.value
  if (charge === undefined || (charge.disputed && !charge.disputeLost)) return []
  const { refundedCents } = charge
  if (charge.disputeLost) {
    return [{ kind: 'dispute-lost', subject, message: lostMessage, details: { ...details, refundedCents } }]
  }
  const setStatusTo = statusBefore(row)
  const clearPayoutId = payoutId !== null && setStatusTo === 'COMPLETED'
  const todo = clearPayoutId
    ? 'set the row to COMPLETED and clear payout_id, because that payout came back; the next run pays it again'
    : `set the row to ${setStatusTo}, which it was before`
  const message = `no dispute of this payment is open any more and none was lost: ${todo}`
  return [{ kind: 'dispute-won', subject, message, details: { ...details, refundedCents, setStatusTo, clearPayoutId } }]
}

const lostMessage =
  'lost dispute: the platform paid the guest back; decide what the expert is owed: set the row to PAID_OUT once the ' +
  'expert has it, or to REFUNDED once the money was taken back'
