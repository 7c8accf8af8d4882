import {
  findOperation,
  listOperations,
  type OperationDetails,
  type OperationItem,
  type OperationSummary,
} from '../database/operation-queries.ts'
import type { OperationKind, OperationState } from '../database/tables.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { withLedger } from './connect.ts'
import { findHeldFor, listHeldFor } from './held-for.ts'
import type { HeldFor } from '../money/hold-reasons.ts'
import { alignRight, toMoney } from './print-money.ts'
import { type Cell, printFacts, printJson, printLine, printTable, type Style, toUtc } from './print.ts'
import { printSome, toDetails } from './print-values.ts'

export interface OperationsOptions {
  readonly state?: OperationState
  readonly kind?: OperationKind
  readonly account?: string
  readonly run?: string
  readonly before?: string
  readonly limit: number
  readonly json?: boolean
}

/** Lists money operations, newest first. */
export async function showOperations({ json = false, limit, ...filter }: OperationsOptions): Promise<number> {
  return await withLedger(async db => {
    const operations = await listOperations(db, { ...filter, limit: limit + 1 })
    const page = operations.slice(0, limit)
    const next = operations.length > limit ? (page.at(-1)?.id ?? null) : null
    if (json) printJson({ operations: page, next })
    else if (page.length === 0) printLine('no operations')
    else printOperations(page)
    if (!json && next !== null) printLine(`more: --before ${next}`)
    return 0
  })
}

/** Shows one operation with the rows it pays and its audit entries. Throws when there is none. */
export async function showOperation(id: string, { json = false }: { readonly json?: boolean }): Promise<number> {
  return await withLedger(async db => {
    const operation = await findOperation(db, id)
    if (operation === undefined) throw new Error(`there is no operation ${id}: \`operations\` lists them`)
    const held = await findHeldFor(db, operation)
    const shown = { ...operation, audit: operation.audit.map(redactDetails) }
    if (json) printJson({ ...shown, hold: held ?? null })
    else printOperation(shown, held)
    return 0
  })
}

/** A table of operations, for this list and for the operations of one run. */
export function printOperations(operations: readonly OperationSummary[]): void {
  const amounts = alignRight(operations.map(({ amount, currency }) => toMoney(amount, currency)))
  printTable(
    ['created (UTC)', 'kind', 'state', 'amount', 'account', 'stripe id', 'operation', 'reason'],
    operations.map((operation, index) => [
      toUtc(operation.created_at),
      operation.origin === 'recorded' ? `${operation.kind}, recorded` : operation.kind,
      paintOperation(operation.state),
      amounts[index],
      operation.account,
      operation.stripe_id,
      operation.id,
      describeReason(operation),
    ]),
  )
}

/** The rows that an operation pays, at most `rowsShown` of them. */
export function printItems(items: readonly OperationItem[], currency: string): void {
  printSome(items, rowsShown, shown => {
    const amounts = alignRight(shown.map(({ amount }) => toMoney(amount, currency)))
    printTable(
      ['row', 'amount', 'expert', 'appointment (UTC)', 'row is now', 'claimed'],
      shown.map((item, index) => [
        `payment_transfers ${item.payment_transfer_id}`,
        amounts[index],
        item.expert_clerk_user_id,
        toUtc(item.session_start_time),
        item.status ?? { text: 'gone', style: 'red' },
        item.live ? 'yes' : 'no',
      ]),
    )
  })
}

/** Why it is in its state; of a blocked one also until when. */
export function describeReason({ reason, wake_at: wakeAt }: Pick<OperationDetails, 'reason' | 'wake_at'>): string {
  const until = wakeAt === null ? [] : [`until ${toUtc(wakeAt)} UTC`]
  return [...(reason === null ? [] : [reason]), ...until].join(', ')
}

const rowsShown = 50
const styles: Readonly<Record<OperationState, Style>> = {
  planned: 'yellow',
  held: 'yellow',
  sending: 'yellow',
  unknown: 'red',
  blocked: 'yellow',
  created: 'green',
  paid: 'green',
  failed: 'red',
  canceled: 'dim',
  rejected: 'red',
}

function paintOperation(state: OperationState): Cell {
  return { text: state, style: styles[state] }
}

function printOperation(operation: OperationDetails, held: HeldFor | undefined): void {
  printLine({ text: operation.kind, style: 'bold' }, paintOperation(operation.state), `operation ${operation.id}`)
  printFacts([
    ['amount', toMoney(operation.amount, operation.currency)],
    ['account', operation.account],
    ['reason', describeReason(operation) || undefined],
    ...listHeldFor(held),
    ['stripe id', operation.stripe_id ?? undefined],
    ['at Stripe', operation.vendor_status ?? undefined],
    ['origin', operation.origin],
    ['approved', showApproval(operation)],
    ['replaces', operation.replaces ?? undefined],
    ['key', operation.idempotency_key],
    ['sent', showSends(operation)],
    [
      'looked up',
      operation.clean_lookup_at === null ? undefined : `nothing there, ${toUtc(operation.clean_lookup_at)} UTC`,
    ],
    ['request', toDetails(operation.request, [])],
    ['run', operation.run_id],
    ['created', `${toUtc(operation.created_at)} UTC`],
    ['finished', operation.finished_at === null ? undefined : `${toUtc(operation.finished_at)} UTC`],
  ])
  printItems(operation.items, operation.currency)
  if (operation.audit.length === 0) return
  printLine({ text: 'audit', style: 'bold' })
  printTable(
    ['at (UTC)', 'who', 'what', 'details'],
    operation.audit.map(({ action, actor, at, details }) => [toUtc(at), actor, action, toDetails(details ?? {}, [])]),
  )
}

function showApproval({ approved_at: at, approved_by: by }: OperationDetails): string | undefined {
  return by === null ? undefined : `by ${by}, ${toUtc(at)} UTC`
}

function showSends({ first_sent_at: first, last_sent_at: last, sends }: OperationDetails): string {
  return sends === 0 ? 'never' : `${sends} x, first ${toUtc(first)} UTC, last ${toUtc(last)} UTC`
}
