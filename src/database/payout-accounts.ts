import { sql } from 'kysely'
import type { KnownAccount, NamingRow, PayoutOwners } from '../money/payout-facts.ts'
import type { Db } from './connection.ts'
import { leftSince } from './money-limits.ts'
import { isOperationId, wasSentOnce } from './money-operations.ts'

export interface KnownAccounts {
  /** Those that were asked for first. */
  readonly accounts: readonly KnownAccount[]
  /** Users' accounts beyond the limit: another day's. */
  readonly left: number
}

export interface AccountsQuery {
  /** Accounts to be looked at in any case, whether a user has them or not. */
  readonly wanted: readonly string[]
  /** Most accounts of users beside those. */
  readonly othersLimit: number
  /** Takes other accounts first on another day, so that each has its turn where there are more than the limit. */
  readonly day: string
}

/** The wanted accounts and those of users, in three queries. */
export async function listPayoutAccounts(db: Db, { day, othersLimit, wanted }: AccountsQuery): Promise<KnownAccounts> {
  const owned = await sql<{ account: string; users: number; total: string }>`
    select stripe_connect_account_id as account, count(*)::integer as users, count(*) over () as total from users
    where stripe_connect_account_id <> '' group by 1
    order by stripe_connect_account_id = any(${wanted}::text[]) desc, md5(stripe_connect_account_id || ${day}), 1
    limit ${wanted.length + othersLimit}`.execute(db)
  const users = new Map(owned.rows.map(row => [row.account, row.users]))
  const ids = [...new Set([...wanted, ...users.keys()])]
  const sums = Map.groupBy(await listRowSums(db, ids), ({ account }) => account)
  const failures = Map.groupBy(await listFailures(db, ids), ({ account }) => account)
  return {
    accounts: ids.map(id => ({
      id,
      users: users.get(id) ?? 0,
      rowSums: (sums.get(id) ?? []).map(({ cents, currency, status }) => ({ currency, status, cents })),
      failedPayouts: Object.fromEntries((failures.get(id) ?? []).map(({ currency, failed }) => [currency, failed])),
    })),
    left: Number(owned.rows[0]?.total ?? 0) - owned.rows.length,
  }
}

/**
 * That an operation `o` may have made a payout whose receipt it does not have: it was sent, is not known to have come to
 * nothing, and has no other receipt. The id in a payout's metadata alone proves nothing, because whoever has access to
 * the connected account can write it there.
 */
const mayHaveMadePayout = sql`(o.kind = 'payout' and o.stripe_id is null
  and o.state in ('planned', 'sending', 'unknown', 'blocked') and ${wasSentOnce})`

/** Who closes the finding of a payout that rows explain; no operator can have this name. */
export const closedByRows = 'eleva-jobs/process-pending-payouts'

/** Whose payouts are, in one query; each with the operation that its metadata name. */
export async function findPayoutOwners(
  db: Db,
  payouts: readonly { readonly id: string; readonly operationId: string | null }[],
): Promise<PayoutOwners> {
  const ids = payouts.map(({ id }) => id)
  const operationIds = payouts.map(({ operationId }) => operationId ?? '').filter(isOperationId)
  const { rows } = await sql<OwnerRow>`
    select 'recorded' as kind, o.stripe_id as id, 0 as row, o.account, '' as status, 0 as amount, '' as currency,
      null::timestamp as created, false as otherwise from jobs.money_operations o where o.stripe_id = any(${ids})
    union all
    select 'unsettled', o.id::text, 0, o.account, '', 0, '', null, false from jobs.money_operations o
    where o.id = any(${operationIds}::uuid[]) and ${mayHaveMadePayout}
    union all
    select 'row', p.payout_id, p.id, p.expert_connect_account_id, p.status::text, p.amount, lower(p.currency), p.created,
      exists (select from jobs.money_operation_items i join jobs.money_operations o on o.id = i.operation_id
        where (i.payment_transfer_id = p.id or i.payment_intent_id = p.payment_intent_id) and i.kind = 'payout' and i.live
          and o.stripe_id is distinct from p.payout_id)
    from payment_transfers p where p.payout_id = any(${ids})
    union all
    select case when f.state = 'resolved' then 'resolved' else 'told' end, f.subject, 0, '', '', 0, '', null, false from jobs.findings f
    where f.kind = 'payout-unexplained' and f.subject = any(${ids})
      and (f.state <> 'resolved' or f.closed_by is distinct from ${closedByRows})`.execute(db)
  const idsOf = (kind: string): Set<string> => new Set(rows.filter(row => row.kind === kind).map(({ id }) => id))
  const named = Map.groupBy(
    rows.filter(({ kind }) => kind === 'row'),
    ({ id }) => id,
  )
  return {
    recorded: idsOf('recorded'),
    unsettled: new Map(rows.filter(({ kind }) => kind === 'unsettled').map(({ account, id }) => [id, account])),
    rows: new Map([...named].map(([id, list]) => [id, list.map(toNaming).toSorted(byId)])),
    resolved: idsOf('resolved'),
    told: idsOf('told'),
  }
}

