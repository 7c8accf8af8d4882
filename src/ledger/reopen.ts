import { lockCurrency, lockOperation, type Operation, type Trx } from '../database/money-operations.ts'
import { payableStatuses } from '../database/money-rows.ts'
import type { Hold } from '../money/hold-reasons.ts'
import { recordHeld } from './findings.ts'
import { decideHold, keyOf, lockRowsAsDecided, readBrakesFor, requireRun } from './intent.ts'
import type { MoneyLimits, Posting } from './ledger.ts'
import { auditOperation, move } from './move.ts'
import type { LeasedRun, LedgerParts, Undertaking } from './parts.ts'

export type Reopened =
  /** Committed as `sending` once more: it may be sent. */
  | ({ readonly kind: 'sending' } & Undertaking)
  | { readonly kind: 'held'; readonly reason: string; readonly finding: Posting['findings'][number] }
  | { readonly kind: 'none'; readonly reason: 'row_changed' | 'taken_by_another' }

/**
 * Commits, before an operation is sent again, that it will be: with lease, rows and circuit breaker as for a new one.
 * `renewed` takes the next generation and with it a new key; only for what is proven to have done nothing. Throws
 * StopRunError when the run may not.
 */
export async function reopenOperation(
  { db, limits }: LedgerParts,
  undertaking: Undertaking,
  key: 'same' | 'renewed',
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
    const reason = await findHoldOfResend(trx, undertaking, key, limits, now)
    if (reason !== undefined) {
      const held = await move(trx, operation, 'held', { ...fresh, reason }, now)
      if (held === undefined) return { kind: 'none', reason: 'taken_by_another' }
      return { kind: 'held', reason, finding: await recordHeld(trx, held, run, now) }
    }
    const sent = { ...fresh, ...sentOnceMore({ ...operation, ...fresh }, now) }
    const sending = await move(trx, operation, 'sending', sent, now)
    if (sending === undefined) return { kind: 'none', reason: 'taken_by_another' }
    // So that this run is found by what it sent, also when no answer comes.
    await auditOperation(trx, key === 'renewed' ? 'renewed' : 'resumed', sending, run, now, { after: operation.reason })
    return { kind: 'sending', operation: sending, items, rows }
  })
}

/** Why an operator has to approve it first. Under its old key it counts among what was sent already. */
async function findHoldOfResend(
  trx: Trx,
  { items, operation }: Undertaking,
  key: 'same' | 'renewed',
  limits: MoneyLimits,
  now: Date,
): Promise<Hold | undefined> {
  if (operation.approved_at !== null || (key === 'same' && operation.first_sent_at !== null)) return undefined
  await lockCurrency(trx, operation.currency)
  const brakes = await readBrakesFor(trx, { ...operation, items }, now, operation.id)
  return decideHold(Number(operation.amount), brakes, limits)
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
