import { PermanentError } from '../errors.ts'
import { recordAudit } from './audit.ts'
import type { Db } from './connection.ts'
import { resolveFinding } from './findings.ts'
import { findUnique } from './money-operations.ts'
import type { OperationState } from './tables.ts'

export interface Approval {
  readonly id: string
  /** Who approves, for the record. */
  readonly operator: string
  readonly note?: string | undefined
  readonly now: Date
}

/**
 * Releases a held operation, audited: the next run of its job sends it, past the circuit breaker, if the facts still say
 * so. Any other state is given back and nothing changes. Throws PermanentError `lane_taken` while another payout of its
 * account and currency is on its way.
 */
export async function approveOperation(
  db: Db,
  approval: Approval,
): Promise<'approved' | 'not-found' | { state: OperationState }> {
  const { id, note, now, operator } = approval
  try {
    return await db.transaction().execute(async trx => {
      const approved = await trx
        .updateTable('jobs.money_operations')
        .set({ state: 'planned', approved_by: operator, approved_at: now, updated_at: now })
        .where('id', '=', id)
        .where('state', '=', 'held')
        .returning(['kind', 'amount', 'currency', 'account', 'reason'])
        .executeTakeFirst()
      if (approved === undefined) {
        const found = await trx
          .selectFrom('jobs.money_operations')
          .select('state')
          .where('id', '=', id)
          .executeTakeFirst()
        return found === undefined ? 'not-found' : { state: found.state }
      }
      const { account, amount, currency, kind, reason } = approved
      const details = { kind, amountCents: Number(amount), currency, account, heldFor: reason, note: note ?? null }
      await recordAudit(trx, { at: now, actor: operator, action: 'operation.approve', subject: id, details })
      await resolveFinding(trx, 'operation-held', id, operator, now)
      return 'approved'
    })
  } catch (thrown) {
    if (findUnique(thrown) !== 'lane_taken') throw thrown
    throw new PermanentError(
      'another payout of this account and currency is on its way: approve this one when that is through',
      { code: 'lane_taken', cause: thrown },
    )
  }
}
