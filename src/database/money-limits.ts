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

/**
 * That an operation `o` may have made a payout whose receipt it does not have: it was sent, is not known to have come to
 * nothing, and has no other receipt. The id in a payout's metadata alone proves nothing, because whoever has access to
 * the connected account can write it there.
 */
export const mayHaveMadePayout = sql<boolean>`(o.kind = 'payout' and o.stripe_id is null
  and o.state in ('planned', 'sending', 'unknown', 'blocked') and (o.sends > 0 or o.generation > 1))`

/** A payout at Stripe that may be anybody's. */
export interface UnknownPayout {
  readonly id: string
  /** What its metadata name. */
  readonly operationId: string | null
  readonly paymentTransferId?: number | null
  /** Without them no rows explain it. */
  readonly amountCents?: number
  readonly currency?: string
}

/**
 * Those of an account's payouts that neither an operation of ours nor an operator's resolved finding explains, nor rows
 * into which somebody has written what all of their money was for; their ids.
 */
export async function listUnexplained(db: Db, account: string, payouts: readonly UnknownPayout[]): Promise<string[]> {
  if (payouts.length === 0) return []
  const { rows } = await sql<{ id: string }>`
    select p.id
    from unnest(${payouts.map(({ id }) => id)}::text[], ${payouts.map(payout => payout.operationId)}::text[],
        ${payouts.map(payout => payout.paymentTransferId ?? null)}::integer[], ${payouts.map(payout => payout.amountCents ?? null)}::bigint[],
        ${payouts.map(payout => payout.currency ?? null)}::text[])
      as p (id, operation_id, row_id, amount, currency)
    where not exists (select from jobs.money_operations o where o.stripe_id = p.id
        or (o.id::text = p.operation_id and o.account = ${account} and ${mayHaveMadePayout}))
      and not exists (select from jobs.findings f
        where f.kind = 'payout-unexplained' and f.subject = p.id and f.state = 'resolved')
      and (p.row_id is not null or p.amount is null or p.amount is distinct from (select sum(t.amount) from payment_transfers t
        where t.payout_id = p.id and t.expert_connect_account_id = ${account} and lower(t.currency) = p.currency
          and t.status in ('PAID_OUT', 'DISPUTED', 'REFUNDED')))`.execute(db)
  return rows.map(({ id }) => id)
}
