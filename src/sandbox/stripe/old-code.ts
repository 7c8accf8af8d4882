import type { Metadata } from './records.ts'
import { getBook, nowMs, type State } from './state.ts'
import { availableCents } from './world/money.ts'
import { makePayout } from './world/payouts.ts'
import { makeTransfer } from './world/transfers.ts'

export interface OldPayout {
  readonly account: string
  readonly amountCents: number
  /** `eur` unless given. */
  readonly currency?: string
  /** The row that it was for; without one it is the old sweep of a whole balance. */
  readonly paymentTransferId?: number
  readonly at?: Date
  /** On top of what the old code wrote. */
  readonly metadata?: Metadata
  /** Made by the account's own schedule, so without metadata of ours. */
  readonly isAutomatic?: boolean
}

export interface OldTransfer {
  readonly chargeId: string
  readonly destination: string
  readonly amountCents: number
  readonly paymentTransferId: number
  readonly at?: Date
  /** On top of what the old code wrote. */
  readonly metadata?: Metadata
}

/** A payout as the job before this service made it. Throws when the balance does not cover it. */
export function payOutAsOldCode(state: State, order: OldPayout): string {
  const { account, amountCents, at, currency = 'eur', isAutomatic = false } = order
  const bank = getBook(state, account).account.banks.find(each => each.currency === currency)
  if (bank === undefined) throw new Error(`the account ${account} has no bank account in ${currency}`)
  const available = availableCents(state, account, currency)
  if (available < amountCents) throw new Error(`${account} has ${available} of ${amountCents} ${currency} to pay out`)
  const atMs = at?.getTime() ?? nowMs(state)
  const metadata = { ...(isAutomatic ? {} : oldMetadata(order, atMs)), ...order.metadata }
  return makePayout(state, { account, amount: amountCents, currency, bank, atMs, isAutomatic, metadata }).id
}

/** A transfer as the old job made it for a charge without one. Throws for an unknown charge. */
export function transferAsOldCode(state: State, order: OldTransfer): string {
  const { amountCents, at, chargeId, destination, paymentTransferId } = order
  const charge = getBook(state, state.platform.id).charges.byId.get(chargeId)
  if (charge?.settled == null) throw new Error(`the Stripe stand-in has no paid charge ${chargeId}`)
  const transfer = makeTransfer(state, {
    amount: amountCents,
    currency: charge.settled.currency,
    destination,
    atMs: at?.getTime() ?? nowMs(state),
    origin: 'api',
    charge,
    metadata: { paymentTransferId: String(paymentTransferId), ...order.metadata },
  })
  return transfer.id
}

function oldMetadata({ amountCents, paymentTransferId }: OldPayout, atMs: number): Metadata {
  const processedAt = new Date(atMs).toISOString()
  if (paymentTransferId === undefined) {
    return {
      source: 'stripe_fallback',
      reason: 'legal_compliance_verification',
      processedAt,
      automaticComplianceCheck: 'true',
    }
  }
  return {
    paymentTransferId: String(paymentTransferId),
    originalTransferAmount: String(amountCents),
    source: 'database',
    processedAt,
  }
}
