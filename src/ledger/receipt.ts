import type { Db } from '../database/connection.ts'
import {
  findOperationWithItems,
  findUnique,
  type Operation,
  type OperationItem,
  type Trx,
} from '../database/money-operations.ts'
import { listMoneyRows, markRowsPaid, type MoneyRow } from '../database/money-rows.ts'
import { payableStatuses } from '../money/row-statuses.ts'
import type { PaymentTransferStatus } from '../database/tables.ts'
import { hasComeBack } from '../money/payout-results.ts'
import type { Payout, Transfer } from '../providers/payments.ts'
import { changedRowFinding, endBlocked, mismatchFinding, recordIn, strayFinding } from './findings.ts'
import { thawPayout, thawTransfer } from './frozen-request.ts'
import type { LedgerRun, Posting } from './ledger.ts'
import { auditOperation, move, moveByFact } from './move.ts'
import { type Made, recordReceiptNotices } from './notices.ts'
import { type LedgerParts, nothingMoved, type Undertaking } from './parts.ts'

/** States in which an object at Stripe may turn up that is the operation's receipt. */
const open = ['planned', 'sending', 'unknown', 'blocked'] as const

/**
 * Writes down that the money moved: the operation is `created`, its rows say so, and people are told, all in one
 * transaction. Needs no lease, because a fact is always kept. A row that changed meanwhile keeps its change and becomes a
 * finding. A receipt that somebody else has written already changes nothing. What is a person's word and no fact comes with
 * its `claim`, which is recorded in that transaction, and holds only while the operation is as it was read.
 */
export async function keepReceipt(
  parts: Pick<LedgerParts, 'db' | 'onStep'>,
  { items, operation }: Pick<Undertaking, 'items' | 'operation'>,
  object: Transfer | Payout,
  run: LedgerRun,
  claim?: (trx: Trx) => Promise<void>,
): Promise<Posting> {
  const now = run.clock()
  const receipt = receiptOf(operation, object, now)
  try {
    const posting = await parts.db.transaction().execute(async trx => {
      const created =
        claim === undefined
          ? await moveByFact(trx, operation, open, 'created', receipt, now)
          : await move(trx, operation, 'created', receipt, now)
      if (created === undefined) return undefined
      await claim?.(trx)
      await endBlocked(trx, operation, run, now)
      await auditOperation(trx, 'created', created, run, now, { rows: items.map(item => item.paymentTransferId) })
      return await markPaid(
        trx,
        { operation: created, items, statuses: payableStatuses[created.kind] },
        object,
        run,
        now,
      )
    })
    if (posting === undefined) return await explainUnwritten(parts.db, operation, object.id)
    await parts.onStep?.('receipt', operation.id)
    return posting
  } catch (thrown) {
    if (findUnique(thrown) !== 'object_taken') throw thrown
    return nothingMoved('receipt_refused', { findings: [strayFinding(operation, object.id)] })
  }
}

function receiptOf(operation: Operation, object: Transfer | Payout, now: Date) {
  return {
    stripe_id: object.id,
    vendor_status: 'status' in object ? object.status : null,
    blocked_since: null,
    // What was restored from a backup may have been sent without our knowing.
    first_sent_at: operation.first_sent_at ?? now,
    last_sent_at: operation.last_sent_at ?? now,
    sends: Math.max(operation.sends, 1),
  }
}

export interface PaidOperation {
  readonly operation: Operation
  readonly items: readonly OperationItem[]
  readonly statuses: readonly PaymentTransferStatus[]
  /** False for what the experts know already; true unless said. */
  readonly isNews?: boolean
}

/** Marks an operation's rows as paid by the object, tells the experts, and makes a finding of each row that has changed. */
export async function markPaid(
  trx: Trx,
  { isNews = true, items, operation, statuses }: PaidOperation,
  object: Made,
  run: LedgerRun,
  now: Date,
): Promise<Posting> {
  const { account, currency, id: operationId, kind } = operation
  const stripeId = object.id
  const marked = await markRowsPaid(trx, { kind, operationId, items, currency, account, stripeId, statuses, now })
  const findings: Posting['findings'][number][] = []
  for (const { id, row } of await listChanged(trx, items, marked, stripeId)) {
    findings.push(await recordIn(trx, changedRowFinding(operation, stripeId, row, id), run, now))
  }
  // Whoever heard of money that came back would look for it in vain.
  if (isNews && !hasComeBack(object.status ?? '')) {
    await recordReceiptNotices(trx, { operation, object, rows: marked }, run, now)
  }
  return {
    counts: { rows: marked.length, ...(findings.length === 0 ? {} : { rows_changed: findings.length }) },
    findings,
    receipt: stripeId,
    amountCents: Number(operation.amount),
    operationId: operation.id,
  }
}

/** The rows that were not marked, as they are, but for those that carry the object's id already. */
async function listChanged(
  trx: Trx,
  items: readonly OperationItem[],
  marked: readonly MoneyRow[],
  stripeId: string,
): Promise<{ id: number; row: MoneyRow | undefined }[]> {
  const ids = items.map(item => item.paymentTransferId).filter(id => !marked.some(row => row.id === id))
  if (ids.length === 0) return []
  const rows = await listMoneyRows(trx, ids)
  return ids
    .map(id => ({ id, row: rows.find(row => row.id === id) }))
    .filter(({ row }) => row?.transferId !== stripeId && row?.payoutId !== stripeId)
}

/** The receipt could not be written because the operation is not open any more: somebody else wrote it, or gave it up. */
async function explainUnwritten(db: Db, operation: Operation, stripeId: string): Promise<Posting> {
  const found = await findOperationWithItems(db, operation.id)
  const current = found?.operation ?? operation
  if (current.stripe_id === stripeId) {
    return nothingMoved('already_recorded', { receipt: stripeId, operationId: operation.id })
  }
  return nothingMoved('receipt_refused', { findings: [strayFinding(current, stripeId)], operationId: operation.id })
}

/**
 * What is wrong with an object as the receipt of an operation, as a finding; undefined when it is what was asked for. What is
 * its receipt already need not carry its id: a person may have adopted it.
 */
export function findMismatch(operation: Operation, object: Transfer | Payout): Posting['findings'][number] | undefined {
  const wanted = operation.kind === 'transfer' ? thawTransfer(operation) : thawPayout(operation)
  const evidence = { stripeId: object.id, madeCents: object.amountCents, madeCurrency: object.currency }
  if (object.amountCents !== wanted.amountCents) return mismatchFinding(operation, 'amount-mismatch', evidence)
  if (object.currency !== wanted.currency) return mismatchFinding(operation, 'currency-mismatch', evidence)
  const isNamed = object.operationId === wanted.operationId || operation.stripe_id === object.id
  if (!isNamed) return mismatchFinding(operation, 'operation-mismatch', evidence)
  if ('destination' in wanted && 'destination' in object) {
    const { chargeId, destination } = object
    if (destination !== wanted.destination || chargeId !== wanted.chargeId) {
      return mismatchFinding(operation, 'destination-mismatch', { ...evidence, destination, chargeId })
    }
  }
  return undefined
}
