import { type RawBuilder, sql } from 'kysely'
import type { PresentRow } from '../money/as-decided.ts'
import { paidStatuses, payableStatuses } from '../money/row-statuses.ts'
import type { Db } from './connection.ts'
import type { OperationItem, Trx } from './money-operations.ts'
import type { OperationKind, PaymentTransferStatus } from './tables.ts'

/** A row of payment_transfers, as far as moving its money needs it. */
export interface MoneyRow extends PresentRow {
  /** The expert's Clerk id. */
  readonly expert: string
  readonly serviceName: string | null
  readonly startsAt: Date
}

/** The rows as they are, in order of their ids. */
export async function listMoneyRows(db: Db, ids: readonly number[]): Promise<MoneyRow[]> {
  return await selectMoneyRows(db, ids, sql``)
}

/** The rows as they are, which stay so until the transaction ends: whoever wants to change one waits. */
export async function lockMoneyRows(trx: Trx, ids: readonly number[]): Promise<MoneyRow[]> {
  return await selectMoneyRows(trx, ids, sql`for share`)
}

/** As `lockMoneyRows`, for whoever will change them in this transaction: two who share a lock could not both change. */
export async function lockMoneyRowsToChange(trx: Trx, ids: readonly number[]): Promise<MoneyRow[]> {
  return await selectMoneyRows(trx, ids, sql`for no key update`)
}

// The service's name is read as a document, because not every marketplace has the column.
const columns = sql`t.id, t.status, t.amount as "amountCents", lower(t.currency) as currency,
  t.expert_connect_account_id as account, t.payment_intent_id as "paymentIntentId", t.transfer_id as "transferId",
  t.payout_id as "payoutId", t.expert_clerk_user_id as expert, to_jsonb(t) ->> 'service_name' as "serviceName",
  t.session_start_time as "startsAt"`

async function selectMoneyRows(db: Db, ids: readonly number[], lock: ReturnType<typeof sql>): Promise<MoneyRow[]> {
  const { rows } = await sql<MoneyRow>`
    select ${columns} from payment_transfers t where t.id = any(${ids}::integer[]) order by t.id ${lock}`.execute(db)
  return rows
}

/** The statuses as a list of SQL, so that the planner knows them. */
export function oneOf(statuses: readonly PaymentTransferStatus[]): RawBuilder<unknown> {
  return sql`(${sql.join(statuses.map(status => sql.lit(status)))})`
}

/**
 * Whether an item `i` of an operation is about a row `c`: written for it, or for another row of its payment. A row that
 * was deleted and written again has another id, and its money moved all the same.
 */
export const itemOfRow = sql`(i.payment_transfer_id = c.id or i.payment_intent_id = c.payment_intent_id)`

/** Payments of more than one row. A row that was closed without anything to show for it counts no more. */
export const sharedPayments = sql`select payment_intent_id from payment_transfers
  where status not in ('FAILED', 'REFUNDED') or transfer_id is not null or payout_id is not null
  group by payment_intent_id having count(*) > 1`

/** What a row was when an operation was made from it, each as SQL. */
interface DecidedRow {
  readonly amount: RawBuilder<unknown>
  readonly currency: RawBuilder<unknown>
  readonly account: RawBuilder<unknown>
  readonly statuses: readonly PaymentTransferStatus[]
}

/**
 * That a row `t` still is what the item `i` of an operation of this kind was made from. The rule is `areAsDecided` in
 * money/as-decided.ts; here it is once more for statements that must ask and act at once, and a test compares both.
 */
function asDecided(kind: OperationKind, { account, amount, currency, statuses }: DecidedRow): RawBuilder<boolean> {
  return sql`(t.amount = ${amount} and lower(t.currency) = ${currency} and t.expert_connect_account_id = ${account}
    and t.payment_intent_id = i.payment_intent_id and ${sql.ref(kind === 'payout' ? 't.payout_id' : 't.transfer_id')} is null
    and t.status = any(${statuses}::payment_transfer_status_enum[]))`
}

/** The rows, as an array of ids, of an operation `o` of this kind that are not what it was made from any more. */
export function changedRowsOf(kind: OperationKind): RawBuilder<number[]> {
  const [amount, currency, account] = [sql`i.amount`, sql`o.currency`, sql`o.account`]
  return sql`array(select i.payment_transfer_id from jobs.money_operation_items i
    left join payment_transfers t on t.id = i.payment_transfer_id
    where i.operation_id = o.id
      and ${asDecided(kind, { amount, currency, account, statuses: payableStatuses[kind] })} is not true
    order by 1)`
}

/** The Clerk ids, as an array, of those whose money an operation `o` moves. */
export const expertsOf = sql<string[]>`array(select distinct t.expert_clerk_user_id
    from jobs.money_operation_items i join payment_transfers t on t.id = i.payment_transfer_id
    where i.operation_id = o.id order by 1)`

