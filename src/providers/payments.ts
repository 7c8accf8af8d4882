/** The payment vendor in our words. All amounts are integer cents of the currency beside them, which is in lower case. */

/** What the vendor says about the payment of one booking. */
export interface Payment {
  readonly paymentIntentId: string
  /** `settling`: the guest has paid a voucher and the bank has not confirmed it yet. */
  readonly status: 'paid' | 'settling' | 'unpaid' | 'canceled'
  /** Present exactly when the status is `paid`. */
  readonly charge: Charge | undefined
}

/** A booking as its payment tells of it: the site writes the guest's words into the metadata at checkout. */
export interface Booking {
  readonly paymentIntentId: string
  /** `waiting`: the guest still has to act, as with a voucher that is not paid. `lapsed`: nobody paid, and nothing is open any more. */
  readonly status: 'paid' | 'settling' | 'waiting' | 'lapsed' | 'canceled'
  readonly amountCents: number
  readonly currency: string
  /** While the guest can pay with it; undefined without any, and for one that lacks what a guest needs to pay. */
  readonly voucher: Voucher | undefined
  /** As the guest gave it; null where nobody did. */
  readonly guestName: string | null
  /** As the site has it: en, pt, es or br. */
  readonly locale: string | null
  /** IANA, as the guest's browser said it. */
  readonly timeZone: string | null
}

/** A Multibanco voucher that waits for its payment. */
export interface Voucher {
  readonly entity: string
  readonly reference: string
  readonly expiresAt: Date
  /** The vendor's page with the voucher. */
  readonly url: string | null
}

export interface Charge {
  readonly id: string
  /** When the money arrived: the later of the charge's and its balance transaction's creation. */
  readonly paidAt: Date
  readonly amountCents: number
  readonly currency: string
  /** The currency of the charge's balance transaction: a transfer out of this charge has to be in it. */
  readonly settlementCurrency: string | undefined
  readonly refundedCents: number
  /** A dispute is open, or was lost; one that was won counts no more. */
  readonly disputed: boolean
  /** The platform has paid the guest back through the bank. */
  readonly disputeLost: boolean
  /** What the platform kept; null for a charge without a fee. */
  readonly feeCents: number | null
  /** The transfer that the vendor made itself, for a destination charge. */
  readonly transfer: Transfer | undefined
  /** What transfers out of this charge carry as their group, whatever account they go to; so may others. */
  readonly transferGroup: string
  /** The vendor says so; else nothing was transferred out of it yet, and nobody has given it a group. */
  readonly isGrouped: boolean
}

export interface Transfer {
  readonly id: string
  /** The Connect account that received it. */
  readonly destination: string
  readonly amountCents: number
  readonly currency: string
  readonly reversedCents: number
  /** The charge it was made out of. */
  readonly chargeId: string | null
  /** That of its charge, or what whoever made it has written. */
  readonly group: string | null
  /** Our operation, from the metadata. */
  readonly operationId: string | null
  /** The row of payment_transfers, from the metadata: the old jobs wrote it too. */
  readonly paymentTransferId: number | null
  readonly createdAt: Date
}

export interface Payout {
  readonly id: string
  readonly amountCents: number
  readonly currency: string
  /** pending, in_transit, paid, failed or canceled; `paid` can still turn into `failed`. */
  readonly status: string
  /** Made by the account's own schedule and not by a call. */
  readonly automatic: boolean
  readonly arrivesAt: Date | null
  readonly failureCode: string | null
  /** A payout that failed has given the money back. */
  readonly moneyIsBack: boolean
  readonly operationId: string | null
  readonly paymentTransferId: number | null
  readonly createdAt: Date
}

export interface ConnectAccount {
  readonly id: string
  readonly payoutsEnabled: boolean
  /** The capability to receive transfers is active. */
  readonly transfersActive: boolean
  readonly disabledReason: string | null
  /** manual, daily, weekly or monthly; anything but manual empties the account without us. */
  readonly schedule: string
  /** Currencies for which a bank account can take a payout now. */
  readonly bankCurrencies: readonly string[]
  /** Currencies whose bank account the vendor has disabled, after a payout failed. */
  readonly disabledBankCurrencies: readonly string[]
}

