import type { Hold } from './hold-reasons.ts'

/** A reason for which an operator has to approve an operation, with what it is about. */
export interface StandingHold {
  readonly reason: Hold
  /** The payouts, rows or figures that it is about; none where the reason says it all. */
  readonly of: readonly string[]
}

/** What weighs most comes first: money that may have been paid already, then whose it is, then how much it is. */
const byWeight: readonly Hold[] = [
  'before_cut_over',
  'may_be_paid_already',
  'may_be_transferred_already',
  'account_shared',
  'account_changed',
  'rejected_before',
  'failed_repeatedly',
  'above_single_limit',
  'above_daily_limit',
]

/** The holds as they are stored with an operation and with its approval, one for each thing that a reason is about. */
export function keysOf(holds: readonly StandingHold[]): string[] {
  const keys = sortByWeight(holds).flatMap(({ of, reason }) =>
    of.length === 0 ? [reason] : of.map(what => `${reason} ${what}`),
  )
  return [...new Set(keys)]
}

/** The reason of a stored hold, in whatever version it was stored. */
export function reasonOf(key: string): string {
  return key.split(' ', 1)[0] ?? key
}

/** The holds of which something is not among what an operator approved; what weighs most comes first. */
export function listUncovered(holds: readonly StandingHold[], approvedFor: readonly string[]): StandingHold[] {
  const approved = new Set(approvedFor)
  return sortByWeight(holds).filter(hold => keysOf([hold]).some(key => !approved.has(key)))
}

function sortByWeight(holds: readonly StandingHold[]): StandingHold[] {
  return holds.toSorted((a, b) => byWeight.indexOf(a.reason) - byWeight.indexOf(b.reason))
}
