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
 * The circuit breaker (CONTRIBUTING.md, rule of money 8): every limit for which this operation has to wait for an
 * operator; none when it may go. Both are inclusive to the cent; the larger concern, the single amount, is named first.
 */
export function listLimitHolds(
  { amountCents, sentCents }: Sending,
  { maxSingleCents, maxTotalCents }: Limits,
): LimitHold[] {
  const holds: LimitHold[] = []
  // Only a comparison that holds lets money go: NaN compares as false, and must not pass.
  if (!(amountCents <= maxSingleCents)) holds.push('above_single_limit')
  if (!(sentCents + amountCents <= maxTotalCents)) holds.push('above_daily_limit')
  return holds
}

/** The first of them, or undefined when it may go. */
export function findHold(sending: Sending, limits: Limits): LimitHold | undefined {
  return listLimitHolds(sending, limits)[0]
}
