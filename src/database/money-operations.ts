import { type Insertable, type Selectable, sql, type Transaction, type Updateable } from 'kysely'
import { StopRunError } from '../errors.ts'
import type { Db } from './connection.ts'
import { type HeldLease, holding, type Lease } from './leases.ts'
import type { MoneyOperationsTable, OperationKind, OperationState, Tables } from './tables.ts'

export type Trx = Transaction<Tables>
export type Operation = Selectable<MoneyOperationsTable>
export interface OperationItem {
  readonly paymentTransferId: number
  readonly amountCents: number
  /** The payment that its row had when it was written; undefined before that. */
  readonly paymentIntentId?: string
}
export type { HeldLease }

/**
 * The first statement of whatever moves or frees money, or decides what people are told. The lease's row stays locked
 * against renewal, release and take-over until the transaction ends, so that nobody else can begin meanwhile. Throws
 * StopRunError when the run may not.
 */
export async function lockLease(trx: Trx, lease: Lease): Promise<void> {
  const { rows } = await sql<{ paused: boolean }>`
    select exists (select from jobs.job_settings s where s.job = l.job and s.paused_at is not null) as paused
    from jobs.leases l where ${holding(lease)} for share of l`.execute(trx)
  const row = rows[0]
  if (row === undefined || row.paused) throw new StopRunError(row === undefined ? 'lease_lost' : 'paused')
}

