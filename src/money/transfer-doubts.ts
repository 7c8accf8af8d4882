import type { ExistingTransfer, OwedTransfer } from './transfer-checks.ts'

/** The payment of a row, as far as transfers may have been made for it. */
export interface TransferableCharge {
  readonly paidAt: Date
  readonly transferGroup: string
}

/**
 * The ids of transfers that may have been made for a row by hand: nothing on them says what they were for, no row and no
 * operation names them (`attributed`), and they are of its payment's group, or went to its account since it was paid and
 * what is left of them is at least the row's amount.
 */
export function listPossibleTransfers(
  row: Pick<OwedTransfer, 'account' | 'amountCents' | 'currency'>,
  { paidAt, transferGroup }: TransferableCharge,
  transfers: readonly ExistingTransfer[],
  attributed: ReadonlySet<string>,
): string[] {
  return transfers
    .filter(transfer => isUnlabelled(transfer) && !attributed.has(transfer.id))
    .filter(transfer => {
      const leftCents = transfer.amountCents - transfer.reversedCents
      // Whoever wrote the group there meant this payment: to whatever account it went, and however they counted.
      return transfer.group === transferGroup
        ? leftCents > 0
        : leftCents >= row.amountCents && isTo(row, transfer, paidAt)
    })
    .map(({ id }) => id)
    .toSorted()
}

/** Neither a charge nor our metadata say what it was for. */
export function isUnlabelled({ chargeId, operationId = null, paymentTransferId }: ExistingTransfer): boolean {
  return chargeId === null && paymentTransferId === null && operationId === null
}

function isTo(
  { account, currency }: Pick<OwedTransfer, 'account' | 'currency'>,
  transfer: ExistingTransfer,
  paidAt: Date,
): boolean {
  const { createdAt, destination } = transfer
  const isSince = createdAt === undefined || createdAt >= paidAt
  return isSince && destination === account && transfer.currency === currency.toLowerCase()
}
