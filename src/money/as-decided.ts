import type { RowStatus } from './row-statuses.ts'

/** A row as it is now. */
export interface PresentRow {
  readonly id: number
  readonly status: RowStatus
  readonly amountCents: number
  /** In lower case. */
  readonly currency: string
  /** The Connect account. */
  readonly account: string
  readonly paymentIntentId: string
  readonly transferId: string | null
  readonly payoutId: string | null
}

/** What a transfer or payout was made from. */
export interface Decision {
  readonly kind: 'transfer' | 'payout'
  readonly items: readonly {
    readonly paymentTransferId: number
    readonly amountCents: number
    /** Undefined until the operation is written. */
    readonly paymentIntentId?: string
  }[]
  /** In lower case. */
  readonly currency: string
  readonly account: string
  /** A row must be in one of these. */
  readonly statuses: readonly RowStatus[]
}

/**
 * Whether every row still says what was decided about it: not paid by somebody else, refunded or corrected in the meantime.
 * `asDecided` in database/money-rows.ts is the same for statements that must ask and act at once; a test compares both.
 */
export function areAsDecided(rows: readonly PresentRow[], decision: Decision): boolean {
  const { account, currency, items, kind, statuses } = decision
  const byId = new Map(rows.map(row => [row.id, row]))
  return items.every(({ amountCents, paymentIntentId, paymentTransferId }) => {
    const row = byId.get(paymentTransferId)
    return (
      row !== undefined &&
      statuses.includes(row.status) &&
      row.amountCents === amountCents &&
      row.currency === currency &&
      row.account === account &&
      (paymentIntentId === undefined || row.paymentIntentId === paymentIntentId) &&
      (kind === 'payout' ? row.payoutId : row.transferId) === null
    )
  })
}
