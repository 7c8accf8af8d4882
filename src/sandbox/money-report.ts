import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import type { DemoMoney } from './demo/money.ts'

/** What happened to some money, in one currency. */
export interface MoneyLine {
  readonly what: 'transfers recorded' | 'transfers created' | 'payouts made' | 'held for an operator' | 'other'
  readonly currency: string
  readonly count: number
  readonly cents: number
}

/** Things of one kind, with the demo's names of those that are about a booking. */
export interface NamedLine {
  readonly kind: string
  readonly count: number
  readonly names: readonly string[]
}

/** What the first round came to, beside the runs themselves. */
export interface MoneyReport {
  readonly moved: readonly MoneyLine[]
  readonly told: readonly NamedLine[]
  readonly waits: readonly NamedLine[]
  readonly findings: readonly NamedLine[]
}

/** Reads what our own books say about the money of the demo. */
export async function readMoneyReport(db: Db, { rows }: DemoMoney): Promise<MoneyReport> {
  const names = new Map(rows.map(row => [`payment_transfers ${row.paymentTransferId}`, row.name]))
  return {
    moved: await listMoved(db),
    told: group(await listTold(db), names),
    waits: group(await listWaits(db), names),
    findings: group(await listFindings(db), names),
  }
}

interface Item {
  readonly kind: string
  readonly subject: string
}

async function listMoved(db: Db): Promise<MoneyLine[]> {
  const { rows } = await sql<MoneyLine>`
    select case
        when state = 'held' then 'held for an operator'
        when state not in ('created', 'paid') then 'other'
        when kind = 'payout' then 'payouts made'
        when origin = 'recorded' then 'transfers recorded'
        else 'transfers created' end as what,
      currency, count(*)::integer as count, sum(amount)::float8 as cents
    from jobs.money_operations group by 1, 2 order by 1 desc, 2`.execute(db)
  return rows
}

async function listTold(db: Db): Promise<Item[]> {
  const { rows } = await sql<Item>`
    select kind, 'payment_transfers ' || (facts -> 'rows' -> 0 ->> 'paymentTransferId') as subject
    from jobs.outbox where facts ? 'rows' order by kind, id`.execute(db)
  return rows
}

/** From the plans of the newest runs: a row that waits for its payout does not wait for its transfer any more. */
async function listWaits(db: Db): Promise<Item[]> {
  const { rows } = await sql<Item>`
    with newest as (
      select distinct on (job) job, plan from jobs.runs
      where job in ('process-expert-transfers', 'process-pending-payouts') and plan is not null and not dry_run
      order by job, started_at desc
    )
    select wait ->> 'reason' as kind, wait ->> 'subject' as subject
    from newest, jsonb_array_elements(coalesce(newest.plan -> 'waits', '[]')) as wait order by 1, 2`.execute(db)
  return rows
}

async function listFindings(db: Db): Promise<Item[]> {
  const { rows } = await sql<Item>`
    select f.kind, coalesce('payment_transfers ' || i.payment_transfer_id, f.subject) as subject
    from jobs.findings f
    left join lateral (select min(i.payment_transfer_id) as payment_transfer_id from jobs.money_operation_items i
      where i.operation_id::text = f.subject) i on true
    where f.state = 'open' order by f.kind, f.id`.execute(db)
  return rows
}

function group(items: readonly Item[], names: ReadonlyMap<string, string>): NamedLine[] {
  return [...Map.groupBy(items, ({ kind }) => kind)].map(([kind, all]) => ({
    kind,
    count: all.length,
    names: all.map(({ subject }) => names.get(subject) ?? shorten(subject)),
  }))
}

/** A long id by its beginning, so that the table stays narrower than a terminal. */
function shorten(subject: string): string {
  return subject.replace(/\b([0-9a-f]{8})-[0-9a-f-]{27}\b/, '$1')
}
