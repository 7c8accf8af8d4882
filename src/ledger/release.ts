import { lockOperation } from '../database/money-operations.ts'
import { payableStatuses } from '../money/row-statuses.ts'
import { endHeld } from './findings.ts'
import { lockRowsAsDecided, requireRun } from './intent.ts'
import type { Posting } from './ledger.ts'
import { auditOperation, move } from './move.ts'
import { type LeasedRun, type LedgerParts, nothingMoved, type Undertaking } from './parts.ts'

/**
 * Gives a held operation up when one of its rows is not what it was made from any more: an operator would approve what
 * could not be sent. Nothing was ever sent for it, so nothing is asked at Stripe; one whose rows are unchanged stays held.
 */
export async function releaseHeld(
  { db }: LedgerParts,
  { items, operation }: Undertaking,
  run: LeasedRun,
): Promise<Posting> {
  const now = run.clock()
  const { account, currency, id, kind } = operation
  const reason = 'row_changed'
  const outcome = await db.transaction().execute(async trx => {
    await requireRun(trx, run)
    if (!(await lockOperation(trx, operation))) return 'taken_by_another'
    const decision = { kind, items, currency, account, statuses: payableStatuses[kind] }
    if ((await lockRowsAsDecided(trx, decision)) !== undefined) return 'held'
    const canceled = await move(trx, operation, 'canceled', { reason }, now)
    if (canceled === undefined) return 'taken_by_another'
    await endHeld(trx, operation, reason, run, now)
    await auditOperation(trx, 'canceled', canceled, run, now, { heldFor: operation.reason })
    return 'canceled'
  })
  return nothingMoved(outcome, { operationId: id, ...(outcome === 'canceled' ? { reason } : {}) })
}
