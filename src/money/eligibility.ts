/** When a booking's money may be released to its expert: the one rule, for every job that needs it. */

import type { RowStatus } from './row-statuses.ts'

const hourMs = 60 * 60_000
const dayMs = 24 * hourMs

/** How long a client may complain once the appointment has ended (CONTRIBUTING.md, rule of money 4). */
export const complaintWindowMs = 24 * hourMs

/** Days between payment and release, by the expert's country; elsewhere the default (CONTRIBUTING.md, rule of money 4). */
const defaultDelayDays = 7
const delayDaysByCountry: Readonly<Record<string, number>> = {
  PT: 7,
  ES: 7,
  US: 2,
  IT: 7,
  FR: 7,
  DE: 7,
  GB: 7,
  CA: 7,
  AU: 7,
}

/** One booking as our rows know it. */
export interface Booking {
  readonly status: RowStatus
  /** Null means no. */
  readonly requiresApproval: boolean | null
  /** Who approved it; an approval skips nothing but the wait for itself. */
  readonly approvedBy: string | null
  /** The expert's country, in any letter case. */
  readonly country: string | null
  /** The meeting's end, or its start plus the event's duration; null when neither is known. */
  readonly appointmentEndsAt: Date | null
  /** The expert's net, in cents. */
  readonly amountCents: number
  readonly currency: string
}

/** What the vendor says about the booking's payment. */
export interface PaymentFacts {
  readonly status: 'paid' | 'settling' | 'unpaid' | 'canceled'
  /** Present exactly when the status is `paid`. */
  readonly charge:
    | {
        readonly paidAt: Date
        readonly amountCents: number
        readonly currency: string
        readonly refundedCents: number
        /** A dispute is open, or was lost. */
        readonly disputed: boolean
        readonly disputeLost: boolean
      }
    | undefined
}

/** What a booking waits for. All of it ends by itself or by somebody's ordinary work. */
export type WaitReason =
  | 'unpaid'
  | 'settling'
  | 'payment_canceled'
  | 'payment_age'
  | 'complaint_window'
  | 'approval'
  | 'disputed'

/** Why no amount of waiting helps: a person must look. */
export type StopReason =
  | 'refunded'
  | 'partly_refunded'
  | 'dispute_lost'
  | 'failed'
  | 'already_paid_out'
  | 'appointment_unknown'
  | 'amount_invalid'
  | 'amount_above_payment'
  | 'currency_mismatch'

export type Verdict =
  | { readonly kind: 'eligible'; readonly since: Date }
  | { readonly kind: 'waits'; readonly reason: WaitReason; readonly until?: Date }
  | { readonly kind: 'stopped'; readonly reason: StopReason }
  /** Our rows do not say; the vendor has to be asked. */
  | { readonly kind: 'unknown' }

/** One sentence for people: what the booking waits for. */
export const waitSentences: Readonly<Record<WaitReason, string>> = {
  unpaid: 'the client has not paid yet',
  settling: 'the client has paid a voucher and the bank has not confirmed it yet',
  payment_canceled: 'the payment was canceled, so there is nothing to release',
  payment_age: "the payment is younger than the delay of the expert's country",
  complaint_window: 'the client may complain until 24 hours after the appointment',
  approval:
    'an administrator of the marketplace has to approve it: set its status to APPROVED and admin_user_id to who approved; ' +
    'the payout looks at admin_user_id alone',
  disputed: 'the client disputes the payment; it stays frozen until the dispute is decided',
}

/** How a person pays what no job may: a payout that rows account for is explained and freezes nothing. */
export const byHand =
  "make the payout of exactly the row's amount at Stripe, write its id (po_…) into the row's payout_id and set the row to " +
  'PAID_OUT'

/** One sentence for people: what somebody must do. */
export const stopSentences: Readonly<Record<StopReason, string>> = {
  refunded: 'the payment was refunded: set the row to REFUNDED, and reverse the transfer if the expert has the money',
  partly_refunded:
    "part of the payment was refunded: decide what the expert is still owed, correct the row's amount to that, " +
    `and ${byHand}; where nothing is owed, set it to REFUNDED`,
  dispute_lost:
    'a dispute was lost, so the platform paid the client back: decide what the expert is owed; correct the amount to ' +
    `that and ${byHand}, or set it to REFUNDED once the money was taken back`,
  failed:
    'the row is FAILED, which no job picks up again: set it to PENDING to try again, or, if nobody is owed anything, to REFUNDED',
  already_paid_out: 'the row is PAID_OUT already and must not be released again',
  appointment_unknown: `neither a meeting nor an event says when the appointment ended: restore one of them, or ${byHand}`,
  amount_invalid: "the row's amount or currency is not one that can be paid: correct it",
  amount_above_payment: 'the row promises the expert more than the client paid: correct the amount',
  currency_mismatch: 'the client paid in another currency than the row says: correct the row',
}

