import { PermanentError } from '../errors.ts'
import { recordAudit } from './audit.ts'
import type { Db } from './connection.ts'
import { type Finding, recordFinding, resolveFinding } from './findings.ts'
import { findUnique } from './money-operations.ts'
import { declinedKind } from './money-rows.ts'
import type { OperationKind, OperationState } from './tables.ts'

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
      if (approved === undefined) return await readState(trx, id)
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

export interface Decline extends Omit<Approval, 'note'> {
  readonly note: string
}

/**
 * Gives a held operation up for good, audited, and frees its rows. A finding keeps them from being planned again until a
 * person resolves it. Any other state is given back and nothing changes.
 */
export async function declineOperation(
  db: Db,
  { id, note, now, operator }: Decline,
): Promise<'declined' | 'not-found' | { state: OperationState }> {
  return await db.transaction().execute(async trx => {
    const held = await trx.selectFrom('jobs.money_operations').select('reason').where('id', '=', id).executeTakeFirst()
    const declined = await trx
      .updateTable('jobs.money_operations')
      .set({ state: 'canceled', reason: 'declined', updated_at: now, finished_at: now })
      .where('id', '=', id)
      .where('state', '=', 'held')
      .returning(['kind', 'amount', 'currency', 'account'])
      .executeTakeFirst()
    if (declined === undefined) return await readState(trx, id)
    const { account, amount, currency, kind } = declined
    const facts = { kind, amountCents: Number(amount), currency, account, heldFor: held?.reason ?? null, note }
    await recordAudit(trx, { at: now, actor: operator, action: 'operation.decline', subject: id, details: facts })
    await resolveFinding(trx, 'operation-held', id, operator, now, `declined: ${note}`)
    await recordFinding(trx, await draftDeclined(trx, id, { ...facts, declinedBy: operator }), now)
    return 'declined'
  })
}

/** What keeps the rows of a declined operation from being planned again, and tells people that they wait. */
async function draftDeclined(
  trx: Db,
  id: string,
  facts: { readonly kind: OperationKind; readonly [name: string]: unknown },
): Promise<Finding> {
  const items = await trx
    .selectFrom('jobs.money_operation_items')
    .select('payment_transfer_id')
    .where('operation_id', '=', id)
    .orderBy('payment_transfer_id')
    .execute()
  const paymentTransferIds = items.map(item => item.payment_transfer_id)
  return {
    kind: declinedKind,
    subject: id,
    job: facts.kind === 'payout' ? 'process-pending-payouts' : 'process-expert-transfers',
    runId: null,
    message:
      `an operator declined this ${facts.kind}, and its rows are not planned again: put them right, or write down what ` +
      'paid them; or resolve this finding, and the next run plans them like any others',
    details: { operationId: id, ...facts, paymentTransferIds },
  }
}

async function readState(db: Db, id: string): Promise<'not-found' | { state: OperationState }> {
  const found = await db.selectFrom('jobs.money_operations').select('state').where('id', '=', id).executeTakeFirst()
  return found === undefined ? 'not-found' : { state: found.state }
}
