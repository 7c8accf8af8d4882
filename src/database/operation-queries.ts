import { sql } from 'kysely'
import type { Db } from './connection.ts'
import type { OperationKind, OperationState } from './tables.ts'

export interface OperationFilter {
  readonly state?: OperationState | undefined
  readonly kind?: OperationKind | undefined
  readonly account?: string | undefined
  /** Only operations that this run began, or moved, by their audit. */
  readonly run?: string | undefined
  /** Only operations older than this one. */
  readonly before?: string | undefined
  readonly limit: number
}

const summaryColumns = [
  'id',
  'kind',
  'subject',
  'state',
  'origin',
  'generation',
  'amount',
  'currency',
  'account',
  'stripe_id',
  'replaces',
  'reason',
  'wake_at',
  'first_sent_at',
  'last_sent_at',
  'sends',
  'vendor_status',
  'run_id',
  'approved_by',
  'approved_at',
  'created_at',
  'updated_at',
  'finished_at',
] as const

export type OperationSummary = Awaited<ReturnType<typeof listOperations>>[number]
export type OperationItem = Awaited<ReturnType<typeof listItems>>[number]
export type OperationDetails = NonNullable<Awaited<ReturnType<typeof findOperation>>>

/** Money operations, newest first; at most `limit`. Amounts are cents. */
export async function listOperations(db: Db, filter: OperationFilter) {
  let query = db.selectFrom('jobs.money_operations').select(summaryColumns).orderBy('id', 'desc').limit(filter.limit)
  if (filter.state !== undefined) query = query.where('state', '=', filter.state)
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind)
  if (filter.account !== undefined) query = query.where('account', '=', filter.account)
  if (filter.run !== undefined) query = query.where('id', 'in', operationsOf(db, filter.run))
  if (filter.before !== undefined) query = query.where('id', '<', filter.before)
  const rows = await query.execute()
  return rows.map(row => ({ ...row, amount: Number(row.amount) }))
}

/** The ids of what a run began, and of what it moved that another began; each from an index. */
function operationsOf(db: Db, runId: string) {
  return db
    .selectFrom('jobs.money_operations')
    .select('id')
    .where('run_id', '=', runId)
    .union(
      db
        .selectFrom('jobs.audit_entries')
        .select(sql<string>`subject::uuid`.as('id'))
        .where(sql<boolean>`details ->> 'runId' = ${runId}`)
        .where('action', 'like', 'operation.%'),
    )
}

/** Money operations like `listOperations`, each with the rows it pays. */
export async function listOperationsWithItems(db: Db, filter: OperationFilter) {
  const operations = await listOperations(db, filter)
  const ids = operations.map(({ id }) => id)
  const items = Map.groupBy(await listItems(db, ids), item => item.operation_id)
  return operations.map(operation => ({ ...operation, items: items.get(operation.id) ?? [] }))
}

/** One operation with the rows it pays and its audit entries, oldest first; undefined when there is none. */
export async function findOperation(db: Db, id: string) {
  const row = await db.selectFrom('jobs.money_operations').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) return undefined
  const audit = await db
    .selectFrom('jobs.audit_entries')
    .select(['at', 'actor', 'action', 'details'])
    .where('subject', '=', id)
    .orderBy('id')
    .execute()
  return { ...row, amount: Number(row.amount), items: await listItems(db, [id]), audit }
}

/** What is paid, with whose it is and how the marketplace's row stands now; null where the row is gone. */
async function listItems(db: Db, operationIds: readonly string[]) {
  if (operationIds.length === 0) return []
  const rows = await db
    .selectFrom('jobs.money_operation_items as i')
    .leftJoin('payment_transfers as r', 'r.id', 'i.payment_transfer_id')
    .select(['i.operation_id', 'i.payment_transfer_id', 'i.amount', 'i.live'])
    .select(['r.status', 'r.expert_clerk_user_id', 'r.session_start_time'])
    .where('i.operation_id', 'in', operationIds)
    .orderBy('i.operation_id')
    .orderBy('i.payment_transfer_id')
    .execute()
  return rows.map(row => ({ ...row, amount: Number(row.amount) }))
}
