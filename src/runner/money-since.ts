/** Nothing that this service pays is older: an earlier moment is a slip of the pen. */
const earliest = new Date('2024-01-01T00:00:00Z')

export interface MoneySince {
  /** What MONEY_SINCE says. */
  readonly since: Date | undefined
  /** When the job that pays out was first booted; null when it never was, undefined when nobody was asked. */
  readonly firstBootAt?: Date | null | undefined
}

/**
 * What is doubtful about the moment since when this service pays, and which moment counts; undefined when nothing is. Too
 * early, the payouts of the old jobs freeze accounts; too late, each payout waits for an approval.
 */
export function doubtMoneySince({ firstBootAt, since }: MoneySince, now: Date): string | undefined {
  if (since === undefined) {
    const which =
      firstBootAt === null ? ', which has not been yet' : firstBootAt === undefined ? '' : `, ${toText(firstBootAt)}`
    return `MONEY_SINCE is not set: what counts is the first boot${which}`
  }
  if (since > now)
    return `MONEY_SINCE is in the future (${toText(since)}): until then each payout waits for an approval`
  if (since >= earliest) return undefined
  return `MONEY_SINCE is before 2024 (${toText(since)}): the payouts that the old jobs made since then freeze their accounts`
}

/** What to do about it. */
export const moneySinceAdvice = 'set MONEY_SINCE to the moment when the old jobs were stopped'

function toText(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