/** Makes those who want to send money of this currency come one after the other, until the transaction ends. */
export async function lockCurrency(trx: Trx, currency: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`eleva-jobs money ${currency}`}, 0))`.execute(trx)
}

/**
 * Writes a new operation and the rows it pays, which must be locked, in one statement. Throws a unique violation (see
 * `findUnique`).
 */
export async function insertOperation(
  trx: Trx,
  operation: Insertable<MoneyOperationsTable>,
  items: readonly OperationItem[],
): Promise<Operation> {
  const inserted = await trx
    .with('operation', db => db.insertInto('jobs.money_operations').values(operation).returningAll())
    .with('items', db =>
      db.insertInto('jobs.money_operation_items').values(
        items.map(({ amountCents, paymentTransferId }) => ({
          operation_id: operation.id,
          kind: operation.kind,
          payment_transfer_id: paymentTransferId,
          payment_intent_id: sql<string>`(select t.payment_intent_id from payment_transfers t
            where t.id = ${paymentTransferId})`,
          amount: amountCents,
          live: true,
        })),
      ),
    )
    .selectFrom('operation')
    .selectAll()
    .executeTakeFirstOrThrow()
  return inserted
}

/** What an UPDATE of an operation expects; `sends` too where somebody else's send in between must win. */
export interface Expected {
  readonly id: string
  readonly states: readonly OperationState[]
  readonly generation: number
  readonly sends?: number
}

/** Changes an operation if it still is as expected, and gives it as it is now; undefined when it is not. */
export async function updateOperation(
  db: Db,
  { generation, id, sends, states }: Expected,
  change: Updateable<MoneyOperationsTable>,
): Promise<Operation | undefined> {
  let query = db
    .updateTable('jobs.money_operations')
    .set(change)
    .where('id', '=', id)
    .where('state', 'in', states)
    .where('generation', '=', generation)
  if (sends !== undefined) query = query.where('sends', '=', sends)
  return await query.returningAll().executeTakeFirst()
}

/**
 * Locks an operation that still is as it was read; false when it is not. Whoever changes operation and rows locks in this
 * order: lease, operation, rows, then what is new. Otherwise one who sends and one who writes a receipt could wait for
 * each other.
 */
export async function lockOperation(trx: Trx, { generation, id, sends, state }: Operation): Promise<boolean> {
  const locked = await trx
    .selectFrom('jobs.money_operations')
    .select('id')
    .where('id', '=', id)
    .where('state', '=', state)
    .where('generation', '=', generation)
    .where('sends', '=', sends)
    .forNoKeyUpdate()
    .executeTakeFirst()
  return locked !== undefined
}

/** Whether anything of an operation ever went out: under its key, or under an earlier one that is known to have done nothing. */
export function wasSent({ generation, sends }: Pick<Operation, 'generation' | 'sends'>): boolean {
  return sends > 0 || generation > 1
}

/** The same of an operation `o`. */
export const wasSentOnce = sql`(o.sends > 0 or o.generation > 1)`

/** An operation and the rows it pays, by their ids; undefined when there is none. */
export async function findOperationWithItems(
  db: Db,
  id: string,
): Promise<{ operation: Operation; items: readonly OperationItem[] } | undefined> {
  const operation = await db.selectFrom('jobs.money_operations').selectAll().where('id', '=', id).executeTakeFirst()
  if (operation === undefined) return undefined
  const items = await db
    .selectFrom('jobs.money_operation_items')
    .select(['payment_transfer_id', 'payment_intent_id', 'amount'])
    .where('operation_id', '=', id)
    .orderBy('payment_transfer_id')
    .execute()
  return {
    operation,
    items: items.map(item => ({
      paymentTransferId: item.payment_transfer_id,
      paymentIntentId: item.payment_intent_id,
      amountCents: Number(item.amount),
    })),
  }
}

/** An operation that has paid a row's payment, or still may, and the row that it was written for. */
export interface LiveOperation {
  readonly operation: Operation
  readonly paymentTransferId: number
}

/** The operation of a kind that has paid a row or another row of its payment, or still may; undefined when there is none. */
export async function findLiveOperation(
  db: Db,
  kind: OperationKind,
  paymentTransferId: number,
): Promise<LiveOperation | undefined> {
  const found = await db
    .selectFrom('jobs.money_operation_items as i')
    .innerJoin('jobs.money_operations as o', 'o.id', 'i.operation_id')
    .selectAll('o')
    .select('i.payment_transfer_id')
    .where('i.kind', '=', kind)
    .where('i.live', '=', true)
    .where(
      sql<boolean>`(i.payment_transfer_id = ${paymentTransferId} or i.payment_intent_id =
        (select t.payment_intent_id from payment_transfers t where t.id = ${paymentTransferId}))`,
    )
    .orderBy(sql`i.payment_transfer_id = ${paymentTransferId}`, 'desc')
    .limit(1)
    .executeTakeFirst()
  if (found === undefined) return undefined
  const { payment_transfer_id: row, ...operation } = found
  return { operation, paymentTransferId: row }
}

/** The operation that has an object at Stripe as its receipt. */
export async function findByReceipt(db: Db, stripeId: string): Promise<Operation | undefined> {
  return await db.selectFrom('jobs.money_operations').selectAll().where('stripe_id', '=', stripeId).executeTakeFirst()
}

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Whether a text may be an operation's id: anybody can write anything into metadata. */
export function isOperationId(text: string): boolean {
  return uuid.test(text)
}

/** The id of the operation that an object at Stripe names, where there is one. */
export async function findOperationNamed(db: Db, name: string): Promise<string | undefined> {
  if (!isOperationId(name)) return undefined
  const found = await db.selectFrom('jobs.money_operations').select('id').where('id', '=', name).executeTakeFirst()
  return found?.id
}

const uniques = {
  money_operation_items_live: 'row_taken',
  money_operation_items_payment: 'payment_taken',
  money_operations_payout_lane: 'lane_taken',
  money_operations_stripe_id: 'object_taken',
} as const

export type Taken = (typeof uniques)[keyof typeof uniques]

/** Which of the uniques that decide races was hit; undefined for any other error. */
export function findUnique(err: unknown): Taken | undefined {
  const { code, constraint } = err as { code?: unknown; constraint?: unknown }
  if (code !== '23505' || typeof constraint !== 'string') return undefined
  return constraint in uniques ? uniques[constraint as keyof typeof uniques] : undefined
}
