/** Rows whose payment went back to the client after the expert's share had left for a bank. */

import { type MoneyFinding, subjectOf } from './findings.ts'

/** A REFUNDED row that was paid out. */
export interface RefundedRow {
  readonly paymentTransferId: number
  readonly paymentIntentId: string
  /** The Connect account whose bank got it. */
  readonly account: string
  /** The expert's net. */
  readonly amountCents: number
  /** In lower case. */
  readonly currency: string
  readonly transferId: string | null
  /** The payout, as the row or else our operation names it. */
  readonly payoutId: string | null
  /** Our operation that paid it out; null for a payout of the old jobs. */
  readonly operationId: string | null
}

/** What was paid to whom, and what a person must decide. */
export function findRefunded(row: RefundedRow): MoneyFinding {
  const { account, amountCents, currency, operationId, paymentIntentId, payoutId, transferId } = row
  const money = `${(amountCents / 100).toFixed(2)} ${currency.toUpperCase()}`
  return {
    kind: 'refunded-after-payout',
    subject: subjectOf(row),
    message:
      `the row is REFUNDED and ${money} of it had left for the bank of ${account} (${payoutId ?? operationId}): decide who ` +
      'bears it; look at the refund in the dashboard, reverse the transfer or settle with the expert, then resolve this',
    details: { paymentIntentId, account, amountCents, currency, transferId, payoutId, operationId },
  }
}
