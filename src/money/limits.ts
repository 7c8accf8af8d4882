/** Which limit an operation would exceed. */
export type LimitHold = 'above_single_limit' | 'above_daily_limit'

/** What an operator allows to leave without being asked, in minor units of one currency. */
export interface Limits {
  readonly maxSingleCents: number
  readonly maxTotalCents: number
}

/** An operation about to be sent, beside the cents of its currency that were sent in the 24 hours before it. */
export interface Sending {
  readonly amountCents: number
  readonly sentCents: number
}

/**
 * The circuit breaker (CONTRIBUTING.md, rule of money 8): why this operation has to wait for an operator, or undefined
 * when it may go. Both limits are inclusive to the cent; the larger concern, the single amount, is named first.
 */
export function findHold(
  { amountCents, sentCents }: Sending,
  { maxSingleCents, maxTotalCents }: Limits,
): LimitHold | undefined {
  // Only a comparison that holds lets money go: NaN compares as false, and must not pass.
  if (!(amountCents <= maxSingleCents)) return 'above_single_limit'
  if (!(sentCents + amountCents <= maxTotalCents)) return 'above_daily_limit'
  return undefined
}
