import type { Booking } from '../providers/payments.ts'

/** What becomes of the hold of a slot when its time is over. */

/**
 * How long a voucher that has expired may still be paid according to Stripe: for up to four days the bank may be slow to
 * tell (docs.stripe.com/payments/multibanco).
 */
export const bankLagMs = 4 * 24 * 60 * 60_000

/** How long after its hold's end a payment may still settle before somebody has to look. */
export const settlesForMs = 10 * 24 * 60 * 60_000

/** A meeting's "stripePaymentStatus", as the site stores it. */
export interface HoldMeeting {
  readonly id: string
  readonly paymentStatus: string | null
}

/** A hold with a payment, whose time is over. */
export interface ExpiredHold {
  readonly startsAt: Date
  readonly expiresAt: Date
  readonly hasAddress: boolean
  /** The meeting of the hold's payment, else one of the same guest, event and start that has none; undefined without any. */
  readonly meeting: HoldMeeting | undefined
  /** The same guest has paid for the same slot with another payment. */
  readonly isBookedOtherwise: boolean
}

export type HoldDecision =
  | {
      readonly kind: 'keep'
      readonly reason: 'settling' | 'paid' | 'waiting'
      readonly until?: Date
      /** It settles for longer than any payment should. */
      readonly isTooLong?: boolean
    }
  | {
      readonly kind: 'delete'
      readonly reason: 'booked' | 'canceled' | 'lapsed' | 'forgotten'
      /** Whether the guest hears of it. */
      readonly tells: boolean
      /** The meeting that keeps the slot taken although nobody will pay for it. */
      readonly blockedBy: string | undefined
    }
  /** Stripe has to be asked first. */
  | { readonly kind: 'ask' }

/**
 * What is to be done now. A hold goes silently when its booking is paid. Otherwise Stripe decides: one whose money is
 * there or on its way is kept. One that waits is kept too until Stripe says that the voucher has lapsed, because Stripe
 * does so by itself: at the voucher's end the payment turns to `processing`, and within four days to a success or a
 * failure. Four days after the end that can no longer come, and Stripe gives back what is paid later: then it goes.
 */
export function decideHold(hold: ExpiredHold, booking: Booking | undefined, now: Date): HoldDecision {
  const { meeting } = hold
  if (meeting?.paymentStatus === 'succeeded' || meeting?.paymentStatus === 'refunded') {
    return { kind: 'delete', reason: 'booked', tells: false, blockedBy: undefined }
  }
  if (booking === undefined) return { kind: 'ask' }
  switch (booking.status) {
    case 'paid':
      return { kind: 'keep', reason: 'paid' }
    case 'settling':
      return { kind: 'keep', reason: 'settling', isTooLong: now.getTime() > hold.expiresAt.getTime() + settlesForMs }
    case 'canceled':
    case 'lapsed':
      return letGo(hold, booking.status, now)
    case 'waiting': {
      const until = new Date(findVoucherEnd(hold, booking) + bankLagMs)
      return now < until ? { kind: 'keep', reason: 'waiting', until } : letGo(hold, 'forgotten', now)
    }
  }
}

/** The later one counts: the site may have extended its hold, and Stripe may have issued another voucher. */
function findVoucherEnd({ expiresAt }: ExpiredHold, { voucher }: Booking): number {
  return Math.max(expiresAt.getTime(), voucher?.expiresAt.getTime() ?? 0)
}

/** A meeting that is not paid is no reason to say nothing: the site writes one for every voucher. */
function letGo(hold: ExpiredHold, reason: 'canceled' | 'lapsed' | 'forgotten', now: Date): HoldDecision {
  const isAhead = hold.startsAt > now
  return {
    kind: 'delete',
    reason,
    tells: isAhead && hold.hasAddress && !hold.isBookedOtherwise,
    blockedBy: isAhead && !hold.isBookedOtherwise ? hold.meeting?.id : undefined,
  }
}
