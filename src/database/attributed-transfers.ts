import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** Those of the transfers that a row or an operation names; without any, nothing is asked. */
export async function listAttributedTransfers(db: Db, ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const { rows } = await sql<{ id: string }>`
    select t.id from unnest(${[...new Set(ids)]}::text[]) as t (id)
    where exists (select from payment_transfers p where p.transfer_id = t.id)
      or exists (select from jobs.money_operations o where o.kind = 'transfer' and o.stripe_id = t.id)`.execute(db)
  return new Set(rows.map(({ id }) => id))
}
