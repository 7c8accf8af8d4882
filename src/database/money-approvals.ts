import { sql } from 'kysely'
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
  /** What the operator was shown: the approval covers exactly that. What it is held for unless given. */
  readonly shown?: readonly string[] | undefined
}

/**
 * Releases a held operation, audited: the next run of its job sends it, past the circuit breaker, if the facts still say
 * so. While another payout of its account and currency is on its way it stays held, approved, and goes when its turn has
 * come. Any other state is given back and nothing changes.
 */
export async function approveOperation(
  db: Db,
  approval: Approval,
): Promise<'approved' | 'not-found' | { state: OperationState }> {
  try {
    return await approveAs(db, approval, 'planned')
  } catch (thrown) {
    if (findUnique(thrown) !== 'lane_taken') throw thrown
    return await approveAs(db, approval, 'held')
  }
}

async function approveAs(db: Db, { id, note, now, operator, shown }: Approval, state: 'planned' | 'held') {
  return await db.transaction().execute(async trx => {
    const approved = await trx
      .updateTable('jobs.money_operations')
      .set({ state, approved_by: operator, approved_at: now, approved_for: coveredBy(shown), updated_at: now })
      .where('id', '=', id)
      .where('state', '=', 'held')
      .where('approved_at', 'is', null)
      .returning(['kind', 'amount', 'currency', 'account', 'reason', 'approved_for'])
      .executeTakeFirst()
    if (approved === undefined) return await readState(trx, id)
    const { account, amount, approved_for: approvedFor, currency, kind, reason } = approved
    const sum = { kind, amountCents: Number(amount), currency, account }
    const details = { ...sum, heldFor: reason, approvedFor, note: note ?? null, isQueued: state === 'held' }
    await recordAudit(trx, { at: now, actor: operator, action: 'operation.approve', subject: id, details })
    await resolveFinding(trx, 'operation-held', id, operator, now)
    return 'approved' as const
  })
}

/** With what an earlier approval covered: it was held again for something else. */
function coveredBy(shown: readonly string[] | undefined) {
  return sql<string[]>`array(select distinct key from unnest(approved_for ||
    ${shown === undefined ? sql`array_append(holds, reason)` : sql`${shown}::text[]`}) key order by key)`
}

export interface Decline extends Omit<Approval, 'note' | 'shown'> {
  readonly note: string
}

/**
 * Gives an operation up for good, audited, and frees its rows: one that is held, one that is approved and was not sent, and
 * one that Stripe has refused for now. A finding keeps its rows from being planned again until a person resolves it. Any
 * other state is given back and nothing changes: what may have been sent can only be looked up.
 */
export async function declineOperation(
  db: Db,
  { id, note, now, operator }: Decline,
): Promise<'declined' | 'not-found' | { state: OperationState }> {
  return await db.transaction().execute(async trx => {
    const before = await trx
      .selectFrom('jobs.money_operations')
      .select(['state', 'reason', 'approved_by'])
      .where('id', '=', id)
      .forNoKeyUpdate()
      .executeTakeFirst()
    const declined = await trx
      .updateTable('jobs.money_operations')
      .set({ state: 'canceled', reason: 'declined', wake_at: null, updated_at: now, finished_at: now })
      .where('id', '=', id)
      .where(isUnsent)
      .returning(['kind', 'amount', 'currency', 'account'])
      .executeTakeFirst()
    if (before === undefined || declined === undefined) return await readState(trx, id)
    const { account, amount, currency, kind } = declined
    const was = { heldFor: before.reason, was: before.state, approvedBy: before.approved_by }
    const facts = { kind, amountCents: Number(amount), currency, account, ...was, note }
    await recordAudit(trx, { at: now, actor: operator, action: 'operation.decline', subject: id, details: facts })
    for (const open of ['operation-held', 'operation-blocked']) {
      await resolveFinding(trx, open, id, operator, now, `declined: ${note}`)
    }
    await recordFinding(trx, await draftDeclined(trx, id, { ...facts, declinedBy: operator }), now)
    return 'declined'
  })
}

/** Nothing went out for it, or Stripe has said that it did nothing with what did (`decideNext` renews the key of such). */
const isUnsent = sql<boolean>`(state = 'blocked' or (state in ('held', 'planned') and sends = 0))`

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
