import type { Asked } from './asked.ts'
import type { AskedDispute } from './disputes.ts'
import type { Booking, PaymentFacts } from './eligibility.ts'
import type { Foresight } from './foresights.ts'
import type { State } from './operation-states.ts'
import type { ExistingTransfer, TransferredCharge } from './transfer-checks.ts'

/** A row that is COMPLETED and names no payout. */
export interface PayoutRow {
  readonly paymentTransferId: number
  /** The Connect account that the booking's money went to, as it was at checkout. */
  readonly account: string
  /** The account that the expert has today, if any. */
  readonly currentAccount: string | null
  /** Whose it is: a Clerk id. */
  readonly expert: string
  readonly transferId: string | null
  /** What our own operation has as its transfer. */
  readonly recordedTransferId?: string | null
  readonly booking: Booking
  /** Another row that is not closed has the same payment. */
  readonly hasTwin: boolean
  /** When the client came to the checkout: nothing older has paid it. */
  readonly createdAt: Date
  /** The payout operation that the row's payment is in, unless that came to nothing. */
  readonly operation: RowOperation | undefined
  /** The latest payout operation of the payment that failed, else the latest that was rejected. */
  readonly earlier: RowOperation | undefined
  /** The operation by which an operator declined to pay it, until somebody lets it be planned again. */
  readonly declined?: string | undefined
}

export interface RowOperation {
  readonly id: string
  readonly state: State
  readonly reason: string | null
  readonly wakeAt: Date | null
  readonly stripeId: string | null
}

/** What Stripe says about a row's payment, and the transfers that may be the row's beside the charge's own. */
export interface RowPayment {
  readonly payment: PaymentFacts & {
    readonly charge: (NonNullable<PaymentFacts['charge']> & TransferredCharge) | undefined
  }
  readonly transfers: readonly ExistingTransfer[]
}

/** A payout operation that is not through. */
export interface OpenPayout {
  readonly id: string
  readonly state: State
  readonly account: string
  readonly currency: string
  readonly amountCents: number
  readonly stripeId: string | null
  readonly vendorStatus: string | null
  readonly reason: string | null
  readonly wakeAt: Date | null
  readonly firstSentAt: Date | null
  /** Held, and approved: it waits for its turn in its lane. */
  readonly isQueued?: boolean
  /** Of one that has its receipt: when Stripe last said something new about it. */
  readonly updatedAt: Date
  /** Of one that was not sent, or was refused: the rows that are not what it was made from any more. */
  readonly changedRows: readonly number[]
  /** What operators approved of it; see money/standing-holds.ts. */
  readonly approvedFor: readonly string[]
  /** Of one that is to be finished: all of its rows. */
  readonly rows: readonly { readonly paymentTransferId: number; readonly amountCents: number }[]
  /** Clerk ids of those whose money it is. */
  readonly experts: readonly string[]
}

/** A payout as Stripe lists it. */
export interface ListedPayout {
  readonly id: string
  readonly amountCents: number
  readonly currency: string
  readonly status: string
  readonly automatic: boolean
  readonly moneyIsBack: boolean
  readonly operationId: string | null
  readonly paymentTransferId: number | null
  readonly createdAt: Date
}

/** What Stripe says about an account. */
export interface AccountAtStripe {
  readonly payoutsEnabled: boolean
  readonly disabledReason: string | null
  readonly schedule: string
  readonly bankCurrencies: readonly string[]
  readonly disabledBankCurrencies: readonly string[]
  readonly available: Readonly<Record<string, number>>
  readonly pending: Readonly<Record<string, number>>
  /** Since the cut-over, and as far back as our rows and operations go. */
  readonly payouts: readonly ListedPayout[]
}

/** Cents of an account's rows that name no payout, by currency (lower case) and status, or UNPAID where none was paid. */
export interface RowSum {
  readonly currency: string
  readonly status: string
  readonly cents: number
}

/** A Connect account, by our own tables. */
export interface KnownAccount {
  readonly id: string
  /** Users who say that it is theirs. */
  readonly users: number
  readonly rowSums: readonly RowSum[]
  /** Payouts that failed since the last one that arrived, by currency. */
  readonly failedPayouts: Readonly<Record<string, number>>
}

export interface PayoutAccount extends KnownAccount {
  readonly atStripe: Asked<AccountAtStripe>
}

/** A row that names a payout. */
export interface NamingRow {
  readonly paymentTransferId: number
  readonly account: string
  readonly status: string
  readonly amountCents: number
  /** In lower case. */
  readonly currency: string
  /** When the client came to the checkout: nothing older has paid it. */
  readonly createdAt: Date
  /** A payout operation has paid it, or may yet, and that has another receipt, or none. */
  readonly isPaidOtherwise: boolean
}

/** Whose the payouts at Stripe are, by our own tables. */
export interface PayoutOwners {
  /** Payouts that an operation has as its receipt. */
  readonly recorded: ReadonlySet<string>
  /** Operations that may have come to a payout whose receipt they do not have yet, each with its account. */
  readonly unsettled: ReadonlyMap<string, string>
  /** The rows that name a payout, by its id. */
  readonly rows: ReadonlyMap<string, readonly NamingRow[]>
  /** Payouts whose finding `payout-unexplained` a person has resolved; what a job closed is explained by rows, or not. */
  readonly resolved: ReadonlySet<string>
  /** Payouts whose finding is open. */
  readonly told: ReadonlySet<string>
}

export interface PayoutFacts {
  /** Oldest first. */
  readonly rows: readonly PayoutRow[]
  /** By payment_transfers id; nothing for a row whose payment did not matter. */
  readonly payments: ReadonlyMap<number, Asked<RowPayment>>
  /** DISPUTED rows whose transfer or payout is recorded. */
  readonly disputes: readonly AskedDispute[]
  readonly accounts: ReadonlyMap<string, PayoutAccount>
  readonly operations: readonly OpenPayout[]
  readonly owners: PayoutOwners
  /** The cut-over: what was paid before it, the old jobs may have paid out. */
  readonly since: Date
  readonly limits: { readonly maxSingleCents: number; readonly maxTotalCents: number }
  /** By operation: what will come of those that are to be finished, as far as it was read. */
  readonly foresights: ReadonlyMap<string, Foresight>
  /** Cents sent in the last 24 hours, by currency. */
  readonly sentCents: Readonly<Record<string, number>>
  /** Due rows and operations that this run did not even read. */
  readonly left: number
  /** Rows that it did not read because they wait, by what they say themselves. */
  readonly unread?: number
  /** Accounts with nothing due whose turn is another day. */
  readonly accountsLeft: number
}
