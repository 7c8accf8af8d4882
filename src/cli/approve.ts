import type { Db } from '../database/connection.ts'
import { approveOperation, declineOperation } from '../database/money-approvals.ts'
import { listFindingsOfOperation } from '../database/finding-queries.ts'
import { findOperation, type OperationDetails } from '../database/operation-queries.ts'
import type { OperationState } from '../database/tables.ts'
import { ask, canAsk } from './ask.ts'
import { withLedger } from './connect.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { printFinding } from './findings.ts'
import { findHeldFor, listHeldFor } from './held-for.ts'
import type { HeldFor } from '../money/hold-reasons.ts'
import { printItems } from './operations.ts'
import { findOperator } from './operator.ts'
import { toMoney } from './print-money.ts'
import { printFacts, printJson, printLine, printNote } from './print.ts'

export interface ApproveOptions {
  readonly note?: string
  readonly yes?: boolean
  readonly as?: string
  readonly json?: boolean
}

export interface DeclineOptions extends ApproveOptions {
  readonly note: string
}

/**
 * Lets a held operation go: (1) show who would get how much, why it was held and what is left of that today, (2) ask, unless told not to, (3) approve
 * and audit it. The next run of its job sends it. Gives 1 when the answer is no; throws when it is unknown or not held.
 */
export async function approve(id: string, options: ApproveOptions): Promise<number> {
  const { json = false, note, yes = false } = options
  const operator = findOperator(options.as)
  return await withLedger(async db => {
    const operation = await getOpen(db, id, 'approved')
    const held = await findHeldFor(db, operation)
    if (!json) {
      printStatement(operation, held)
      for (const finding of await listFindingsOfOperation(db, id)) printFinding(redactDetails(finding))
    }
    if (!yes && (json || !canAsk())) throw new Error('nothing was approved: without a terminal to ask on, add --yes')
    if (!yes && !(await ask(`Pay ${toMoney(operation.amount, operation.currency)} to ${operation.account}?`))) {
      printNote('nothing was approved')
      return 1
    }
    const verdict = await approveOperation(db, { id, operator, note, shown: held?.shown, now: new Date() })
    if (verdict !== 'approved') throw new Error(describeRefusal(id, verdict, 'approved'))
    if (json) printJson(await findOperation(db, id))
    else printLine(`approved by ${operator}: the next run of its job sends it, after looking at the facts again`)
    return 0
  })
}

/**
 * Gives an operation up of which nothing was sent: (1) show it, (2) ask, unless told not to, (3) decline and audit it. Its rows wait until
 * somebody resolves the finding of that. Gives 1 when the answer is no; throws when it is unknown or may have been sent.
 */
export async function decline(id: string, options: DeclineOptions): Promise<number> {
  const { json = false, note, yes = false } = options
  const operator = findOperator(options.as)
  return await withLedger(async db => {
    const operation = await getOpen(db, id, 'declined')
    if (!json) printStatement(operation, await findHeldFor(db, operation))
    if (!yes && (json || !canAsk())) throw new Error('nothing was declined: without a terminal to ask on, add --yes')
    if (!yes && !(await ask(`Do not pay ${toMoney(operation.amount, operation.currency)} to ${operation.account}?`))) {
      printNote('nothing was declined')
      return 1
    }
    const verdict = await declineOperation(db, { id, operator, note, now: new Date() })
    if (verdict !== 'declined') throw new Error(describeRefusal(id, verdict, 'declined'))
    if (json) printJson(await findOperation(db, id))
    else printLine(`declined by ${operator}: its rows wait until the finding operation-declined is resolved`)
    return 0
  })
}

type Decision = 'approved' | 'declined'

const decidable: Readonly<Record<Decision, readonly OperationState[]>> = {
  approved: ['held'],
  declined: ['held', 'planned', 'blocked'],
}

async function getOpen(db: Db, id: string, wanted: Decision): Promise<OperationDetails> {
  const operation = await findOperation(db, id)
  if (operation !== undefined && decidable[wanted].includes(operation.state)) return operation
  throw new Error(describeRefusal(id, operation ?? 'not-found', wanted))
}

function describeRefusal(
  id: string,
  found: 'not-found' | { readonly state: OperationState },
  wanted: Decision,
): string {
  if (found === 'not-found') return `there is no operation ${id}: \`operations --state held\` lists them`
  if (wanted === 'approved' && found.state === 'held')
    return `operation ${id} is approved already, and waits for its turn`
  const which = wanted === 'approved' ? 'a held one' : 'one that is held, or approved and not sent, or blocked'
  return `operation ${id} is ${found.state}: only ${which} can be ${wanted}`
}

function printStatement(operation: OperationDetails, held: HeldFor | undefined): void {
  const { account, amount, currency, items, kind } = operation
  const experts = new Set(items.map(item => item.expert_clerk_user_id ?? 'unknown'))
  printLine({ text: `${kind} of ${toMoney(amount, currency)}`, style: 'bold' }, `to ${account}`)
  printFacts([['operation', operation.id], ['expert', [...experts].join(', ')], ...listHeldFor(held)])
  printItems(items, currency)
}
