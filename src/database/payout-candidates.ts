import { sql } from 'kysely'
import type { OpenPayout, PayoutRow, RowOperation } from '../money/payout-facts.ts'
import { paidStatuses, payableStatuses } from '../money/row-statuses.ts'
import { appointmentEndsAt, bookingJoins, recordedTransfer } from './bookings.ts'
import { candidatesOf, type CandidateQuery, countUnread, maxCandidates, maxOperations } from './candidate-order.ts'
import type { Db } from './connection.ts'
import { changedRowsOf, declinedItems, expertsOf, itemOfRow, oneOf, sharedPayments } from './money-rows.ts'
import type { OperationState } from './tables.ts'

/** A row that is COMPLETED and names no payout, and what our database knows about its booking; currency in lower case. */
export interface PayoutCandidate extends PayoutRow {
  readonly paymentIntentId: string
}

export interface PayoutCandidates {
  /** Oldest appointments first. */
  readonly rows: readonly PayoutCandidate[]
  /** How many more there are that money may be due for. */
  readonly left: number
  /** How many more there are that wait, by what they say themselves. */
  readonly unread: number
}

/** Rows whose money may have to go to the bank, in one query; at most `limit`. */
export async function listPayoutCandidates(
  db: Db,
  { by, limit = maxCandidates }: CandidateQuery,
): Promise<PayoutCandidates> {
  const open = sql`p.status in ${oneOf(payableStatuses.payout)} and p.payout_id is null`
  const { rows } = await sql<CandidateRow>`
    with ${candidatesOf('payout', open, { by, limit })}, twins as (
      ${sharedPayments}
    ), declined as materialized (${declinedItems('payout')})
    select c.id, c.payment_intent_id, c.expert_connect_account_id as account, c.expert_clerk_user_id as expert,
      c.transfer_id, c.requires_approval, c.admin_user_id, c.amount, lower(c.currency) as currency, c.created, c.due, c.total, c.waits,
      u.country, nullif(u.stripe_connect_account_id, '') as current_account, t.payment_intent_id is not null as has_twin,
      ${appointmentEndsAt} as appointment_ends_at, ${recordedTransfer} as recorded_transfer,
      live.operation, earlier.operation as earlier,
      (select d.operation_id from declined d where d.payment_transfer_id = c.id or d.payment_intent_id = c.payment_intent_id
        limit 1) as declined
    from candidates c ${bookingJoins}
    left join twins t on t.payment_intent_id = c.payment_intent_id
    left join lateral (${operationOf(sql`i.live`, sql`o.created_at desc`)}) live on true
    left join lateral (${operationOf(sql`o.state in ('failed', 'rejected')`, sql`o.state, o.created_at desc`)}) earlier
      on true
    order by c.session_start_time, c.id`.execute(db)
  return { rows: rows.map(toCandidate), ...countUnread(rows) }
}

/** A payout that was begun and is not through, or may still come back. */
export interface OpenPayoutOperation extends OpenPayout {
  readonly createdAt: Date
}

export interface OpenPayoutOperations {
  /** Oldest first. */
  readonly operations: readonly OpenPayoutOperation[]
  readonly left: number
}

/**
 * Payouts that are not through, with those that arrived after `paidSince`: a payout that is paid can still come back for
 * some days (docs.stripe.com/payouts), and its money later still. At most `limit`; those that money hangs on come
 * first.
 */
export async function listOpenPayouts(
  db: Db,
  paidSince: Date,
  limit: number = maxOperations,
): Promise<OpenPayoutOperations> {
  const { rows } = await sql<OperationRow>`
    select o.id, o.state, o.reason, o.wake_at, o.stripe_id, o.account, o.currency, o.amount::float8 as amount,
      o.vendor_status, o.created_at, o.first_sent_at, o.updated_at, o.approved_for, count(*) over () as total,
      (o.state = 'held' and o.approved_at is not null) as queued,
      ${expertsOf} as experts,
      case when o.state in ('held', 'planned', 'blocked') then ${changedRowsOf('payout')} else '{}' end as changed,
      case when o.state in ('planned', 'sending', 'unknown', 'blocked') or o.approved_at is not null then (
        select jsonb_agg(jsonb_build_object('paymentTransferId', i.payment_transfer_id, 'amountCents', i.amount)
          order by i.payment_transfer_id)
        from jobs.money_operation_items i where i.operation_id = o.id) end as rows
    from jobs.money_operations o
    where o.kind = 'payout' and (o.state in ('planned', 'held', 'sending', 'unknown', 'blocked', 'created')
      or (o.state = 'paid' and (o.finished_at > ${paidSince} or o.vendor_status <> 'paid')))
    order by o.state = 'paid', o.created_at, o.id limit ${limit}`.execute(db)
  return { operations: rows.map(toOperation), left: Number(rows[0]?.total ?? 0) - rows.length }
}

