import { sql } from 'kysely'
import type { RefundedRow } from '../money/refunded-rows.ts'
import type { Db } from './connection.ts'
import { itemOfRow } from './money-rows.ts'

/**
 * REFUNDED rows that name a payout, or that an operation of ours paid out, and of which nobody was ever told; the longest
 * untouched first, at most `limit` of them. A payout of ours that came back is none.
 */
export async function listRefundedRows(db: Db, limit: number): Promise<readonly RefundedRow[]> {
  const { rows } = await sql<RefundedRow>`
    select c.id as "paymentTransferId", c.payment_intent_id as "paymentIntentId", c.amount as "amountCents",
      lower(c.currency) as currency, coalesce(paid.account, c.expert_connect_account_id) as account,
      c.transfer_id as "transferId", coalesce(c.payout_id, paid.stripe_id) as "payoutId", paid.id as "operationId"
    from payment_transfers c
    left join lateral (select o.id, o.account, o.stripe_id
      from jobs.money_operation_items i join jobs.money_operations o on o.id = i.operation_id
      where ${itemOfRow} and i.kind = 'payout' and o.state in ('created', 'paid')
      order by o.id desc limit 1) paid on true
    where c.status = 'REFUNDED' and (paid.id is not null or (c.payout_id is not null and not exists (
        select from jobs.money_operations o where o.stripe_id = c.payout_id and o.state in ('failed', 'canceled'))))
      and not exists (select from jobs.findings f
        where f.kind = 'refunded-after-payout' and f.subject = 'payment_transfers ' || c.id)
    order by c.updated, c.id limit ${limit}`.execute(db)
  return rows
}
