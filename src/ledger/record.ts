import {
  findByReceipt,
  findLiveOperation,
  findUnique,
  insertOperation,
  type LiveOperation,
  type Operation,
  type Trx,
} from '../database/money-operations.ts'
import { lockMoneyRowsToChange } from '../database/money-rows.ts'
import { draftTransfer } from './drafts.ts'
import { strayFinding, takenFinding } from './findings.ts'
import { keyOf, requireRun } from './intent.ts'
import type { Posting, RecordOrder } from './ledger.ts'
import { auditOperation } from './move.ts'
import { type LeasedRun, type LedgerParts, nothingMoved } from './parts.ts'
import { markPaid } from './receipt.ts'

/** Thrown to undo the transaction when the row is not what the order expects any more. */
class RowChangedError extends Error {}

/**
 * Writes down a transfer that exists, in one transaction: operation, row, audit entry, and for what is no old story a notice. Where an earlier run got
 * as far as the operation, only the row is put right. A row that changed since the plan was made stays as it is.
 */
export async function recordTransfer(parts: LedgerParts, order: RecordOrder, run: LeasedRun): Promise<Posting> {
  try {
    const posting = await parts.db.transaction().execute(async trx => {
      await requireRun(trx, run)
      const rows = await lockMoneyRowsToChange(trx, [order.paymentTransferId])
      if (rows.length === 0) throw new RowChangedError()
      const live = await findLiveOperation(trx, 'transfer', order.paymentTransferId)
      if (live === undefined) return await writeDown(trx, parts.newId(), order, run)
      return await recordBeside(trx, live, order, run)
    })
    if (posting.operationId !== undefined) await parts.onStep?.('receipt', posting.operationId)
    return posting
  } catch (thrown) {
    if (thrown instanceof RowChangedError) return nothingMoved('row_changed')
    const taken = findUnique(thrown)
    if (taken === undefined) throw thrown
    if (taken !== 'object_taken') return nothingMoved(taken)
    const owner = await findByReceipt(parts.db, order.transferId)
    return nothingMoved(taken, owner === undefined ? {} : { findings: [takenFinding(owner, order.paymentTransferId)] })
  }
}

/** What an operation that the row, or its payment, has already leaves to do. */
async function recordBeside(
  trx: Trx,
  { operation, paymentTransferId }: LiveOperation,
  order: RecordOrder,
  run: LeasedRun,
): Promise<Posting> {
  const { id, stripe_id: stripeId } = operation
  if (paymentTransferId !== order.paymentTransferId) {
    return nothingMoved('payment_taken', {
      findings: [takenFinding(operation, order.paymentTransferId)],
      operationId: id,
    })
  }
  if (stripeId === order.transferId) return await putRowRight(trx, operation, order, run)
  const findings = stripeId === null ? [] : [strayFinding(operation, order.transferId)]
  return nothingMoved('row_taken', { findings, operationId: id })
}

async function writeDown(trx: Trx, id: string, order: RecordOrder, run: LeasedRun): Promise<Posting> {
  const now = run.clock()
  const { frozen, holds: _, items, statuses: __, amountCents, ...draft } = draftTransfer(order, id)
  const row = {
    ...draft,
    ...frozen,
    amount: amountCents,
    state: 'created' as const,
    origin: 'recorded' as const,
    idempotency_key: keyOf('transfer', id, 1),
    stripe_id: order.transferId,
    run_id: run.runId,
    created_at: now,
    updated_at: now,
  }
  const operation = await insertOperation(trx, row, items)
  await auditOperation(trx, 'recorded', operation, run, now, { chargeId: order.chargeId })
  return await markRecorded(trx, operation, order, run, now)
}

async function putRowRight(trx: Trx, operation: Operation, order: RecordOrder, run: LeasedRun): Promise<Posting> {
  const now = run.clock()
  await auditOperation(trx, 'row-mended', operation, run, now, { paymentTransferId: order.paymentTransferId })
  return await markRecorded(trx, operation, order, run, now)
}

/** The row, or nothing of all this: what moved nothing need not be kept. Recording moves no money. */
async function markRecorded(
  trx: Trx,
  operation: Operation,
  { amountCents, expectedStatus, isOld, paymentTransferId, transferId }: RecordOrder,
  run: LeasedRun,
  now: Date,
): Promise<Posting> {
  const paid = {
    operation,
    items: [{ paymentTransferId, amountCents }],
    statuses: [expectedStatus],
    isNews: isOld !== true,
  }
  const posting = await markPaid(trx, paid, { id: transferId }, run, now)
  if (posting.counts['rows'] !== 1) throw new RowChangedError()
  return { ...posting, amountCents: 0 }
}
