/** Whether a transfer that exists already is the one that a row is owed: adopting a wrong one pays somebody wrongly. */

import { byHand } from './eligibility.ts'

/** What a row of payment_transfers says. */
export interface OwedTransfer {
  readonly paymentTransferId: number
  /** The Connect account. */
  readonly account: string
  /** The expert's net, in cents. */
  readonly amountCents: number
  readonly currency: string
  /** The transfer that our own operation has for it: a person may have adopted one on which nothing says what it was for. */
  readonly recordedTransferId?: string | null
}

/** A transfer as the vendor knows it. */
export interface ExistingTransfer {
  readonly id: string
  readonly destination: string
  readonly amountCents: number
  readonly currency: string
  readonly reversedCents: number
  readonly chargeId: string | null
  readonly group?: string | null
  readonly paymentTransferId: number | null
  readonly operationId?: string | null
  readonly createdAt?: Date
}

/** The charge of the row's payment. `feeCents` is what the platform took back out of the charge's own transfer. */
export interface TransferredCharge {
  readonly id: string
  readonly feeCents: number | null
  readonly transfer: ExistingTransfer | undefined
}

/** One thing that is wrong with an existing transfer. */
export type TransferMismatch =
  | { readonly kind: 'destination'; readonly expected: string; readonly actual: string }
  | { readonly kind: 'amount'; readonly expectedCents: number; readonly actualCents: number }
  | { readonly kind: 'currency'; readonly expected: string; readonly actual: string }
  | { readonly kind: 'charge'; readonly expected: string; readonly actual: string }
  | { readonly kind: 'reversed'; readonly reversedCents: number }
  | { readonly kind: 'duplicate'; readonly transferIds: readonly string[] }

/** One sentence for people: what is wrong and what somebody must do. */
export const mismatchSentences: Readonly<Record<TransferMismatch['kind'], string>> = {
  destination: "the transfer went to another account than the row's: find out which is right, and correct the other",
  amount: "the transfer less the platform's fee is not the row's amount: correct the row, or transfer the difference",
  currency: 'the transfer is in another currency than the row: correct the row',
  charge: "the transfer names this row and was made out of another booking's charge: find out which booking it pays",
  reversed:
    'money of the transfer was taken back: if the expert is owed nothing any more, set the row to REFUNDED; else send what ' +
    "is owed to the account at Stripe, correct the row's amount to that, and " +
    byHand,
  duplicate: 'more than one transfer was made for this booking: reverse those that are too many',
}

/**
 * All that is wrong with `transfer` as the row's: nothing when it may be adopted. The transfer of a destination charge
 * is of the gross amount, so the fee comes off it; one that somebody made by a call is net already (CONTRIBUTING.md,
 * rule of money 5).
 */
export function checkTransfer(
  row: OwedTransfer,
  transfer: ExistingTransfer,
  charge: TransferredCharge,
): TransferMismatch[] {
  const mismatches: TransferMismatch[] = []
  const netCents = netOf(transfer, charge)
  const currency = row.currency.toLowerCase()
  if (transfer.destination !== row.account) {
    mismatches.push({ kind: 'destination', expected: row.account, actual: transfer.destination })
  }
  if (transfer.currency.toLowerCase() !== currency) {
    mismatches.push({ kind: 'currency', expected: currency, actual: transfer.currency.toLowerCase() })
  }
  if (netCents !== row.amountCents) {
    mismatches.push({ kind: 'amount', expectedCents: row.amountCents, actualCents: netCents })
  }
  if (transfer.chargeId !== null && transfer.chargeId !== charge.id) {
    mismatches.push({ kind: 'charge', expected: charge.id, actual: transfer.chargeId })
  }
  if (transfer.reversedCents !== 0) mismatches.push({ kind: 'reversed', reversedCents: transfer.reversedCents })
  return mismatches
}

export type FoundTransfer =
  | { readonly kind: 'none' }
  | { readonly kind: 'match'; readonly transfer: ExistingTransfer }
  | {
      readonly kind: 'mismatch'
      readonly mismatches: readonly TransferMismatch[]
      readonly transferIds: readonly string[]
    }

/**
 * Which transfer is the row's: the charge's own, or one of `listed` that was made out of this charge, names the row, or is
 * recorded for it.
 * More than one is never adopted, not even when all but one were reversed: a person decides.
 */
export function findTransfer(
  row: OwedTransfer,
  charge: TransferredCharge,
  listed: readonly ExistingTransfer[],
): FoundTransfer {
  const own = charge.transfer === undefined ? [] : [charge.transfer]
  const others = listed.filter(
    ({ chargeId, id, paymentTransferId }) =>
      chargeId === charge.id || paymentTransferId === row.paymentTransferId || id === row.recordedTransferId,
  )
  const byId = new Map([...others, ...own].map(transfer => [transfer.id, transfer]))
  const [transfer] = byId.values()
  if (transfer === undefined) return { kind: 'none' }
  const transferIds = [...byId.keys()].toSorted()
  const mismatches: TransferMismatch[] =
    byId.size > 1 ? [{ kind: 'duplicate', transferIds }] : checkTransfer(row, transfer, charge)
  return mismatches.length === 0 ? { kind: 'match', transfer } : { kind: 'mismatch', mismatches, transferIds }
}

function netOf(transfer: ExistingTransfer, charge: TransferredCharge): number {
  return transfer.id === charge.transfer?.id ? transfer.amountCents - (charge.feeCents ?? 0) : transfer.amountCents
}
