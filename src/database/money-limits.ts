import { type RawBuilder, sql } from 'kysely'
import type { Db } from './connection.ts'
import { itemOfRow } from './money-rows.ts'
import type { OperationKind } from './tables.ts'

export interface Brakes {
  /** Cents of the currency that left, or may have left, without the operation asked about. */
  readonly sentCents: number
  /** One of the rows, or another row of its payment, was in an operation of this kind that Stripe refused for good. */
  readonly rejectedBefore: boolean
  /** Another payout of this account and currency waits for its cause to pass. */
  readonly laneBlocked: boolean
}

export interface BrakesQuery {
  readonly kind: OperationKind
  readonly account: string
  readonly currency: string
  readonly since: Date
  readonly rowIds: readonly number[]
  /** The operation that is about to be sent, if it exists already. */
  readonly except: string | null
}

/**
 * The operations `o` whose money left since then, or may have: what the circuit breaker counts. What was only recorded,
 * held, refused or given up did not leave.
 */
export function leftSince(since: Date): RawBuilder<boolean> {
  return sql`(o.origin = 'sent' and o.first_sent_at > ${since}
    and o.state in ('sending', 'unknown', 'created', 'paid', 'failed'))`
}

/**
 * What speaks against sending, in one statement. Ask under `lockCurrency`, or two may pass where one fits.
 */
export async function readBrakes(db: Db, query: BrakesQuery): Promise<Brakes> {
  const { account, currency, except, kind, rowIds, since } = query
  const { rows } = await sql<{ cents: string; rejected: boolean; blocked: boolean }>`
    select
      (select coalesce(sum(o.amount), 0) from jobs.money_operations o
        where ${leftSince(since)} and o.currency = ${currency} and o.id is distinct from ${except}::uuid) as cents,
      exists (select from payment_transfers c join jobs.money_operation_items i on ${itemOfRow}
        join jobs.money_operations o on o.id = i.operation_id
        where c.id = any(${rowIds}::integer[]) and i.kind = ${kind} and o.state = 'rejected') as rejected,
      ${kind} = 'payout' and exists (select from jobs.money_operations o
        where o.kind = 'payout' and o.state = 'blocked' and o.account = ${account} and o.currency = ${currency}
          and o.id is distinct from ${except}::uuid) as blocked`.execute(db)
  const row = rows[0]
  return {
    sentCents: Number(row?.cents ?? 0),
    rejectedBefore: row?.rejected === true,
    laneBlocked: row?.blocked === true,
  }
}
