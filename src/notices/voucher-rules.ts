import type { Booking } from '../providers/payments.ts'

/** When a guest is reminded of a voucher that waits for its payment. */

export type VoucherReminderKind = 'payment-reminder-gentle' | 'payment-reminder-urgent'

const hourMs = 60 * 60_000
const dayMs = 24 * hourMs

/** The gentle reminder, of "day 3", opens so long before the voucher expires, and never before the voucher has this age. */
const gentle = { opensMs: 4.5 * dayMs, ageMs: 48 * hourMs }
/**
 * The urgent one, of "day 6", opens by the time that is left, also of a short voucher: only whoever has just got it is left
 * in peace. Paying takes the last two hours. Any voucher of twelve hours has a window of six, which no run can miss.
 */
const urgent = { opensMs: 1.5 * dayMs, quietMs: 4 * hourMs, closesMs: 2 * hourMs }

/** No reminder opens earlier before its voucher expires than this. */
export const firstOpensMs = gentle.opensMs
/** The urgent one does not open earlier before its voucher expires than this. */
export const urgentOpensMs = urgent.opensMs
/** How long after its voucher has expired a reminder that was missed is still accounted for. */
export const missedForMs = dayMs

export interface VoucherTimes {
  readonly issuedAt: Date
  readonly expiresAt: Date
}

/** Both ends are included, to the millisecond. */
export interface ReminderWindow {
  readonly opensAt: Date
  readonly closesAt: Date
}

/**
 * When a reminder of a voucher may go: the gentle one until the urgent one opens, the urgent one until two hours before the
 * end. Undefined for a voucher that is too short for it. Spans are hours, so a change of the clocks moves nothing.
 */
export function findWindow(
  kind: VoucherReminderKind,
  { expiresAt, issuedAt }: VoucherTimes,
): ReminderWindow | undefined {
  const issuedMs = issuedAt.getTime()
  const expiresMs = expiresAt.getTime()
  const urgentFromMs = Math.max(expiresMs - urgent.opensMs, issuedMs + urgent.quietMs)
  const isUrgent = kind === 'payment-reminder-urgent'
  const fromMs = isUrgent ? urgentFromMs : Math.max(expiresMs - gentle.opensMs, issuedMs + gentle.ageMs)
  const untilMs = isUrgent ? expiresMs - urgent.closesMs : urgentFromMs - 1
  return fromMs > untilMs ? undefined : { opensAt: new Date(fromMs), closesAt: new Date(untilMs) }
}

/** A hold of a slot for which a voucher was issued, as the site wrote it. */
export interface VoucherHold extends VoucherTimes {
  readonly startsAt: Date
  readonly hasAddress: boolean
}

export type VoucherDecision =
  | { readonly kind: 'remind'; readonly usefulUntil: Date }
  | { readonly kind: 'wait'; readonly reason: 'too_early' | 'no_voucher'; readonly until?: Date }
  /** It will never be sent: that is written down. */
  | { readonly kind: 'drop'; readonly reason: DropReason }
  /** Stripe has to be asked first. */
  | { readonly kind: 'ask' }

export type DropReason =
  | 'too_short'
  | 'too_late'
  | 'appointment_began'
  | 'no_address'
  | 'paid'
  | 'settling'
  | 'canceled'

/**
 * What is to be done now about a reminder that nobody has sent. The hold's own times decide whether Stripe is asked;
 * what Stripe then says about the voucher decides, because the site extends a hold whose money is on its way. Only a
 * voucher that still waits is reminded of, and only one with everything that a guest needs to pay it.
 */
export function decideVoucherReminder(
  kind: VoucherReminderKind,
  hold: VoucherHold,
  booking: Booking | undefined,
  now: Date,
): VoucherDecision {
  if (hold.startsAt <= now) return { kind: 'drop', reason: 'appointment_began' }
  const byHold = judgeTime(kind, hold, hold, now)
  if (byHold.kind !== 'remind') return byHold
  if (!hold.hasAddress) return { kind: 'drop', reason: 'no_address' }
  if (booking === undefined) return { kind: 'ask' }
  const { status, voucher } = booking
  if (status === 'paid' || status === 'settling' || status === 'canceled') return { kind: 'drop', reason: status }
  if (status !== 'waiting' || voucher === undefined) return { kind: 'wait', reason: 'no_voucher' }
  return judgeTime(kind, hold, { issuedAt: hold.issuedAt, expiresAt: voucher.expiresAt }, now)
}

function judgeTime(kind: VoucherReminderKind, { startsAt }: VoucherHold, times: VoucherTimes, now: Date) {
  const window = findWindow(kind, times)
  if (window === undefined) return { kind: 'drop', reason: 'too_short' } as const
  if (now < window.opensAt) return { kind: 'wait', reason: 'too_early', until: window.opensAt } as const
  if (now > window.closesAt) return { kind: 'drop', reason: 'too_late' } as const
  return { kind: 'remind', usefulUntil: new Date(Math.min(window.closesAt.getTime(), startsAt.getTime())) } as const
}