interface OwnerRow {
  readonly kind: 'recorded' | 'unsettled' | 'row' | 'resolved' | 'told'
  readonly id: string
  readonly row: number
  readonly account: string
  readonly status: string
  readonly amount: number
  readonly currency: string
  /** Of a row; null of anything else. */
  readonly created: Date | null
  readonly otherwise: boolean
}

function toNaming({ account, amount, created, currency, otherwise, row, status }: OwnerRow): NamingRow {
  const createdAt = created ?? new Date(0)
  return {
    paymentTransferId: row,
    account,
    status,
    amountCents: amount,
    currency,
    createdAt,
    isPaidOtherwise: otherwise,
  }
}

function byId(a: NamingRow, b: NamingRow): number {
  return a.paymentTransferId - b.paymentTransferId
}

/** Cents that left, or may have left, since `since`, by currency: as the ledger counts them for its limits. */
export async function listSentCents(db: Db, since: Date): Promise<Record<string, number>> {
  const { rows } = await sql<{ currency: string; cents: number }>`
    select o.currency, sum(o.amount)::float8 as cents from jobs.money_operations o
    where ${leftSince(since)} group by o.currency`.execute(db)
  return Object.fromEntries(rows.map(({ cents, currency }) => [currency, cents]))
}

// A row is there from the moment that its voucher is issued, and READY from when it is paid. The meeting is read as a
// document, because not every marketplace has the column.
const isKnownUnpaid = sql`(p.status in ('PENDING', 'APPROVED') and p.transfer_id is null and exists (
      select from meetings m where m."stripePaymentIntentId" = p.payment_intent_id
        and to_jsonb(m) ->> 'stripePaymentStatus' in ('pending', 'failed')))`

async function listRowSums(db: Db, accounts: readonly string[]) {
  const { rows } = await sql<{ account: string; currency: string; status: string; cents: number }>`
    select p.expert_connect_account_id as account, lower(p.currency) as currency,
      case when ${isKnownUnpaid} then 'UNPAID' else p.status::text end as status, sum(p.amount)::float8 as cents
    from payment_transfers p where p.payout_id is null and p.expert_connect_account_id = any(${accounts})
    group by 1, 2, 3 order by 1, 2, 3`.execute(db)
  return rows
}

/** Payouts of accounts that failed since the last one that arrived, by account and currency; none where that is none. */
export async function listFailures(db: Db, accounts: readonly string[]) {
  const { rows } = await sql<{ account: string; currency: string; failed: number }>`
    select o.account, o.currency, count(*) filter (where o.state = 'failed')::integer as failed
    from (select account, currency, state, created_at,
        max(created_at) filter (where state = 'paid') over (partition by account, currency) as arrived_at
      from jobs.money_operations where kind = 'payout' and account = any(${accounts})) o
    where o.state = 'failed' and (o.arrived_at is null or o.created_at > o.arrived_at)
    group by 1, 2`.execute(db)
  return rows
}
