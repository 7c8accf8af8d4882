import type { TransferCandidate } from '../../database/payment-transfers.ts'
import type { PaymentTransferStatus } from '../../database/tables.ts'
import type { StripeStandIn } from '../stripe.ts'
import type { AccountName } from './accounts.ts'
import type { ExpertName } from './experts.ts'

/** How the client paid, in days from now; negative is past. */
export type DemoPayment =
  | {
      readonly by: 'card'
      readonly paidDays: number
      /** When the money stops being pending; two days after the payment unless given. */
      readonly availableDays?: number
      /** Where Stripe sent it; to the row's account unless given, and null for a charge that stayed on the platform. */
      readonly sentTo?: AccountName | null
    }
  | { readonly by: 'voucher'; readonly issuedDays: number; readonly paidDays: number }
  | { readonly by: 'unpaid voucher' | 'settling voucher' | 'canceled voucher'; readonly issuedDays: number }
  /** The row names a payment that Stripe does not know. */
  | { readonly by: 'nobody'; readonly issuedDays: number }

/** What is otherwise than the site would write it. */
export interface RowChanges {
  readonly status?: PaymentTransferStatus
  readonly amount?: number
  readonly currency?: string
  readonly transfer_id?: string | null
  readonly payout_id?: string
  readonly requires_approval?: boolean | null
  readonly admin_user_id?: string
  readonly retry_count?: number
  readonly stripe_error_code?: string
}

/** What a case has to go on with once its payment exists. */
export interface Made {
  readonly paymentTransferId: number
  readonly paymentIntentId: string
  /** Empty while nothing is paid. */
  readonly chargeId: string
  /** The one that Stripe made itself, for a destination charge. */
  readonly transferId: string | null
  readonly account: string
  readonly grossCents: number
  readonly netCents: number
  readonly currency: string
  readonly stripe: StripeStandIn
  readonly at: (days: number) => Date
}

/** How a row must stand once each job has run once, transfers before payouts. */
export interface Ending {
  readonly status: PaymentTransferStatus
  /** How its transfer got into our books in that round, unless it is held there. */
  readonly transfer?: 'recorded' | 'created' | 'held'
  /** The state of its payout in our books. */
  readonly payout?: 'created' | 'held'
  /** What it waits for afterwards. */
  readonly waits?: string
  /** The finding about the row itself. */
  readonly finding?: string
  /** Its expert is told that the money becomes payable soon. */
  readonly isTold?: boolean
}

/** One booking of the demo, with a name by which tests and tables refer to it. */
export interface DemoCase {
  readonly name: string
  readonly expert: ExpertName
  /** The account of the row; the expert's own unless given. */
  readonly account?: AccountName
  /** What the client paid: 60.00 unless given. */
  readonly priceCents?: number
  readonly payment: DemoPayment
  /** When the appointment is over, in days from now. */
  readonly endsDays: number
  /** The event and the meeting are deleted. */
  readonly isGone?: boolean
  readonly row?: RowChanges
  /** What happened to the money later, and what that wrote into the row. */
  readonly later?: (made: Made) => RowChanges | undefined
  readonly ends: Ending
}

/** The platform's share of the listing price, rounded down. */
export function feeOf(priceCents: number): number {
  return Math.floor(priceCents * 0.15)
}

/** A transfer that is due is recorded, and its row paid out in the same round. */
export const paidOut: Ending = { status: 'PAID_OUT', transfer: 'recorded', payout: 'created' }

/** Nothing happens to the row. */
export function waits(reason: string, status: TransferCandidate['status'] = 'PENDING'): Ending {
  return { status, waits: reason }
}

/** Nothing happens to the row, and a person is asked to look at it. */
export function asks(finding: string, status: PaymentTransferStatus = 'PENDING'): Ending {
  return { status, finding }
}
