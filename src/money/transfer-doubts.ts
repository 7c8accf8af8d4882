import type { ExistingTransfer, OwedTransfer } from './transfer-checks.ts'

/**
 * The ids of transfers to a row's account since `paidAt` that may have been made for it by hand: nothing on them says what
 * they were for, no row and no operation names them (`attributed`), and what is left of them is at least the row's amount.
 */
export function listPossibleTransfers(
  row: Pick<OwedTransfer, 'account' | 'amountCents' | 'currency'>,
  paidAt: Date,
  transfers: readonly ExistingTransfer[],
  attributed: ReadonlySet<string>,
): string[] {
  return transfers
    .filter(transfer => isUnlabelled(transfer) && !attributed.has(transfer.id))
    .filter(({ createdAt }) => createdAt === undefined || createdAt >= paidAt)
    .filter(({ currency, destination }) => destination === row.account && currency === row.currency.toLowerCase())
    .filter(({ amountCents, reversedCents }) => amountCents - reversedCents >= row.amountCents)
    .map(({ id }) => id)
    .toSorted()
}

/** Neither a charge nor our metadata say what it was for. */
export function isUnlabelled({ chargeId, operationId = null, paymentTransferId }: ExistingTransfer): boolean {
  return chargeId === null && paymentTransferId === null && operationId === null
}
