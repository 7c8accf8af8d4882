import { stopSentences } from './eligibility.ts'
import { kindOf, type Oddity, oddSentences } from './transfer-reasons.ts'

/**
 * Findings that say what is: every complete run sees them again until somebody has put it right. What happened (a payout
 * that came back, a stranger's payout, a dispute that is over and is not asked about again) is not among them, nor what the
 * ledger tells once and closes itself (what is held or blocked).
 */
export const standingTransferFindings: readonly string[] = [
  ...new Set((Object.keys(oddSentences) as Oddity[]).map(kindOf).filter(kind => kind !== 'dispute-lost')),
  'payment-missing',
  'transfer-overdue',
  'row-given-up',
  'failed-row-paid',
]

/**
 * The same of payouts. Left out are `balance-unexplained` and `schedule-not-manual`: a run need not look at every account
 * that has nothing due, nor at one that no user has any more, so that not seeing them tells nothing; and
 * `payouts-failed-repeatedly`, which is told when the next payout is held.
 */
export const standingPayoutFindings: readonly string[] = [
  ...Object.keys(stopSentences).map(reason => `row-${reason.replaceAll('_', '-')}`),
  'row-already-paid',
  'row-account-missing',
  'payment-missing',
  'payment-shared',
  'transfer-missing',
  'transfer-mismatch',
  'transfer-reversed',
  'before-cut-over',
  'may-be-paid-already',
  'account-changed',
  'account-shared',
  'account-unreachable',
  'hold-age',
  'payout-money-missing',
  'payout-unsettled',
]
