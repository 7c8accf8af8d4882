/** What the stand-in remembers. Amounts are minor units, times are milliseconds; src/sandbox/stripe/render/ shows them as Stripe does. */

export interface Dated {
  readonly id: string
  readonly createdMs: number
  /** Decides the order within one millisecond. */
  readonly seq: number
}

export type Metadata = Readonly<Record<string, string>>
export type Schedule = 'manual' | 'daily' | 'weekly' | 'monthly'
export type CapabilityStatus = 'active' | 'inactive' | 'pending'

export interface Bank {
  readonly id: string
  readonly country: string
  readonly currency: string
  readonly last4: string
  /** `errored` after a payout to it failed: it takes no more. */
  status: 'new' | 'validated' | 'verified' | 'verification_failed' | 'errored'
}

export interface Account extends Dated {
  readonly isPlatform: boolean
  readonly country: string
  readonly currency: string
  readonly email: string
  payoutsEnabled: boolean
  transfers: CapabilityStatus
  schedule: Schedule
  disabledReason: string | null
  currentlyDue: readonly string[]
  pastDue: readonly string[]
  banks: readonly Bank[]
  /** The expert has cut the connection: every call for it is refused. */
  isDeauthorized: boolean
  metadata: Metadata
}

/** One movement on one balance. */
export interface Entry extends Dated {
  readonly account: string
  readonly type: EntryType
  readonly amount: number
  readonly fee: number
  readonly net: number
  readonly currency: string
  readonly source: string | null
  readonly availableMs: number
  readonly exchangeRate: number | null
}

export type EntryType =
  | 'adjustment'
  | 'application_fee'
  | 'application_fee_refund'
  | 'charge'
  | 'payment'
  | 'payment_refund'
  | 'payout'
  | 'payout_cancel'
  | 'payout_failure'
  | 'refund'
  | 'refund_failure'
  | 'topup'
  | 'transfer'
  | 'transfer_refund'

export type Method = 'card' | 'multibanco'

export interface Intent extends Dated {
  readonly amount: number
  readonly currency: string
  readonly method: Method
  readonly feeAmount: number | null
  readonly destination: string | null
  readonly metadata: Metadata
  readonly description: string | null
  readonly transferGroup: string | null
  readonly voucher: Voucher | null
  status: 'requires_payment_method' | 'requires_action' | 'processing' | 'succeeded' | 'canceled'
  chargeId: string | null
  canceledMs: number | null
  hasFailed: boolean
}

export interface Voucher {
  readonly entity: string
  readonly reference: string
  readonly expiresMs: number
}

export interface Charge extends Dated {
  readonly account: string
  readonly intentId: string | null
  readonly amount: number
  readonly currency: string
  readonly method: Method | 'stripe_account'
  readonly feeAmount: number | null
  readonly applicationFeeId: string | null
  readonly destination: string | null
  readonly metadata: Metadata
  readonly description: string | null
  /** Of the payment that a transfer makes on the account it goes to. */
  readonly sourceTransferId: string | null
  status: 'pending' | 'succeeded' | 'failed'
  transferId: string | null
  transferGroup: string | null
  entryId: string | null
  /** In the currency of its balance transaction. */
  settled: { readonly amount: number; readonly currency: string; readonly availableMs: number } | null
  amountRefunded: number
  feeRefunded: number
  isDisputed: boolean
}

export interface Transfer extends Dated {
  readonly amount: number
  readonly currency: string
  readonly destination: string
  readonly destinationPaymentId: string
  readonly entryId: string
  readonly sourceChargeId: string | null
  readonly group: string | null
  readonly description: string | null
  readonly metadata: Metadata
  /** Whether Stripe made it with a destination charge, or somebody asked for it. */
  readonly origin: 'charge' | 'api'
  readonly availableMs: number
  amountReversed: number
  reversals: readonly Reversal[]
}

export interface Reversal extends Dated {
  readonly transferId: string
  readonly amount: number
  readonly currency: string
  readonly entryId: string
  readonly refundId: string | null
  readonly metadata: Metadata
}

export type PayoutStatus = 'pending' | 'in_transit' | 'paid' | 'failed' | 'canceled'

export interface Payout extends Dated {
  readonly account: string
  readonly amount: number
  readonly currency: string
  readonly bankId: string
  readonly isAutomatic: boolean
  readonly arrivalMs: number
  readonly entryId: string
  readonly description: string | null
  readonly statementDescriptor: string | null
  readonly metadata: Metadata
  status: PayoutStatus
  failureCode: string | null
  /** Of the entry that gave the money back, after it failed or was canceled. */
  returnEntryId: string | null
}

export interface Refund extends Dated {
  readonly chargeId: string
  readonly intentId: string | null
  readonly amount: number
  readonly currency: string
  readonly entryId: string | null
  readonly reversalId: string | null
  readonly transferId: string | null
  readonly reason: 'duplicate' | 'fraudulent' | 'requested_by_customer' | null
  readonly metadata: Metadata
  status: 'pending' | 'succeeded' | 'failed' | 'canceled'
}

export interface Dispute extends Dated {
  readonly chargeId: string
  readonly intentId: string | null
  readonly amount: number
  readonly currency: string
  readonly reason: string
  status: 'needs_response' | 'under_review' | 'won' | 'lost'
  entryIds: readonly string[]
}

/** Where somebody else wants to be called. */
export interface Endpoint extends Dated {
  readonly url: string
  readonly events: readonly string[]
  readonly apiVersion: string | null
  readonly isEnabled: boolean
}

/** Everything that an event may be about, or that an id may be expanded to. */
export type Thing =
  | { readonly kind: 'account'; readonly record: Account }
  | { readonly kind: 'bank_account'; readonly record: Bank; readonly account: string }
  | { readonly kind: 'balance_transaction'; readonly record: Entry }
  | { readonly kind: 'charge'; readonly record: Charge }
  | { readonly kind: 'dispute'; readonly record: Dispute }
  | { readonly kind: 'payment_intent'; readonly record: Intent }
  | { readonly kind: 'payout'; readonly record: Payout }
  | { readonly kind: 'refund'; readonly record: Refund }
  | { readonly kind: 'transfer'; readonly record: Transfer }
  | { readonly kind: 'transfer_reversal'; readonly record: Reversal }

export interface Happening extends Dated {
  /** Undefined for what happened on the platform itself. */
  readonly account: string | undefined
  readonly type: string
  /** As it was then. */
  readonly thing: Thing
  readonly requestId: string | null
  readonly key: string | null
  isDelivered: boolean
}
