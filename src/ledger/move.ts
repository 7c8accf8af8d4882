import type { Updateable } from 'kysely'
import { recordAudit } from '../database/audit.ts'
import type { Db } from '../database/connection.ts'
import { type Operation, updateOperation } from '../database/money-operations.ts'
import type { MoneyOperationsTable, OperationState } from '../database/tables.ts'
import { isFinished, mayFollow } from '../money/operation-states.ts'
import type { LedgerRun } from './ledger.ts'

/** What a transition sets beside the state. Reason and wake-up are cleared unless given. */
export type Change = Omit<Updateable<MoneyOperationsTable>, 'state' | 'updated_at'>

/**
 * Takes an operation from the state it was read in to another; undefined when somebody else changed it in between, be it
 * by one more send. Throws for a transition that is not legal, which is a bug.
 */
export async function move(
  db: Db,
  operation: Operation,
  to: OperationState,
  change: Change,
  now: Date,
): Promise<Operation | undefined> {
  const { generation, id, sends, state } = operation
  requireLegal(state, to)
  return await updateOperation(db, { id, states: [state], generation, sends }, { ...settings(to, now), ...change })
}

/** As `move`, from any of `from` and however often it was sent: for facts, which are kept whoever writes them. */
export async function moveByFact(
  db: Db,
  { generation, id }: Pick<Operation, 'id' | 'generation'>,
  from: readonly OperationState[],
  to: OperationState,
  change: Change,
  now: Date,
): Promise<Operation | undefined> {
  for (const state of from) requireLegal(state, to)
  return await updateOperation(db, { id, states: from, generation }, { ...settings(to, now), ...change })
}

function requireLegal(from: OperationState, to: OperationState): void {
  if (!mayFollow(from, to)) throw new Error(`an operation that is ${from} must not become ${to}`)
}

function settings(to: OperationState, now: Date) {
  return { state: to, updated_at: now, finished_at: isFinished(to) ? now : null, reason: null, wake_at: null }
}

/** Writes down who moved or freed money, and in which run, in the transaction that does. */
export async function auditOperation(
  db: Db,
  action: string,
  operation: Operation,
  run: LedgerRun,
  now: Date,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const { account, amount, currency, generation, id, kind, reason, stripe_id, subject } = operation
  await recordAudit(db, {
    at: now,
    actor: `eleva-jobs/${run.job}`,
    action: `operation.${action}`,
    subject: id,
    details: {
      kind,
      amountCents: Number(amount),
      currency,
      account,
      of: subject,
      generation,
      reason,
      stripeId: stripe_id,
      runId: run.runId,
      ...more,
    },
  })
}
