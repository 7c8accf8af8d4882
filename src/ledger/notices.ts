import type { Operation, Trx } from '../database/money-operations.ts'
import type { MoneyRow } from '../database/money-rows.ts'
import type { NoticeKind } from '../notices/notice.ts'
import { recordNotice } from '../notices/record.ts'
import type { Payout } from '../providers/payments.ts'
import type { LedgerRun } from './ledger.ts'

/** An object at Stripe, as far as people hear of it. */
export type Made = Pick<Payout, 'id'> & Partial<Pick<Payout, 'arrivesAt' | 'failureCode' | 'status'>>

export interface Told {
  readonly operation: Operation
  readonly object: Made
  /** Only rows of which it is true. */
  readonly rows: readonly MoneyRow[]
}

/** Notes that the experts of these rows are to hear of their money, one notice for each expert. */
export async function recordReceiptNotices(trx: Trx, told: Told, run: LedgerRun, now: Date): Promise<void> {
  await recordNotices(
    trx,
    told.operation.kind === 'payout' ? 'expert-payout-notification' : 'transfer-recorded',
    told,
    run,
    now,
  )
}

/** Notes that the experts of these rows are to hear that a payout came back. */
export async function recordFailureNotices(trx: Trx, told: Told, run: LedgerRun, now: Date): Promise<void> {
  await recordNotices(trx, 'payout-failed', told, run, now)
}

async function recordNotices(trx: Trx, kind: NoticeKind, { object, operation, rows }: Told, run: LedgerRun, at: Date) {
  for (const [recipient, own] of Map.groupBy(rows, row => row.expert)) {
    const facts = {
      amountCents: own.reduce((sum, row) => sum + row.amountCents, 0),
      currency: operation.currency,
      rows: own.map(({ amountCents, id, serviceName, startsAt }) => ({
        paymentTransferId: id,
        amountCents,
        serviceName,
        startsAt: startsAt.toISOString(),
      })),
      arrivesAt: object.arrivesAt?.toISOString() ?? null,
      ...(kind === 'expert-payout-notification' ? { payoutId: object.id } : {}),
      ...(kind === 'payout-failed' ? { failureCode: object.failureCode ?? null } : {}),
    }
    const notice = {
      kind,
      subject: operation.id,
      recipient,
      occurrence: object.id,
      facts,
      runId: run.runId,
      at,
      usefulUntil: null,
    }
    await recordNotice(trx, notice)
  }
}
