/** What will come of an operation that is to be resumed, for a statement that says so before it happens. */

import { explainHold, type Hold } from './hold-reasons.ts'
import { type Limits, listLimitHolds } from './limits.ts'
import { keysOf, listUncovered, type StandingHold } from './standing-holds.ts'

/** What reading tells about an operation that is to be resumed: what the run itself goes by. */
export type Foresight =
  /** Stripe has it: these are the objects. */
  | { readonly kind: 'made'; readonly stripeIds: readonly string[] }
  /** Something speaks against sending it now, or nobody knows yet whether it was sent. */
  | { readonly kind: 'notSent'; readonly reason: string }
  | {
      readonly kind: 'sendable'
      /** Nothing of it is on its way: what an operator has not approved holds it. */
      readonly isProvenUnsent: boolean
      /** It counts as sent already, under its old key. */
      readonly isCounted: boolean
      /** What an operator has to have approved, but for the limits. */
      readonly holds: readonly StandingHold[]
    }

/** An operation that is to be resumed, as far as its limits and its approval. */
export interface Resumable {
  readonly amountCents: number
  /** What operators approved of it; see standing-holds.ts. */
  readonly approvedFor: readonly string[]
}

export interface Resumption {
  /** It adds to what leaves within 24 hours. */
  readonly isNew: boolean
  /** Why it is held, and not sent: what weighs most. */
  readonly hold?: Hold
  /** All of that, each with what it is about. */
  readonly holds?: readonly string[]
  /** What comes of it, unless it is simply sent. */
  readonly says?: string
}

/** What will come of an operation after `sentCents` of its currency; without a foresight nobody knows, and it is sent. */
export function tellForesight(
  foresight: Foresight | undefined,
  { amountCents, approvedFor }: Resumable,
  sentCents: number,
  limits: Limits,
): Resumption {
  if (foresight === undefined) return { isNew: true }
  if (foresight.kind === 'made') {
    return { isNew: false, says: `Stripe has it already (${foresight.stripeIds.join(', ')})` }
  }
  if (foresight.kind === 'notSent') return { isNew: false, says: `it is not sent now (${foresight.reason})` }
  const { isCounted, isProvenUnsent } = foresight
  const ofLimits = isCounted ? [] : listLimitHolds({ amountCents, sentCents }, limits)
  const holds = [...foresight.holds, ...ofLimits.map(reason => ({ reason, of: [] }))]
  const uncovered = listUncovered(holds, approvedFor)
  const [first] = uncovered
  if (first === undefined) return { isNew: !isCounted }
  const because = uncovered.map(({ reason }) => explainHold(reason)).join('; ')
  if (isProvenUnsent) {
    return { isNew: false, hold: first.reason, holds: keysOf(uncovered), says: `it will be held: ${because}` }
  }
  const until = 'it may have been sent already: it is not sent again before that is proven'
  return { isNew: false, says: `${until}, because ${because}` }
}
