import { sql } from 'kysely'
import type { BegunTransfer, GivenUp } from '../money/transfer-facts.ts'
import type { Db } from './connection.ts'
import { changedRowsOf, expertsOf } from './money-rows.ts'
import { maxOperations } from './candidate-order.ts'

/** FAILED rows that were tried `minRetries` times or more, the longest untouched first, at most `limit` of them. */
export async function listGivenUpRows(db: Db, minRetries: number, limit: number): Promise<readonly GivenUp[]> {
  const { rows } = await sql<{
    id: number
    retry_count: number
    stripe_error_code: string | null
    amount: number
    currency: string
    expert_connect_account_id: string
  }>`
    select id, retry_count, stripe_error_code, amount, currency, expert_connect_account_id from payment_transfers
    where status = 'FAILED' and retry_count >= ${minRetries}
    order by updated, id limit ${limit}`.execute(db)
  return rows.map(row => ({
    paymentTransferId: row.id,
    retryCount: row.retry_count,
    errorCode: row.stripe_error_code,
    amountCents: row.amount,
    currency: row.currency,
    account: row.expert_connect_account_id,
  }))
}

/**
 * Transfers that were begun and are not through, whatever has become of their rows, and held ones whose row has changed;
 * oldest first, at most `limit`.
 */
export async function listOpenTransfers(db: Db, limit: number = maxOperations): Promise<readonly BegunTransfer[]> {
  const { rows } = await sql<OpenTransferRow>`
    select o.id, o.state, o.reason, o.wake_at, o.created_at, o.first_sent_at, o.amount::float8 as amount, o.currency, o.account,
      o.approved_for, array(select i.payment_transfer_id from jobs.money_operation_items i where i.operation_id = o.id order by 1) as rows,
      case when o.state in ('held', 'planned', 'blocked') then ${changedRowsOf('transfer')} else '{}' end as changed,
      ${expertsOf} as experts
    from jobs.money_operations o
    where o.kind = 'transfer' and (o.state in ('planned', 'sending', 'unknown', 'blocked')
      or (o.state = 'held' and ${changedRowsOf('transfer')} <> '{}'))
    order by o.created_at, o.id limit ${limit}`.execute(db)
  return rows.map(row => ({
    id: row.id,
    state: row.state,
    reason: row.reason,
    wakeAt: row.wake_at,
    createdAt: row.created_at,
    amountCents: row.amount,
    currency: row.currency,
    account: row.account,
    paymentTransferIds: row.rows,
    firstSentAt: row.first_sent_at,
    changedRows: row.changed,
    experts: row.experts,
    approvedFor: row.approved_for,
  }))
}

/**
 * From when on payments are known to be ours to pay: before it the old jobs may have paid without recording it. What an
 * operator has set, else the first boot of the job that pays out; undefined when neither is known.
 */
export async function findCutOver(db: Db, since: Date | undefined): Promise<Date | undefined> {
  if (since !== undefined) return since
  const row = await db
    .selectFrom('jobs.job_settings')
    .select('first_boot_at')
    .where('job', '=', 'process-pending-payouts')
    .executeTakeFirst()
  return row?.first_boot_at
}

interface OpenTransferRow {
  readonly id: string
  readonly state: BegunTransfer['state']
  readonly reason: string | null
  readonly wake_at: Date | null
  readonly created_at: Date
  readonly amount: number
  readonly currency: string
  readonly account: string
  readonly rows: number[]
  readonly first_sent_at: Date | null
  readonly changed: number[]
  readonly experts: string[]
  readonly approved_for: string[]
}
