import { sql } from 'kysely'
import { payableStatuses } from '../money/row-statuses.ts'
import type { TransferRow } from '../money/transfer-decisions.ts'
import { appointmentEndsAt, bookingJoins } from './bookings.ts'
import { candidatesOf, type CandidateQuery, countUnread, maxCandidates } from './candidate-order.ts'
import type { Db } from './connection.ts'
import { declinedItems, itemOfRow, oneOf, sharedPayments } from './money-rows.ts'
import type { OperationState } from './tables.ts'
import { isUnannounced } from './upcoming-notices.ts'

/**
 * A row of payment_transfers whose money has not been released, and what our database knows about its booking; currency in
 * lower case.
 */
export interface TransferCandidate extends TransferRow {
  readonly paymentIntentId: string
  readonly createdAt: Date
}

export interface TransferCandidates {
  /** Oldest appointments first. */
  readonly rows: readonly TransferCandidate[]
  /** How many more there are that money may be due for. */
  readonly left: number
  /** How many more there are that wait, by what they say themselves. */
  readonly unread: number
}

export interface TransferQuery extends CandidateQuery {
  /** Only rows whose expert has not been told that the money is coming, or not of the day on which it now is. */
  readonly unnotified?: boolean
}

/**
 * Rows whose money may have to be released: PENDING, READY and APPROVED alike, in one query. `scheduled_transfer_time`
 * is no bound (CONTRIBUTING.md, rule of money 4).
 */
export async function listTransferCandidates(
  db: Db,
  { by, limit = maxCandidates, unnotified = false }: TransferQuery,
): Promise<TransferCandidates> {
  const open = sql`p.status in ${oneOf(payableStatuses.transfer)} and ${unnotified ? isUnannounced : sql`true`}`
  const { rows } = await sql<CandidateRow>`
    with ${candidatesOf('transfer', open, { by, limit })}, twins as (
      ${sharedPayments}
    ), shared as (
      select stripe_connect_account_id as account from users
      where stripe_connect_account_id is not null group by 1 having count(*) > 1
    ), declined as materialized (${declinedItems('transfer')})
    select c.id, c.status::text as status, c.payment_intent_id, c.expert_connect_account_id, c.amount, c.currency,
      c.requires_approval, c.admin_user_id, c.created, c.expert_clerk_user_id, c.transfer_id, c.payout_id, c.due, c.total, c.waits,
      u.country, u.stripe_connect_account_id as current_account, s.account is not null as account_shared,
      t.payment_intent_id is not null as has_twin,
      ${appointmentEndsAt} as appointment_ends_at,
      exists (select from jobs.money_operation_items i
        where ${itemOfRow} and i.kind = 'payout' and i.live) as has_payout,
      o.id as operation_id, o.state as operation_state, o.reason as operation_reason, o.wake_at as operation_wake_at,
      o.created_at as operation_created_at,
      (select d.operation_id from declined d where d.payment_transfer_id = c.id or d.payment_intent_id = c.payment_intent_id
        limit 1) as declined
    from candidates c ${bookingJoins}
    left join shared s on s.account = c.expert_connect_account_id
    left join twins t on t.payment_intent_id = c.payment_intent_id
    left join lateral (select o.* from jobs.money_operation_items i
      join jobs.money_operations o on o.id = i.operation_id
      where ${itemOfRow} and i.kind = 'transfer'
      order by o.created_at desc, o.id desc limit 1) o on true
    order by c.session_start_time, c.id`.execute(db)
  return { rows: rows.map(toCandidate), ...countUnread(rows) }
}

interface CandidateRow {
  readonly id: number
  readonly status: TransferRow['status']
  readonly payment_intent_id: string
  readonly expert_connect_account_id: string
  readonly current_account: string | null
  readonly account_shared: boolean
  readonly amount: number
  readonly currency: string
  readonly country: string | null
  readonly requires_approval: boolean | null
  readonly admin_user_id: string | null
  readonly appointment_ends_at: Date | null
  readonly created: Date
  readonly transfer_id: string | null
  readonly payout_id: string | null
  readonly has_twin: boolean
  readonly has_payout: boolean
  readonly operation_id: string | null
  readonly operation_state: OperationState
  readonly operation_reason: string | null
  readonly operation_wake_at: Date | null
  readonly operation_created_at: Date
  readonly declined: string | null
  readonly expert_clerk_user_id: string
  readonly due: string
  readonly total: string
  readonly waits: boolean
}

function toCandidate(row: CandidateRow): TransferCandidate {
  return {
    paymentTransferId: row.id,
    status: row.status,
    paymentIntentId: row.payment_intent_id,
    account: row.expert_connect_account_id,
    currentAccount: row.current_account,
    accountShared: row.account_shared,
    amountCents: row.amount,
    currency: row.currency.toLowerCase(),
    country: row.country,
    requiresApproval: row.requires_approval,
    approvedBy: row.admin_user_id,
    appointmentEndsAt: row.appointment_ends_at,
    createdAt: row.created,
    transferId: row.transfer_id,
    payoutId: row.payout_id,
    hasTwin: row.has_twin,
    hasPayout: row.has_payout,
    operation:
      row.operation_id === null
        ? undefined
        : {
            id: row.operation_id,
            state: row.operation_state,
            reason: row.operation_reason,
            wakeAt: row.operation_wake_at,
            createdAt: row.operation_created_at,
          },
    declined: row.declined ?? undefined,
    expert: row.expert_clerk_user_id,
  }
}
