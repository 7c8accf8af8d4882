import { findOperationWithItems, type Trx } from '../database/money-operations.ts'
import { reopenRows } from '../database/money-rows.ts'
import { PermanentError } from '../errors.ts'
import { judgePayout } from '../money/payout-results.ts'
import type { Payout } from '../providers/payments.ts'
import { endFailed, failedPayoutFinding, recordIn } from './findings.ts'
import { requireRun } from './intent.ts'
import type { Posting } from './ledger.ts'
import { auditOperation, move } from './move.ts'
import { recordFailureNotices } from './notices.ts'
import { type LeasedRun, type LedgerParts, nothingMoved, type Undertaking } from './parts.ts'
import { findMismatch } from './receipt.ts'

/**
 * Writes down what became of a payout. One that came back makes its rows payable again, in the transaction that closes
 * the operation; a payout that was `paid` may still do so.
 */
export async function settlePayout(parts: LedgerParts, id: string, run: LeasedRun): Promise<Posting> {
  const found = await findOperationWithItems(parts.db, id)
  const stripeId = found?.operation.stripe_id
  if (found === undefined || stripeId === undefined || stripeId === null || found.operation.kind !== 'payout') {
    throw new PermanentError(`there is no payout to settle for operation ${id}`, { code: 'operation_missing' })
  }
  const { operation } = found
  if (operation.state !== 'created' && operation.state !== 'paid') {
    return nothingMoved(operation.state, { operationId: id })
  }
  const payout = await parts.payments.readPayout({ account: operation.account, id: stripeId }, run.signal)
  const mismatch = findMismatch(operation, payout)
  if (mismatch !== undefined) return nothingMoved('frozen', { findings: [mismatch], operationId: id })
  const posting = await parts.db.transaction().execute(async trx => {
    await requireRun(trx, run)
    return await settleAs(trx, { ...found, rows: [] }, payout, run)
  })
  await parts.onStep?.('receipt', id)
  return posting
}

async function settleAs(trx: Trx, undertaking: Undertaking, payout: Payout, run: LeasedRun): Promise<Posting> {
  const result = judgePayout(payout)
  switch (result) {
    case 'paid':
      return await settlePaid(trx, undertaking, payout, run)
    case 'failed':
    case 'canceled':
      return await takeBack(trx, undertaking, payout, result, run)
    case 'unsettled': {
      const { operation } = undertaking
      const now = run.clock()
      await move(
        trx,
        operation,
        operation.state,
        { vendor_status: payout.status, finished_at: operation.finished_at },
        now,
      )
      return nothingMoved('unsettled', { receipt: payout.id, operationId: operation.id })
    }
  }
}

async function settlePaid(trx: Trx, { operation }: Undertaking, payout: Payout, run: LeasedRun): Promise<Posting> {
  const now = run.clock()
  const wasPaid = operation.state === 'paid'
  const finishedAt = wasPaid ? { finished_at: operation.finished_at } : {}
  const paid = await move(trx, operation, 'paid', { vendor_status: payout.status, ...finishedAt }, now)
  if (paid === undefined) return nothingMoved('taken_by_another', { operationId: operation.id })
  if (!wasPaid) {
    await auditOperation(trx, 'paid', paid, run, now)
    await endFailed(trx, paid, run, now)
  }
  return nothingMoved('paid', { receipt: payout.id, operationId: operation.id })
}

async function takeBack(
  trx: Trx,
  { items, operation }: Undertaking,
  payout: Payout,
  result: 'failed' | 'canceled',
  run: LeasedRun,
): Promise<Posting> {
  const now = run.clock()
  const errorCode = payout.failureCode ?? `payout_${result}`
  const closed = await move(trx, operation, result, { vendor_status: payout.status, reason: errorCode }, now)
  if (closed === undefined) return nothingMoved('taken_by_another', { operationId: operation.id })
  const ids = items.map(item => item.paymentTransferId)
  const rows = await reopenRows(trx, ids, { payoutId: payout.id, errorCode, now })
  const reopened = rows.map(row => row.id)
  await auditOperation(trx, result, closed, run, now, { rowsReopened: reopened })
  const failed = failedPayoutFinding(closed, payout.failureCode, result)
  const finding = await recordIn(trx, nameRows(failed, ids, reopened), run, now)
  await recordFailureNotices(trx, { operation: closed, object: payout, rows }, run, now)
  return {
    counts: { [result]: 1, rows_reopened: rows.length },
    findings: [finding],
    receipt: payout.id,
    amountCents: 0,
    operationId: operation.id,
  }
}

/** Says of which rows it is true that they are payable again, and what to do about those that changed meanwhile. */
function nameRows(
  finding: Posting['findings'][number],
  all: readonly number[],
  rowsReopened: readonly number[],
): Posting['findings'][number] {
  const rowsKept = all.filter(id => !rowsReopened.includes(id))
  const kept =
    rowsKept.length === 0
      ? ''
      : `. But payment_transfers ${rowsKept.join(', ')} changed meanwhile and stayed as they are: where the expert is still ` +
        'owed the money, set them to COMPLETED and clear payout_id'
  return { ...finding, message: finding.message + kept, details: { ...finding.details, rowsReopened, rowsKept } }
}
