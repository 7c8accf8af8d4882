import { sql } from 'kysely'
import { appointmentEndsAt, bookingJoins } from './bookings.ts'
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
  /** The expert's Clerk id. */
  readonly expert: string
  readonly startsAt: Date
  /** Null where neither a meeting nor an event says. */
  readonly appointmentEndsAt: Date | null
  /** A person must approve it first, and nobody has. */
  readonly needsApproval: boolean
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
    select c.status, c.amount as "amountCents", lower(c.currency) as currency, c.payment_intent_id as "paymentIntentId",
      c.payout_id as "payoutId", c.expert_clerk_user_id as expert,
      date_trunc('milliseconds', c.session_start_time) as "startsAt",
      date_trunc('milliseconds', ${appointmentEndsAt}) as "appointmentEndsAt",
      coalesce(c.requires_approval, false) and c.status <> 'APPROVED' and c.admin_user_id is null as "needsApproval",
      (select o.state from jobs.money_operations o where o.id = ${operationId}) as operation,
      exists (
        select from jobs.money_operation_items i join jobs.money_operations o on o.id = i.operation_id
        where i.payment_transfer_id = c.id and o.kind = 'payout' and o.state in ('created', 'paid')) as "isRepaid"
    from payment_transfers c ${bookingJoins}
    where c.id = any(${ids}::integer[]) order by c.id`.execute(db)
  return { operation: rows[0]?.operation ?? undefined, rows }
}
