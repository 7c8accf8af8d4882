/** What follows which look-up at which age of the key (CONTRIBUTING.md, rule of money 3). All times in ms. */

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** The vendor forgets a key after 24 h at the earliest: an hour before that, sending it again stops being safe. */
export const sendableForMs = 23 * hourMs
/** From then on the key can have no effect any more that a look-up would not show. */
export const provableAfterMs = 25 * hourMs
/** Two look-ups prove something only this far apart: no list is promised to show what was written a moment ago. */
export const lookUpsApartMs = 10 * minuteMs
/** What is undecided for so long is a person's. */
export const undecidedAfterMs = 48 * hourMs
/** What is blocked for so long is a person's. */
export const blockedTooLongMs = 72 * hourMs

/** How an operation that may have been sent stands. */
export interface Standing {
  /** Since the first send under the present key. */
  readonly keyAgeMs: number
  /** The vendor answers this key with a stored error, so that sending it again tells nothing. */
  readonly answerStored: boolean
  /** Since the first look-up after the last send that found nothing; undefined when there was none. */
  readonly cleanLookUpMsAgo: number | undefined
  /** Something does not add up about it: a person decides, and it is never sent again. */
  readonly frozen: boolean
}

export type NextStep =
  /** Take the one object found as the receipt. */
  | 'adopt'
  /** More than one object: a person's. */
  | 'freeze'
  /** The same request under the same key. */
  | 'sendAgain'
  /** Not proven either way: look again later. */
  | 'wait'
  /** Proven that nothing happened: a new key may be used. */
  | 'renew'

/** What may be done after a look-up that found `found` objects of this operation. */
export function decideNext(standing: Standing, found: number): NextStep {
  if (found > 1) return 'freeze'
  if (found === 1) return 'adopt'
  if (standing.frozen) return 'wait'
  if (standing.keyAgeMs < sendableForMs && !standing.answerStored) return 'sendAgain'
  return isProvenUndone(standing) ? 'renew' : 'wait'
}

/** Whether this look-up, which found nothing, is the second one of a proof. */
function isProvenUndone({ cleanLookUpMsAgo, keyAgeMs }: Standing): boolean {
  return keyAgeMs > provableAfterMs && cleanLookUpMsAgo !== undefined && cleanLookUpMsAgo >= lookUpsApartMs
}

/** Why an operation is frozen: something about it does not add up, and only a person may end that. */
const freezing = [
  'duplicate_at_stripe',
  'amount_mismatch',
  'currency_mismatch',
  'destination_mismatch',
  'operation_mismatch',
  'key_reused',
]

/** Whether the reason of an `unknown` operation means that it is never sent again. */
export function isFrozen(reason: string | null): boolean {
  return reason !== null && freezing.includes(reason)
}

const passingObjections: Readonly<Record<string, number>> = { awaiting_funds: 6 * hourMs, negative_balance: 6 * hourMs }

/** How long to leave an operation alone that an operator approved, and that something speaks against for now. */
export function wakeAfterMs(reason: string): number {
  return passingObjections[reason] ?? 12 * hourMs
}
