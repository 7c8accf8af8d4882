import { sql } from 'kysely'
import type { Db } from './connection.ts'
import type { OperationState, PaymentTransferStatus } from './tables.ts'

/** What a notice about money speaks of, as it is now. */
export interface MoneyNoticeState {
  /** Undefined where the notice is about none, or it is not there. */
  readonly operation: OperationState | undefined
  /** Those that are there, in order of their ids. */
  readonly rows: readonly MoneyNoticeRow[]
}

export interface MoneyNoticeRow {
  readonly status: PaymentTransferStatus
  readonly amountCents: number
  readonly currency: string
  readonly paymentIntentId: string
  readonly payoutId: string | null
  /** A payout has been made for it that has not come back. */
  readonly isRepaid: boolean
}

export interface MoneyNotice {
  /** Of payment_transfers. */
  readonly ids: readonly number[]
  readonly operationId: string | null
}

/** Reads the rows and the operation that a notice about money speaks of, in one statement. */
export async function readMoneyNotice(db: Db, { ids, operationId }: MoneyNotice): Promise<MoneyNoticeState> {
  const { rows } = await sql<MoneyNoticeRow & { operation: OperationState | null }>`
    select t.status, t.amount as "amountCents", lower(t.currency) as currency, t.payment_intent_id as "paymentIntentId",
      t.payout_id as "payoutId", (select o.state from jobs.money_operations o where o.id = ${operationId}) as operation,
      exists (
        select from jobs.money_operation_items i join jobs.money_operations o on o.id = i.operation_id
        where i.payment_transfer_id = t.id and o.kind = 'payout' and o.state in ('created', 'paid')) as "isRepaid"
    from payment_transfers t where t.id = any(${ids}::integer[]) order by t.id`.execute(db)
  return { operation: rows[0]?.operation ?? undefined, rows }
}
