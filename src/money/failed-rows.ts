/** Rows that FAILED although their payment went through later: nobody pays them, and nobody would hear of it. */

import { type MoneyFailure, type MoneyFinding, subjectOf } from './findings.ts'
import type { Asked } from './asked.ts'
import type { PaymentFacts } from './eligibility.ts'

/** A row that FAILED before any job gave it up, and that names neither a transfer nor a payout. */
export interface FailedRow {
  readonly paymentTransferId: number
  readonly paymentIntentId: string
  /** The Connect account. */
  readonly account: string
  /** The expert's net. */
  readonly amountCents: number
  /** In lower case. */
  readonly currency: string
  /** The operation by which an operator declined to send its money, until a person ends that. */
  readonly declined?: string | null
}

/** A FAILED row, and what Stripe says of its payment. */
export interface AskedFailedRow {
  readonly row: FailedRow
  readonly answer: Asked<PaymentFacts>
}

export interface FailedRowPlan {
  readonly findings: readonly MoneyFinding[]
  readonly failures: readonly MoneyFailure[]
}

/** What a person must do about rows whose payment did not fail after all; nothing about the others. */
export function planFailedRows(asked: readonly AskedFailedRow[]): FailedRowPlan {
  return {
    findings: asked.flatMap(({ answer, row }) => (answer.kind === 'known' ? tellPaid(row, answer.value) : [])),
    failures: asked.flatMap(({ answer, row }) => {
      if (answer.kind !== 'failed') return []
      const message = `Stripe did not tell about the payment of this FAILED row (${answer.code})`
      return [{ subject: subjectOf(row), code: answer.code, message }]
    }),
  }
}

function tellPaid(row: FailedRow, { charge }: PaymentFacts): readonly MoneyFinding[] {
  if (charge === undefined) return []
  const { account, amountCents, currency, declined = null, paymentIntentId } = row
  const { disputed, paidAt, refundedCents } = charge
  const isRefunded = refundedCents >= charge.amountCents
  const [setStatusTo, why] = disputed
    ? ['DISPUTED', 'because the client disputes it']
    : isRefunded
      ? ['REFUNDED', 'because all of it went back to the client']
      : ['READY', 'so that its money takes its usual way']
  const message = `this row FAILED and its payment went through all the same: set the row to ${setStatusTo}, ${why}${setStatusTo === 'READY' && declined !== null ? butDeclined : ''}`
  const details = { paymentIntentId, account, amountCents, currency, paidAt, refundedCents, setStatusTo, declined }
  return [{ kind: 'failed-row-paid', subject: subjectOf(row), message, details }]
}

const butDeclined =
  '; but an operator has declined its transfer, so that it waits until a person resolves the finding operation-declined'
