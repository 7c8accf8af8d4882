import type { Db } from '../database/connection.ts'
import { readHoldEvidence } from '../database/hold-evidence.ts'
import type { OperationDetails } from '../database/operation-queries.ts'
import { describeHold, type HeldFor } from '../money/hold-reasons.ts'
import { toUtc } from './print.ts'

/** What is to be said about a held operation before anybody decides about it; undefined for one that is not held. */
export async function findHeldFor(db: Db, operation: OperationDetails): Promise<HeldFor | undefined> {
  const { holds, kind, reason, state, updated_at: decidedAt } = operation
  if (state !== 'held' || reason === null) return undefined
  return describeHold({ kind, reason, holds, decidedAt }, await readHoldEvidence(db, operation))
}

/** The same as names and values for people: what was decided when, and what of it is so today. */
export function listHeldFor(held: HeldFor | undefined): [string, string | undefined][] {
  if (held === undefined) return []
  return [
    ['held since', `${toUtc(held.decidedAt)} UTC`],
    ['held because', held.because],
    ['today', `${held.today}; the reason above is of ${toUtc(held.decidedAt)} UTC`],
    ['today also', held.doubts.length === 0 ? undefined : held.doubts.join('; ')],
  ]
}
