import { sql } from 'kysely'
import type { FailedRow } from '../money/failed-rows.ts'
import type { Db } from './connection.ts'
import { declinedItems } from './money-rows.ts'

export interface FailedQuery {
  /** Rows that were tried as often as this have a finding of their own. */
  readonly triedLessThan: number
  readonly limit: number
  /** Takes other rows first at another time, so that each has its turn where there are more than the limit. */
  readonly turn: string
}

/**
 * FAILED rows whose payment may have gone through since, at most `limit` of them. Those that a person has been told of come
 * first, so that their finding stays for as long as it is true.
 */
export async function listFailedRows(
  db: Db,
  { limit, triedLessThan, turn }: FailedQuery,
): Promise<readonly FailedRow[]> {
  const { rows } = await sql<FailedRow>`
    with declined as materialized (${declinedItems('transfer')})
    select p.id as "paymentTransferId", p.payment_intent_id as "paymentIntentId",
      p.expert_connect_account_id as account, p.amount as "amountCents", lower(p.currency) as currency,
      (select d.operation_id from declined d
        where d.payment_transfer_id = p.id or d.payment_intent_id = p.payment_intent_id limit 1) as declined
    from payment_transfers p
    where p.status = 'FAILED' and coalesce(p.retry_count, 0) < ${triedLessThan}
      and p.transfer_id is null and p.payout_id is null
    order by exists (select from jobs.findings f
        where f.kind = 'failed-row-paid' and f.subject = 'payment_transfers ' || p.id and f.state <> 'resolved') desc,
      md5(p.id || ' ' || ${turn}::text), p.id limit ${limit}`.execute(db)
  return rows
}
