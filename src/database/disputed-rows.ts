import { sql } from 'kysely'
import type { DisputedRow } from '../money/disputes.ts'
import type { Db } from './connection.ts'

export interface DisputedQuery {
  /** Rows whose transfer or payout is recorded, or those that have neither. */
  readonly released: boolean
  readonly limit: number
  /** Takes other rows first at another time, so that each has its turn where there are more than the limit. */
  readonly turn: string
}

/**
 * DISPUTED rows of which no finding that nobody has resolved says how their dispute ended, at most `limit` of them; also
 * those that were told as paid before their payout came back.
 */
export async function listDisputedRows(
  db: Db,
  { limit, released, turn }: DisputedQuery,
): Promise<readonly DisputedRow[]> {
  const { rows } = await sql<DisputedRow>`
    select p.id as "paymentTransferId", p.payment_intent_id as "paymentIntentId",
      p.expert_connect_account_id as account, p.amount as "amountCents", lower(p.currency) as currency,
      p.transfer_id as "transferId", p.payout_id as "payoutId", back.is_back as "payoutReturned"
    from payment_transfers p
    cross join lateral (select exists (select from jobs.money_operations o
      where o.kind = 'payout' and o.stripe_id = p.payout_id and o.state in ('failed', 'canceled')) as is_back) back
    where p.status = 'DISPUTED' and (coalesce(p.transfer_id, p.payout_id) is not null) = ${released}::boolean
      and not exists (select from jobs.findings f
        where f.kind in ('dispute-won', 'dispute-lost') and f.subject = 'payment_transfers ' || p.id and f.state <> 'resolved'
          and not (back.is_back and f.details ->> 'setStatusTo' = 'PAID_OUT'))
    order by md5(p.id || ' ' || ${turn}::text), p.id limit ${limit}`.execute(db)
  return rows
}