/**
 * Whether a booking's money may be released at `now`, and if not, why and until when (CONTRIBUTING.md, rule of money
 * 4). Without `payment`, which asks nobody, only what our own rows can decide.
 */
export function judgeBooking(booking: Booking, payment: PaymentFacts | undefined, now: Date): Verdict {
  return judgeRow(booking) ?? (payment === undefined ? judgeUnasked(booking, now) : judgePayment(booking, payment, now))
}

/** From when on, inclusive to the millisecond: the payment has aged and the complaint window has passed. */
export function eligibleFrom(paidAt: Date, appointmentEndsAt: Date, country: string | null): Date {
  return new Date(Math.max(agedAt(paidAt, country), complaintsEndAt(appointmentEndsAt)))
}

/** Days that a payment has to age for an expert of that country, given in any letter case. */
export function payoutDelayDays(country: string | null): number {
  const code = (country ?? '').trim().toUpperCase()
  return delayDaysByCountry[code] ?? defaultDelayDays
}

function judgeRow({ amountCents, currency, status }: Booking): Verdict | undefined {
  if (status === 'DISPUTED') return waits('disputed')
  if (status === 'REFUNDED') return stopped('refunded')
  if (status === 'FAILED') return stopped('failed')
  if (status === 'PAID_OUT') return stopped('already_paid_out')
  const payable = Number.isSafeInteger(amountCents) && amountCents > 0 && /^[a-z]{3}$/i.test(currency)
  return payable ? undefined : stopped('amount_invalid')
}

function judgeUnasked(booking: Booking, now: Date): Verdict {
  const { appointmentEndsAt } = booking
  // An unpaid booking needs no appointment, and nobody's attention.
  if (appointmentEndsAt === null) return { kind: 'unknown' }
  const until = new Date(complaintsEndAt(appointmentEndsAt))
  if (!isReached(until, now)) return waits('complaint_window', until)
  return lacksApproval(booking) ? waits('approval') : { kind: 'unknown' }
}

function judgePayment(booking: Booking, { charge, status }: PaymentFacts, now: Date): Verdict {
  const { amountCents, appointmentEndsAt, country, currency } = booking
  if (charge === undefined || status !== 'paid') return waits(unpaidReason(status))
  if (charge.refundedCents >= charge.amountCents) return stopped('refunded')
  if (charge.refundedCents !== 0) return stopped('partly_refunded')
  if (charge.disputeLost) return stopped('dispute_lost')
  if (charge.disputed) return waits('disputed')
  if (charge.currency.toLowerCase() !== currency.toLowerCase()) return stopped('currency_mismatch')
  if (amountCents > charge.amountCents) return stopped('amount_above_payment')
  if (appointmentEndsAt === null) return stopped('appointment_unknown')
  const from = eligibleFrom(charge.paidAt, appointmentEndsAt, country)
  if (!isReached(from, now)) {
    return waits(
      agedAt(charge.paidAt, country) > complaintsEndAt(appointmentEndsAt) ? 'payment_age' : 'complaint_window',
      from,
    )
  }
  return lacksApproval(booking) ? waits('approval') : { kind: 'eligible', since: from }
}

function unpaidReason(status: PaymentFacts['status']): WaitReason {
  if (status === 'settling') return 'settling'
  return status === 'canceled' ? 'payment_canceled' : 'unpaid'
}

function lacksApproval({ approvedBy, requiresApproval, status }: Booking): boolean {
  return requiresApproval === true && status !== 'APPROVED' && approvedBy === null
}

/** A moment that is no date is never reached. */
function isReached(moment: Date, now: Date): boolean {
  return now.getTime() >= moment.getTime()
}

function agedAt(paidAt: Date, country: string | null): number {
  return paidAt.getTime() + payoutDelayDays(country) * dayMs
}

function complaintsEndAt(appointmentEndsAt: Date): number {
  return appointmentEndsAt.getTime() + complaintWindowMs
}

function waits(reason: WaitReason, until?: Date): Verdict {
  return until === undefined ? { kind: 'waits', reason } : { kind: 'waits', reason, until }
}

function stopped(reason: StopReason): Verdict {
  return { kind: 'stopped', reason }
}
