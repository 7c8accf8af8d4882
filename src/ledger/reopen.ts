import { lockCurrency, lockOperation, type Operation, type Trx } from '../database/money-operations.ts'
import { payableStatuses } from '../money/row-statuses.ts'
import { keysOf, listUncovered, type StandingHold } from '../money/standing-holds.ts'
import { endBlocked, recordHeld } from './findings.ts'
import { keyOf, listBrakeHolds, lockRowsAsDecided, readBrakesFor, requireRun } from './intent.ts'
import type { MoneyLimits, Posting } from './ledger.ts'
import { auditOperation, move } from './move.ts'
import type { LeasedRun, LedgerParts, Undertaking } from './parts.ts'

export type Reopened =
  /** Committed as `sending` once more: it may be sent. */
  | ({ readonly kind: 'sending' } & Undertaking)
  | { readonly kind: 'held'; readonly reason: string; readonly finding: Posting['findings'][number] }
  | { readonly kind: 'none'; readonly reason: 'row_changed' | 'taken_by_another' }

/** What is to be committed. */
export interface Reopening {
  /** `renewed` takes the next generation and with it a new key; only for what is proven to have done nothing. */
  readonly key: 'same' | 'renewed'
  /** What the facts say that an operator must have approved. */
  readonly holds: readonly StandingHold[]
}

/**
 * Commits, before an operation is sent again, that it will be: with lease, rows and circuit breaker as for a new one. What
 * no operator was shown when one approved it is held, again if need be. Throws StopRunError when the run may not.
 */
export async function reopenOperation(
  { db, limits }: LedgerParts,
  undertaking: Undertaking,
  { holds: ofFacts, key }: Reopening,
  run: LeasedRun,
): Promise<Reopened> {
  const now = run.clock()
  const { items, operation } = undertaking
  const { account, currency, kind } = operation
  return await db.transaction().execute(async (trx): Promise<Reopened> => {
    await requireRun(trx, run)
    if (!(await lockOperation(trx, operation))) return { kind: 'none', reason: 'taken_by_another' }
    const decision = { kind, items, currency, account, statuses: payableStatuses[kind] }
    const rows = await lockRowsAsDecided(trx, decision)
    if (rows === undefined) return { kind: 'none', reason: 'row_changed' }
    const fresh = key === 'renewed' ? nextGeneration(operation) : {}
    const holds = [...ofFacts, ...(await listHoldsOfResend(trx, undertaking, key, limits, now))]
    const [uncovered] = listUncovered(holds, operation.approved_for)
    if (uncovered !== undefined) return await holdAgain(trx, { operation, fresh, holds, uncovered }, run, now)
    const sent = { ...fresh, ...sentOnceMore({ ...operation, ...fresh }, now) }
    const sending = await move(trx, operation, 'sending', sent, now)
    if (sending === undefined) return { kind: 'none', reason: 'taken_by_another' }
    // So that this run is found by what it sent, also when no answer comes.
    await auditOperation(trx, key === 'renewed' ? 'renewed' : 'resumed', sending, run, now, { after: operation.reason })
    return { kind: 'sending', operation: sending, items, rows }
  })
}

/** What of it the operator who approved it, if any, has not been shown: one has to decide again. */
async function holdAgain(
  trx: Trx,
  { fresh, holds, operation, uncovered: { reason } }: HoldingAgain,
  run: LeasedRun,
  now: Date,
): Promise<Reopened> {
  const keys = keysOf(holds)
  // An approval that does not cover all is none; what it did cover is kept, and need not be looked at again.
  const change = { ...fresh, reason, holds: keys, approved_by: null, approved_at: null }
  const held = await move(trx, operation, 'held', change, now)
  if (held === undefined) return { kind: 'none', reason: 'taken_by_another' }
  await endBlocked(trx, operation, run, now)
  const { approved_at: approvedAt, approved_by: approvedBy, approved_for: approvedFor } = operation
  await auditOperation(trx, 'held', held, run, now, { holds: keys, approvedBy, approvedAt, approvedFor })
  return { kind: 'held', reason, finding: await recordHeld(trx, held, run, now) }
}

interface HoldingAgain {
  readonly operation: Operation
  readonly fresh: Partial<ReturnType<typeof nextGeneration>>
  readonly holds: readonly StandingHold[]
  readonly uncovered: StandingHold
}

/** Under its old key it counts among what was sent already, and is no repetition. */
async function listHoldsOfResend(
  trx: Trx,
  { items, operation }: Undertaking,
  key: 'same' | 'renewed',
  limits: MoneyLimits,
  now: Date,
): Promise<StandingHold[]> {
  if (key === 'same' && operation.first_sent_at !== null) return []
  await lockCurrency(trx, operation.currency)
  const brakes = await readBrakesFor(trx, { ...operation, items }, now, operation.id)
  // Which rows were refused is among the facts already, each by its id.
  return listBrakeHolds(Number(operation.amount), { ...brakes, rejectedBefore: false }, limits)
}

function nextGeneration({ generation, id, kind }: Operation) {
  return {
    generation: generation + 1,
    idempotency_key: keyOf(kind, id, generation + 1),
    first_sent_at: null,
    last_sent_at: null,
    sends: 0,
    answer_stored: false,
    clean_lookup_at: null,
  }
}

function sentOnceMore({ first_sent_at, sends }: Pick<Operation, 'first_sent_at' | 'sends'>, now: Date) {
  return { first_sent_at: first_sent_at ?? now, last_sent_at: now, sends: sends + 1, clean_lookup_at: null }
}
