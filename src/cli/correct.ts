import { pino } from 'pino'
import { createApp } from '../app.ts'
import { loadConfig } from '../config.ts'
import { findOperation, type OperationDetails } from '../database/operation-queries.ts'
import type { OperatorActions } from '../runner/operator-actions.ts'
import { ask, canAsk } from './ask.ts'
import { waitForLedger } from './connect.ts'
import { printItems } from './operations.ts'
import { findOperator } from './operator.ts'
import { toMoney } from './print-money.ts'
import { printFacts, printJson, printLine, printNote } from './print.ts'

export interface CorrectOptions {
  readonly note: string
  /** Objects at Stripe that carry the operation's id and are not of it. */
  readonly except: readonly string[]
  readonly yes?: boolean
  readonly as?: string
  readonly json?: boolean
}

const databaseBudgetMs = 10_000

/**
 * Takes an object at Stripe as the receipt of an operation that is `unknown`: (1) show it, (2) ask, unless told not to,
 * (3) verify it at Stripe, record and audit it. Gives 1 when the answer is no; throws for what does not fit.
 */
export async function adopt(id: string, stripeId: string, options: CorrectOptions): Promise<number> {
  const { except, note } = options
  return await correct(id, options, {
    question: operation =>
      `Is ${stripeId} the ${operation.kind} of ${toMoney(operation.amount, operation.currency)} to ${operation.account}?`,
    apply: async (actions, operator) => {
      await actions.adoptObject({ id, stripeId, note, except }, operator)
    },
    done: `${stripeId} is its receipt now, and its rows say so`,
  })
}

/**
 * Gives an operation that is `unknown` up because nothing moved, and frees its rows: as `adopt`, and only once its key can
 * do nothing any more.
 */
export async function unmoved(id: string, options: CorrectOptions): Promise<number> {
  const { except, note } = options
  return await correct(id, options, {
    question: operation =>
      `Did nothing move for this ${operation.kind}, so that its rows may be paid by the next run like any others?`,
    apply: async (actions, operator) => {
      await actions.declareUnmoved({ id, note, except }, operator)
    },
    done: 'it is given up, and the next run plans its rows like any others',
  })
}

interface Asked {
  readonly question: (operation: OperationDetails) => string
  readonly apply: (actions: OperatorActions, operator: string) => Promise<void>
  readonly done: string
}

async function correct(id: string, options: CorrectOptions, { apply, done, question }: Asked): Promise<number> {
  const { json = false, yes = false } = options
  const operator = findOperator(options.as)
  const app = await createApp(loadConfig(), pino({ level: 'silent' }))
  try {
    await waitForLedger(app.db, databaseBudgetMs, new AbortController().signal)
    const operation = await findOperation(app.db, id)
    if (operation === undefined)
      throw new Error(`there is no operation ${id}: \`operations --state unknown\` lists them`)
    if (!json) printOperation(operation)
    if (!yes && (json || !canAsk())) throw new Error('nothing was changed: without a terminal to ask on, add --yes')
    if (!yes && !(await ask(question(operation)))) {
      printNote('nothing was changed')
      return 1
    }
    await apply(app.actions, operator)
    if (json) printJson(await findOperation(app.db, id))
    else printLine(done)
    return 0
  } finally {
    await app.close()
  }
}

function printOperation(operation: OperationDetails): void {
  const { account, amount, currency, items, kind, reason, state } = operation
  printLine({ text: `${kind} of ${toMoney(amount, currency)}`, style: 'bold' }, `to ${account}`)
  printFacts([
    ['operation', operation.id],
    ['state', reason === null ? state : `${state}: ${reason}`],
  ])
  printItems(items, currency)
}