export interface Balance {
  /** Cents by currency; may be negative. */
  readonly available: Readonly<Record<string, number>>
  readonly pending: Readonly<Record<string, number>>
}

/** The account behind our own key. */
export interface Platform {
  readonly account: string
  readonly live: boolean
  /** By the vendor's clock, when it answered; undefined where it did not say. */
  readonly now?: Date | undefined
}

/**
 * Reading. Every call is limited, ends within its deadline and takes the run's signal. Throws KeyRefusedError when our
 * key is refused, PermanentError for what will never be found or allowed (code `resource_missing`, `account_invalid`, or
 * `charge_missing` for a payment that counts as paid and has no charge), and a plain Error with the vendor's `code` for
 * what may work later.
 */
export interface PaymentReads {
  readPlatform(signal: AbortSignal): Promise<Platform>
  readPayment(paymentIntentId: string, signal: AbortSignal): Promise<Payment>
  /** What a payment tells of its booking, whatever it was paid with: voucher, guest's name, language and zone. */
  readBooking(paymentIntentId: string, signal: AbortSignal): Promise<Booking>
  /** All transfers to a Connect account since `from`, newest first. */
  listTransfers(query: { destination: string; from: Date }, signal: AbortSignal): Promise<readonly Transfer[]>
  /** All transfers of a group, to whatever account, newest first. */
  listTransferGroup(group: string, signal: AbortSignal): Promise<readonly Transfer[]>
  readAccount(account: string, signal: AbortSignal): Promise<ConnectAccount>
  readBalance(account: string, signal: AbortSignal): Promise<Balance>
  /** All payouts of a Connect account since `from`, newest first. */
  listPayouts(query: { account: string; from: Date }, signal: AbortSignal): Promise<readonly Payout[]>
  readPayout(query: { account: string; id: string }, signal: AbortSignal): Promise<Payout>
}

/** A transfer as it is frozen on its operation: nothing in it may differ between two tries. */
export interface TransferRequest {
  readonly amountCents: number
  readonly currency: string
  readonly destination: string
  /** The charge whose money it is. */
  readonly chargeId: string
  readonly operationId: string
  readonly paymentTransferId: number
}

/** A payout as it is frozen on its operation. */
export interface PayoutRequest {
  readonly account: string
  readonly amountCents: number
  readonly currency: string
  readonly operationId: string
}

/**
 * What a write came to (docs.stripe.com/error-low-level). Only `unknown` and `done` may have moved money; `notExecuted`
 * has not, and the same key may be sent again; `refused` has not, and never will under this key.
 */
export type WriteAnswer<T> =
  | { readonly kind: 'done'; readonly object: T; readonly replayed: boolean }
  /** No answer, half an answer, or a 5xx; `replayed` when it is the stored answer of an earlier try. */
  | { readonly kind: 'unknown'; readonly code: string; readonly replayed: boolean }
  /** 409 while the same key is at work, or 429. */
  | { readonly kind: 'notExecuted'; readonly code: string }
  /** A business refusal, by the vendor's code. */
  | { readonly kind: 'refused'; readonly code: string }
  /** The key was used before with other parameters: our own mistake. */
  | { readonly kind: 'keyReused' }
  /** 401, or 403 for our key as a whole. */
  | { readonly kind: 'keyRefused'; readonly code: string }

/** Writing: for src/ledger/ alone. Never throws for an answer of the vendor, only for a bug. */
export interface PaymentWrites {
  createTransfer(request: TransferRequest, key: string, signal: AbortSignal): Promise<WriteAnswer<Transfer>>
  createPayout(request: PayoutRequest, key: string, signal: AbortSignal): Promise<WriteAnswer<Payout>>
}
