/** What the site calls the states of a row of payment_transfers, and what each of them means for its money. */

export type RowStatus = 'PENDING' | 'APPROVED' | 'READY' | 'COMPLETED' | 'FAILED' | 'REFUNDED' | 'DISPUTED' | 'PAID_OUT'

/** In which a row may be paid by an operation of a kind. */
export const payableStatuses = {
  transfer: ['PENDING', 'READY', 'APPROVED'],
  payout: ['COMPLETED'],
} as const satisfies Readonly<Record<'transfer' | 'payout', readonly RowStatus[]>>

/** What an operation of a kind makes of the rows that it has paid. */
export const paidStatuses = {
  transfer: 'COMPLETED',
  payout: 'PAID_OUT',
} as const satisfies Readonly<Record<'transfer' | 'payout', RowStatus>>

/** In which the money of a row is still on its account, or may be; never there is what nobody has paid. */
export const waitingStatuses: readonly RowStatus[] = [
  ...payableStatuses.transfer,
  ...payableStatuses.payout,
  'DISPUTED',
]

/** Those that a row may come to from what a payout makes of it. */
export const afterPayout: readonly RowStatus[] = [paidStatuses.payout, 'DISPUTED', 'REFUNDED']