function operationOf(condition: ReturnType<typeof sql>, order: ReturnType<typeof sql>) {
  return sql`select jsonb_build_object('id', o.id, 'state', o.state, 'reason', o.reason, 'wakeAt', o.wake_at,
      'stripeId', o.stripe_id) as operation
    from jobs.money_operation_items i join jobs.money_operations o on o.id = i.operation_id
    where ${itemOfRow} and i.kind = 'payout' and ${condition}
    order by ${order}, o.id desc limit 1`
}

interface CandidateRow {
  readonly id: number
  readonly payment_intent_id: string
  readonly account: string
  readonly expert: string
  readonly transfer_id: string | null
  readonly requires_approval: boolean | null
  readonly admin_user_id: string | null
  readonly amount: number
  readonly currency: string
  readonly created: Date
  readonly due: string
  readonly total: string
  readonly waits: boolean
  readonly country: string | null
  readonly current_account: string | null
  readonly has_twin: boolean
  readonly appointment_ends_at: Date | null
  readonly recorded_transfer: string | null
  readonly operation: OperationJson | null
  readonly earlier: OperationJson | null
  readonly declined: string | null
}

interface OperationJson extends Omit<RowOperation, 'wakeAt'> {
  readonly wakeAt: string | null
}

interface OperationRow {
  readonly id: string
  readonly state: OperationState
  readonly reason: string | null
  readonly wake_at: Date | null
  readonly stripe_id: string | null
  readonly account: string
  readonly currency: string
  readonly amount: number
  readonly vendor_status: string | null
  readonly created_at: Date
  readonly first_sent_at: Date | null
  readonly updated_at: Date
  readonly queued: boolean
  readonly approved_for: string[]
  readonly total: string
  readonly changed: number[]
  readonly rows: OpenPayoutOperation['rows'] | null
  readonly experts: string[]
}

function toCandidate(row: CandidateRow): PayoutCandidate {
  return {
    paymentTransferId: row.id,
    paymentIntentId: row.payment_intent_id,
    account: row.account,
    currentAccount: row.current_account,
    expert: row.expert,
    transferId: row.transfer_id,
    recordedTransferId: row.recorded_transfer,
    booking: {
      status: paidStatuses.transfer,
      requiresApproval: row.requires_approval,
      approvedBy: row.admin_user_id,
      country: row.country,
      appointmentEndsAt: row.appointment_ends_at,
      amountCents: row.amount,
      currency: row.currency,
    },
    hasTwin: row.has_twin,
    operation: toOperationOfRow(row.operation),
    earlier: toOperationOfRow(row.earlier),
    declined: row.declined ?? undefined,
    createdAt: row.created,
  }
}

function toOperationOfRow(json: OperationJson | null): RowOperation | undefined {
  return json === null ? undefined : { ...json, wakeAt: json.wakeAt === null ? null : new Date(json.wakeAt) }
}

function toOperation(row: OperationRow): OpenPayoutOperation {
  return {
    id: row.id,
    state: row.state,
    reason: row.reason,
    wakeAt: row.wake_at,
    stripeId: row.stripe_id,
    account: row.account,
    currency: row.currency,
    amountCents: row.amount,
    vendorStatus: row.vendor_status,
    createdAt: row.created_at,
    firstSentAt: row.first_sent_at,
    updatedAt: row.updated_at,
    isQueued: row.queued,
    changedRows: row.changed,
    approvedFor: row.approved_for,
    rows: row.rows ?? [],
    experts: row.experts,
  }
}
