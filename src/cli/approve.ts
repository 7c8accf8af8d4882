import type { Db } from '../database/connection.ts'
import { approveOperation } from '../database/money-approvals.ts'
import { listFindingsOfOperation } from '../database/finding-queries.ts'
import { findOperation, type OperationDetails } from '../database/operation-queries.ts'
import type { OperationState } from '../database/tables.ts'
import { ask, canAsk } from './ask.ts'
import { withLedger } from './connect.ts'
import { redactDetails } from '../runner/redact-details.ts'
import { printFinding } from './findings.ts'
import { explainHold } from './hold-reasons.ts'
import { printItems } from './operations.ts'
import { findOperator } from './operator.ts'
import { toMoney } from './print-money.ts'
import { printFacts, printJson, printLine, printNote, toUtc } from './print.ts'

export interface ApproveOptions {
  readonly note?: string
  readonly yes?: boolean
  readonly as?: string
  readonly json?: boolean
}

/**
 * Lets a held operation go: (1) show who would get how much and why it was held, (2) ask, unless told not to, (3) approve
 * and audit it. The next run of its job sends it. Gives 1 when the answer is no; throws when it is unknown or not held.
 */
export async function approve(id: string, options: ApproveOptions): Promise<number> {
  const { json = false, note, yes = false } = options
  const operator = findOperator(options.as)
  return await withLedger(async db => {
    const operation = await getHeld(db, id)
    if (!json) {
      printStatement(operation)
      for (const finding of await listFindingsOfOperation(db, id)) printFinding(redactDetails(finding))
    }
    if (!yes && (json || !canAsk())) throw new Error('nothing was approved: without a terminal to ask on, add --yes')
    if (!yes && !(await ask(`Pay ${toMoney(operation.amount, operation.currency)} to ${operation.account}?`))) {
      printNote('nothing was approved')
      return 1
    }
    const verdict = await approveOperation(db, { id, operator, note, now: new Date() })
    if (verdict !== 'approved') throw new Error(describeRefusal(id, verdict))
    if (json) printJson(await findOperation(db, id))
    else printLine(`approved by ${operator}: the next run of its job sends it, after looking at the facts again`)
    return 0
  })
}

async function getHeld(db: Db, id: string): Promise<OperationDetails> {
  const operation = await findOperation(db, id)
  if (operation?.state === 'held') return operation
  throw new Error(describeRefusal(id, operation ?? 'not-found'))
}

function describeRefusal(id: string, found: 'not-found' | { readonly state: OperationState }): string {
  if (found === 'not-found') return `there is no operation ${id}: \`operations --state held\` lists them`
  return `operation ${id} is ${found.state}: only a held one can be approved`
}

function printStatement(operation: OperationDetails): void {
  const { account, amount, created_at: createdAt, currency, items, kind } = operation
  const experts = new Set(items.map(item => item.expert_clerk_user_id ?? 'unknown'))
  printLine({ text: `${kind} of ${toMoney(amount, currency)}`, style: 'bold' }, `to ${account}`)
  printFacts([
    ['operation', operation.id],
    ['expert', [...experts].join(', ')],
    ['held since', `${toUtc(createdAt)} UTC`],
    ['held because', explainHold(operation.reason)],
  ])
  printItems(items, currency)
}
