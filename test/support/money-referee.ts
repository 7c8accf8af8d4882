import { sql } from 'kysely'
import type { OperationState } from '../../src/database/tables.ts'
import type { Match, MatchRow } from './money-match.ts'

interface Moved {
  readonly id: string
  readonly kind: 'transfer' | 'payout'
  readonly cents: number
  readonly at: Date
  /** The money of a payout that came back. */
  readonly isReturned: boolean
  readonly operationId: string | undefined
}

interface OperationRow {
  readonly id: string
  readonly kind: 'transfer' | 'payout'
  readonly origin: 'sent' | 'recorded'
  readonly state: OperationState
  readonly amount: number
  readonly stripe_id: string | null
  readonly items: readonly { readonly row: number; readonly cents: number }[]
}

/** Findings that would say that money was moved twice, or by somebody else than us. */
const alarming = [
  'duplicate-at-stripe',
  'stray-at-stripe',
  'payout-unexplained',
  'amount-mismatch',
  'currency-mismatch',
  'destination-mismatch',
  'operation-mismatch',
]

/** What must be true at every moment; one sentence for each thing that is not. */
export async function listFouls(match: Match): Promise<string[]> {
  const { stadium } = match
  const moved = listMoved(match)
  const { rows: operations } = await sql<OperationRow>`
    select o.id, o.kind, o.origin, o.state, o.amount::integer as amount, o.stripe_id,
      (select jsonb_agg(jsonb_build_object('row', i.payment_transfer_id, 'cents', i.amount))
        from jobs.money_operation_items i where i.operation_id = o.id) as items
    from jobs.money_operations o`.execute(stadium.db)
  const alarms = await sql<{ said: string }>`
    select kind || ' ' || subject as said from jobs.findings where kind = any(${alarming})`.execute(stadium.db)
  return [
    ...moved.flatMap(object => judgeObject(object, operations)),
    ...operations.flatMap(operation => judgeOperation(operation, moved)),
    ...match.rows.flatMap(row => judgeRow(row, operations, moved)),
    ...alarms.rows.map(({ said }) => `finding ${said}`),
  ]
}

function listMoved({ accounts, stadium: { stripe } }: Match): Moved[] {
  const payouts = accounts.flatMap(account => stripe.payouts(account))
  const transfers = stripe
    .transfers()
    .filter(({ destination, origin }) => origin === 'api' && accounts.includes(destination))
  return [
    ...payouts.map(({ amount, createdMs, id, metadata, returnEntryId }) => ({
      id,
      kind: 'payout' as const,
      cents: amount,
      at: new Date(createdMs),
      isReturned: returnEntryId !== null,
      operationId: metadata['operation_id'],
    })),
    ...transfers.map(({ amount, createdMs, id, metadata }) => ({
      id,
      kind: 'transfer' as const,
      cents: amount,
      at: new Date(createdMs),
      isReturned: false,
      operationId: metadata['operation_id'],
    })),
  ]
}

/** Everything that left is known to the ledger: as a receipt, or as something of which nobody knows what came. */
function judgeObject({ cents, id, operationId }: Moved, operations: readonly OperationRow[]): string[] {
  const owner = operations.find(operation => operation.id === operationId)
  if (owner === undefined) return [`${id} moved ${cents} and belongs to no operation`]
  const isKnown = owner.stripe_id === id || (owner.stripe_id === null && ['sending', 'unknown'].includes(owner.state))
  return isKnown
    ? []
    : [`${id} moved ${cents} and its operation is ${owner.state} with ${owner.stripe_id ?? 'nothing'}`]
}

function judgeOperation({ amount, id, origin, state, stripe_id: receipt }: OperationRow, moved: readonly Moved[]) {
  if (origin === 'recorded') return []
  const own = moved.filter(({ operationId }) => operationId === id)
  const fouls = own.length > 1 ? [`operation ${id} moved money ${own.length} times`] : []
  if (receipt === null) return fouls
  const object = own.find(each => each.id === receipt)
  if (object?.cents !== amount) fouls.push(`operation ${id} says ${amount} and ${object?.cents ?? 'nothing'} left`)
  if (['failed', 'canceled'].includes(state) && object?.isReturned !== true) {
    fouls.push(`operation ${id} is ${state} and its money did not come back`)
  }
  return fouls
}

function judgeRow(row: MatchRow, operations: readonly OperationRow[], moved: readonly Moved[]): string[] {
  return (['transfer', 'payout'] as const).flatMap(kind => {
    const own = operations.filter(each => each.kind === kind && each.items.some(item => item.row === row.id))
    const live = own.filter(({ state }) => !['failed', 'canceled', 'rejected'].includes(state))
    const objects = moved.filter(({ operationId }) => own.some(({ id }) => id === operationId))
    const kept = objects.filter(({ isReturned }) => !isReturned)
    const share = (id: string | undefined): number =>
      own.find(operation => operation.id === id)?.items.find(item => item.row === row.id)?.cents ?? 0
    const cents = kept.reduce((sum, { operationId }) => sum + share(operationId), 0)
    return [
      ...(live.length > 1 ? [`row ${row.id} is in ${live.length} live operations of kind ${kind}`] : []),
      ...(cents > row.amountCents ? [`row ${row.id} is owed ${row.amountCents} and ${cents} left as ${kind}`] : []),
      ...objects.flatMap(({ at, id }) => (at < row.eligibleFrom ? [`${id} paid row ${row.id} early`] : [])),
      ...objects.flatMap(({ id }) =>
        row.allowed === undefined || row.allowed.has(id) ? [] : [`${id} paid row ${row.id} after its refund`],
      ),
    ]
  })
}

/** Whoever is not paid in the end, and why not; a sentence for each row that should have been, or that nobody explains. */
export async function listForgotten(match: Match): Promise<string[]> {
  const { rows, stadium } = match
  const plans = [await stadium.plan('transfers'), await stadium.plan('payouts')]
  const findings = await sql<{ subject: string }>`
    select subject from jobs.findings where state <> 'resolved'`.execute(stadium.db)
  const states = await sql<{ id: number; status: string; operations: string[] }>`
    select t.id, t.status, array(select i.operation_id::text from jobs.money_operation_items i
      where i.payment_transfer_id = t.id and i.live) as operations
    from payment_transfers t`.execute(stadium.db)
  const said = JSON.stringify([plans, findings.rows])
  return states.rows.flatMap(({ id, operations, status }) => {
    const row = rows.find(each => each.id === id)
    if (row === undefined || status === 'PAID_OUT') return []
    if (row.isUntouched && !match.robbed.has(row.account) && !said.includes('failed_repeatedly')) {
      return [`row ${id} is ${status}, and nothing ever happened to it: ${JSON.stringify(plans)}`]
    }
    const isExplained = status === 'REFUNDED' || status === 'DISPUTED' || said.includes(`"payment_transfers ${id}"`)
    if (isExplained || operations.some(operation => said.includes(operation))) return []
    return [`row ${id} is ${status}, and nobody says why: ${said}`]
  })
}