/**
 * The items of operations of this kind that an operator declined, as long as no person has resolved the finding of that: it
 * keeps their rows, and other rows of their payments, from being planned again. One that closed because no row waited any
 * more still does: a row may wait again.
 */
export function declinedItems(kind: OperationKind): RawBuilder<unknown> {
  return sql`select i.operation_id, i.payment_transfer_id, i.payment_intent_id
    from jobs.findings f join jobs.money_operation_items i on i.operation_id = ${operationOfFinding}
    where f.kind = ${declinedKind} and (f.state <> 'resolved' or ${closedBySettling}) and i.kind = ${kind}`
}

/** Who closes the finding of a decline while none of its rows waits; no operator can have this name. */
export const closedBySettled = 'eleva-jobs/settled'

/** That a finding `f` about a decline is closed, and by no person; a later one about the same operation counts instead. */
export const closedBySettling = sql`(f.state = 'resolved' and f.closed_by = ${closedBySettled} and not exists (
    select from jobs.findings n where n.kind = f.kind and n.subject = f.subject and n.id > f.id))`

/** The kind of the finding about an operation that was declined; its subject is the operation. */
export const declinedKind = 'operation-declined'

/** The operation that a finding `f` is about, as its id, so that the index of the items is used; null for another subject. */
export const operationOfFinding = sql`case when f.subject ~ '^[0-9a-f-]{36}$' then f.subject::uuid end`

export interface Paid {
  readonly kind: OperationKind
  /** Knows the payment of each row, as it was decided. */
  readonly operationId: string
  /** Cents of each row, as it was decided. */
  readonly items: readonly OperationItem[]
  readonly currency: string
  readonly account: string
  readonly stripeId: string
  /** Only rows in one of these change; a refund or dispute that came in between has won. */
  readonly statuses: readonly PaymentTransferStatus[]
  readonly now: Date
}

/**
 * Writes the object's id and the next status into rows that still are as they were decided; gives those that
 * were, as they are now. Locked in order of their ids, so that two who want the same rows never wait in a circle.
 */
export async function markRowsPaid(trx: Trx, paid: Paid): Promise<MoneyRow[]> {
  const { account, currency, items, kind, now, operationId, statuses, stripeId } = paid
  const column = sql.ref(kind === 'payout' ? 'payout_id' : 'transfer_id')
  const decided = { amount: sql`e.amount`, currency: sql`${currency}`, account: sql`${account}`, statuses }
  const { rows } = await sql<MoneyRow>`
    with expected as materialized (
      select t.id from payment_transfers t
      join unnest(${items.map(item => item.paymentTransferId)}::integer[],
        ${items.map(item => item.amountCents)}::integer[]) as e (id, amount) on e.id = t.id
      join jobs.money_operation_items i on i.operation_id = ${operationId} and i.payment_transfer_id = t.id
      where ${asDecided(kind, decided)}
      order by t.id for no key update of t)
    update payment_transfers t
    set status = ${paidStatuses[kind]}::payment_transfer_status_enum, ${column} = ${stripeId},
      stripe_error_code = null, updated = ${now}
    from expected where t.id = expected.id
    returning ${columns}`.execute(trx)
  return rows.toSorted((a, b) => a.id - b.id)
}

/** Makes rows payable again whose payout came back: only those that are PAID_OUT by exactly this payout. Gives them. */
export async function reopenRows(
  trx: Trx,
  ids: readonly number[],
  { errorCode, now, payoutId }: { payoutId: string; errorCode: string | null; now: Date },
): Promise<MoneyRow[]> {
  const { rows } = await sql<MoneyRow>`
    with expected as materialized (
      select t.id from payment_transfers t
      where t.id = any(${ids}::integer[]) and t.status = ${sql.lit(paidStatuses.payout)} and t.payout_id = ${payoutId}
      order by t.id for no key update of t)
    update payment_transfers t
    set status = ${sql.lit(paidStatuses.transfer)}, payout_id = null, stripe_error_code = ${errorCode}, updated = ${now}
    from expected where t.id = expected.id
    returning ${columns}`.execute(trx)
  return rows.toSorted((a, b) => a.id - b.id)
}

/** Writes down on the rows why Stripe refused them for good, where the site's people look; their status stays. */
export async function noteRowsRefused(
  trx: Trx,
  ids: readonly number[],
  { code, kind, now }: { code: string; kind: OperationKind; now: Date },
): Promise<void> {
  await trx
    .updateTable('payment_transfers')
    .set({ stripe_error_code: code, updated: now })
    .where('id', 'in', [...ids])
    .where('status', 'in', [...payableStatuses[kind]])
    .execute()
}

/** The ids of rows that name an object at Stripe as their transfer or payout. */
export async function listRowsNaming(db: Db, kind: OperationKind, stripeId: string): Promise<number[]> {
  const column = kind === 'payout' ? 'payout_id' : 'transfer_id'
  const rows = await db
    .selectFrom('payment_transfers')
    .select('id')
    .where(column, '=', stripeId)
    .orderBy('id')
    .execute()
  return rows.map(({ id }) => id)
}
