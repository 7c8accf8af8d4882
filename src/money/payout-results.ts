/** What a payout came to, for its operation; `unsettled` when nothing is certain yet. */
export type PayoutResult = 'paid' | 'failed' | 'canceled' | 'unsettled'

interface PayoutReading {
  /** The vendor's word: pending, in_transit, paid, failed or canceled. */
  readonly status: string
  /** The money of a payout that failed or was canceled is in the balance again. */
  readonly moneyIsBack: boolean
}

/**
 * What a payout's state at the vendor means. One that came back counts only once its money is there: its rows would
 * otherwise be paid out of somebody else's (CONTRIBUTING.md, rule of money 9). A word that is not known means nothing yet.
 */
export function judgePayout({ moneyIsBack, status }: PayoutReading): PayoutResult {
  switch (status) {
    case 'paid':
      return 'paid'
    case 'failed':
    case 'canceled':
      return moneyIsBack ? status : 'unsettled'
    default:
      return 'unsettled'
  }
}

/** Whether a payout did not arrive, by the vendor's word, be its money in the balance again or not. */
export function hasComeBack(status: string): boolean {
  return status === 'failed' || status === 'canceled'
}
