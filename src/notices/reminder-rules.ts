/** When each party of an appointment is reminded of it. */

export type ReminderKind = 'appointment-reminder-24h' | 'appointment-reminder-1h'

/** A kind's window: from `opensMs` to `closesMs` before the start, both included to the millisecond. */
export interface ReminderRule {
  readonly kind: ReminderKind
  readonly opensMs: number
  readonly closesMs: number
  /** Whoever has just booked knows of it: so long after that nobody is reminded. */
  readonly quietMs: number
  /** So long before the window closes, a guest whose language could not be asked for is told in that of their zone. */
  readonly guessMs: number
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** How long after its start a reminder that was missed is still accounted for. */
export const missedForMs = 24 * hourMs

export const dayReminder: ReminderRule = {
  kind: 'appointment-reminder-24h',
  opensMs: 24 * hourMs + 30 * minuteMs,
  closesMs: 20 * hourMs,
  quietMs: 2 * hourMs,
  guessMs: 2 * hourMs,
}

export const hourReminder: ReminderRule = {
  kind: 'appointment-reminder-1h',
  opensMs: 75 * minuteMs,
  closesMs: 10 * minuteMs,
  quietMs: 15 * minuteMs,
  guessMs: 30 * minuteMs,
}

/** What a booking says of its payment, as the site stores it. */
export interface BookingPayment {
  /** meetings."stripePaymentStatus". */
  readonly paymentStatus: string | null
  readonly hasPayment: boolean
  /** The event's price, in cents. */
  readonly priceCents: number
}

export type PaymentVerdict = 'paid' | 'unpaid' | 'refunded'

/** Whether people may hear of a booking: it was paid, or it is of a free event and never touched Stripe. */
export function judgePayment({ hasPayment, paymentStatus, priceCents }: BookingPayment): PaymentVerdict {
  if (paymentStatus === 'succeeded') return 'paid'
  if (paymentStatus === 'refunded') return 'refunded'
  return paymentStatus === null && !hasPayment && priceCents === 0 ? 'paid' : 'unpaid'
}

export interface ReminderFacts extends BookingPayment {
  readonly startsAt: Date
  readonly createdAt: Date
}

export type ReminderDecision =
  | { readonly kind: 'tell' }
  | { readonly kind: 'wait'; readonly reason: 'unpaid' | 'refunded' | 'just_booked'; readonly until?: Date }
  /** It should have been told, and was not: that is written down. */
  | { readonly kind: 'drop'; readonly reason: 'too_late' | 'booked_too_late' }
  /** Its window is not open yet, or it is none of our business any more. */
  | { readonly kind: 'none' }

/** The last moment at which the reminder helps. */
export function closesAt({ closesMs }: ReminderRule, startsAt: Date): Date {
  return new Date(startsAt.getTime() - closesMs)
}

/** What is to be done now about an appointment of which the party has not been reminded. */
export function decideReminder(rule: ReminderRule, booking: ReminderFacts, now: Date): ReminderDecision {
  const startMs = booking.startsAt.getTime()
  const nowMs = now.getTime()
  const lastMs = startMs - rule.closesMs
  const quietUntilMs = booking.createdAt.getTime() + rule.quietMs
  if (nowMs < startMs - rule.opensMs || nowMs > startMs + missedForMs) return { kind: 'none' }
  const payment = judgePayment(booking)
  if (nowMs > lastMs) {
    // Nobody was to be told of it, so nothing was missed.
    if (payment !== 'paid') return { kind: 'none' }
    return { kind: 'drop', reason: quietUntilMs > lastMs ? 'booked_too_late' : 'too_late' }
  }
  if (payment !== 'paid') return { kind: 'wait', reason: payment }
  if (nowMs < quietUntilMs)
    return { kind: 'wait', reason: 'just_booked', until: new Date(Math.min(quietUntilMs, lastMs)) }
  return { kind: 'tell' }
}

/**
 * What tells a reminder from those of other starts of the same appointment: the start, and a number where its recipient has
 * a notice of the same start already, which was taken back, or after which they were told of another start.
 */
export function occurrenceOf(startsAt: Date, earlier: number): string {
  return earlier === 0 ? startsAt.toISOString() : `${startsAt.toISOString()} ${earlier + 1}`
}

/** The start of which an occurrence tells. */
export function startOf(occurrence: string): string {
  return occurrence.split(' ', 1)[0] ?? ''
}
