/** Why a row's money is not released now, in a word for programs and a sentence for people. */

import type { Hold } from './hold-reasons.ts'
import { untilResolved } from './payout-waits.ts'
import { type StopReason, stopSentences, type WaitReason, waitSentences } from './eligibility.ts'
import { mismatchSentences, type TransferMismatch } from './transfer-checks.ts'

export type TransferHold = Exclude<Hold, 'may_be_paid_already' | 'failed_repeatedly'>

export type TransferWait =
  | WaitReason
  | 'held'
  | 'declined'
  | 'blocked'
  | 'operation_open'
  | 'transfers_inactive'
  | 'negative_balance'
  | 'account_unreachable'

export type Oddity =
  | StopReason
  | TransferMismatch['kind']
  | 'names_payout'
  | 'names_transfer'
  | 'transferred_already'
  | 'two_rows'
  | 'settlement_currency'

/** One sentence for people: what a row waits for. */
export const transferWaitSentences: Readonly<Record<TransferWait, string>> = {
  ...waitSentences,
  held: 'its transfer is held until an operator approves it',
  declined: `an operator has declined its transfer: ${untilResolved}`,
  blocked: 'its transfer was refused for now and will be tried again',
  operation_open: 'its transfer was begun and is being finished',
  transfers_inactive: 'the account may not take transfers until the expert has given Stripe what is missing',
  negative_balance: 'the account is in debt at Stripe, which would keep the money',
  account_unreachable: 'the account is not connected to us any more, or our key may not see it',
}

/** One sentence for people: what to do about rows of one payment. Whatever is deleted can tell nobody that it was paid. */
export const sharedPaymentSentence =
  'two rows have the same payment, and neither is paid until somebody decides: find out which one is the booking, and set ' +
  'the other to FAILED without a transfer_id and payout_id, or correct its payment_intent_id; keep both rows'

/** One sentence for people: what is wrong with a row and what somebody must do. */
export const oddSentences: Readonly<Record<Oddity, string>> = {
  ...stopSentences,
  ...mismatchSentences,
  names_payout:
    'the row waits for its transfer and names a payout, or one was made for it: find out whether the expert has the ' +
    'money; if so set the row to PAID_OUT, otherwise clear payout_id',
  names_transfer:
    'the row waits for its transfer and names one already: if that transfer stands, set the row to COMPLETED, ' +
    'otherwise clear transfer_id',
  transferred_already:
    'we have recorded a transfer for this row, and the row was set back afterwards: if the transfer stands, set the row ' +
    'to COMPLETED with its transfer_id, otherwise set it to REFUNDED',
  two_rows: sharedPaymentSentence,
  settlement_currency:
    'the charge was settled in another currency than the row is in, so it cannot be transferred as it is',
}

const findingKinds: Readonly<Partial<Record<Oddity, string>>> = {
  names_payout: 'row-contradicts-itself',
  names_transfer: 'row-contradicts-itself',
  transferred_already: 'row-contradicts-itself',
  two_rows: 'payment-shared',
  reversed: 'transfer-reversed',
  destination: 'transfer-mismatch',
  amount: 'transfer-mismatch',
  currency: 'transfer-mismatch',
  charge: 'transfer-mismatch',
  duplicate: 'transfer-mismatch',
  settlement_currency: 'transfer-mismatch',
  dispute_lost: 'dispute-lost',
}

/** The kind of the finding about an oddity. */
export function kindOf(oddity: Oddity): string {
  return findingKinds[oddity] ?? `row-${oddity.replaceAll('_', '-')}`
}
