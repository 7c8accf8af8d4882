import { sql } from 'kysely'
import type { OperationState } from '../../src/database/tables.ts'
import type { Arena } from './money-arena.ts'
import type { Due } from './money-dues.ts'

/** An object at Stripe that moved money because somebody asked for it. */
interface Moved {
  readonly id: string
  readonly cents: number
  readonly operationId: string | undefined
}

interface OperationRow {
  readonly id: string
  readonly kind: 'transfer' | 'payout'
  readonly origin: 'sent' | 'recorded'
  readonly state: OperationState
  readonly amount: number
  readonly stripe_id: string | null
  readonly row_ids: number[]
}

interface RowState {
  readonly id: number
  readonly status: string
  readonly amount: number
  readonly transfer_id: string | null
  readonly payout_id: string | null
}

/** How something due stands, at Stripe and with us. */
export interface Standing {
  /** What must never be, whenever one looks: nothing, unless something is broken. */
  readonly broken: readonly string[]
  readonly movedCents: number
  readonly isPaid: boolean
  /** Rows that are not through: each with the names under which a plan may speak of it, its own and its operations'. */
  readonly unfinished: readonly (readonly string[])[]
}

const mayHaveMoved: readonly OperationState[] = ['sending', 'unknown']
const hasMoved: readonly OperationState[] = ['created', 'paid']
const isOver: readonly OperationState[] = ['failed', 'canceled', 'rejected']

/** Compares what the flow is about, transfers or payouts: the euros that left the stand-in with our operations and our rows. */
export async function audit({ db, stripe }: Pick<Arena, 'db' | 'stripe'>, due: Due): Promise<Standing> {
  const moved = listMoved(stripe, due)
  const operations = await sql<OperationRow>`
    select o.id, o.kind, o.origin, o.state, o.amount::integer as amount, o.stripe_id,
      array(select i.payment_transfer_id from jobs.money_operation_items i where i.operation_id = o.id order by 1) as row_ids
    from jobs.money_operations o where o.account = ${due.account} and o.kind = ${kindOf(due)}`.execute(db)
  const rows = await sql<RowState>`
    select id, status, amount, transfer_id, payout_id from payment_transfers where id = any(${[...due.rowIds]}::integer[])
    order by id`.execute(db)
  const explained = await sql<{ subject: string }>`
    select subject from jobs.findings where kind = 'payout-unexplained'`.execute(db)
  const told = new Set(explained.rows.map(({ subject }) => subject))
  const movedCents = moved.reduce((sum, { cents }) => sum + cents, 0)
  const isDone = (row: RowState): boolean => doneOf(due).includes(row.status)
  return {
    broken: [
      ...(movedCents > due.entitledCents ? [`${movedCents} cents left and ${due.entitledCents} are owed`] : []),
      ...moved.flatMap(object => judgeObject(object, operations.rows, told)),
      ...operations.rows.flatMap(operation => judgeOperation(operation, moved, due)),
      ...rows.rows.flatMap(row => judgeRow(row, operations.rows, due)),
    ],
    movedCents,
    isPaid: rows.rows.every(isDone) && movedCents === due.entitledCents,
    unfinished: rows.rows.filter(row => !isDone(row)).map(row => listNames(row, operations.rows)),
  }
}

function listNames({ id }: RowState, operations: readonly OperationRow[]): string[] {
  const own = operations.filter(({ row_ids: rows, state }) => rows.includes(id) && !isOver.includes(state))
  return [`"payment_transfers ${id}"`, `"paymentTransferId":${id}`, ...own.map(operation => `"${operation.id}"`)]
}

function listMoved(stripe: Arena['stripe'], { account, flow }: Due): Moved[] {
  if (flow === 'payout') {
    const payouts = stripe.payouts(account).filter(({ returnEntryId }) => returnEntryId === null)
    return payouts.map(({ amount, id, metadata }) => ({ id, cents: amount, operationId: metadata['operation_id'] }))
  }
  const transfers = stripe.transfers().filter(({ destination, origin }) => destination === account && origin === 'api')
  return transfers.map(({ amount, amountReversed, id, metadata }) => ({
    id,
    cents: amount - amountReversed,
    operationId: metadata['operation_id'],
  }))
}

function kindOf({ flow }: Due): 'payout' | 'transfer' {
  return flow === 'payout' ? 'payout' : 'transfer'
}

/** A row whose transfer is there may have been paid out since. */
function doneOf({ flow }: Due): readonly string[] {
  return flow === 'payout' ? ['PAID_OUT'] : ['COMPLETED', 'PAID_OUT']
}

/** Everything that moved is the receipt of one operation, or may still become it; or a person was told. */
function judgeObject(object: Moved, operations: readonly OperationRow[], told: ReadonlySet<string>): string[] {
  const receipts = operations.filter(
    operation => operation.stripe_id === object.id && hasMoved.includes(operation.state),
  )
  if (receipts.length === 1) return []
  const owner = operations.find(({ id }) => id === object.operationId)
  if (receipts.length === 0 && owner !== undefined && mayHaveMoved.includes(owner.state)) return []
  if (receipts.length === 0 && owner === undefined && told.has(object.id)) return []
  return [`${object.id} moved ${object.cents} and its operation is ${owner?.state ?? 'unknown to us'}`]
}

/** What says that it moved money did; what may have moved it moved it once at most. */
function judgeOperation(operation: OperationRow, moved: readonly Moved[], due: Due): string[] {
  const { amount, id, origin, state, stripe_id: stripeId } = operation
  const own = moved.filter(object => object.operationId === id)
  const broken = own.length > 1 ? [`operation ${id} moved money ${own.length} times`] : []
  if (own.length > 0 && !mayHaveMoved.includes(state) && !hasMoved.includes(state)) {
    broken.push(`operation ${id} is ${state} and moved money`)
  }
  if (hasMoved.includes(state) && origin === 'sent') {
    const receipt = moved.find(object => object.id === stripeId)
    if (receipt?.cents !== amount) broken.push(`operation ${id} says ${amount} and ${receipt?.cents ?? 0} left`)
  }
  if (due.flow === 'record' && origin === 'sent') broken.push(`operation ${id} would transfer what was transferred`)
  return broken
}

/** A row says that it is paid exactly when one live operation of it is, and names the same object. */
function judgeRow(row: RowState, operations: readonly OperationRow[], due: Due): string[] {
  const live = operations.filter(each => each.row_ids.includes(row.id) && !isOver.includes(each.state))
  const named = due.flow === 'payout' ? row.payout_id : row.transfer_id
  const broken = live.length > 1 ? [`row ${row.id} is in ${live.length} live operations`] : []
  const receipt = live.find(({ state }) => hasMoved.includes(state))?.stripe_id ?? null
  if (receipt !== named)
    broken.push(`row ${row.id} names ${named ?? 'nothing'} and its receipt is ${receipt ?? 'none'}`)
  if (doneOf(due).includes(row.status) !== (receipt !== null)) {
    broken.push(`row ${row.id} is ${row.status} and its receipt is ${receipt ?? 'none'}`)
  }
  return broken
}
