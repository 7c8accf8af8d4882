import type { Operation } from '../database/money-operations.ts'
import type { Payout, Transfer } from '../providers/payments.ts'
import { clockDoubtMs } from './facts.ts'
import type { LedgerRun } from './ledger.ts'
import type { LedgerParts } from './parts.ts'

/**
 * Every object at Stripe that carries this operation's id, of whatever generation. The lists cannot be asked for a
 * metadata value, so all objects of the account since the operation exists are read.
 */
export async function lookUp(
  { onStep, payments }: Pick<LedgerParts, 'onStep' | 'payments'>,
  operation: Operation,
  run: LedgerRun,
): Promise<readonly (Transfer | Payout)[]> {
  const { account, created_at: createdAt, id, kind } = operation
  const from = new Date(createdAt.getTime() - clockDoubtMs)
  const all =
    kind === 'transfer'
      ? await payments.listTransfers({ destination: account, from }, run.signal)
      : await payments.listPayouts({ account, from }, run.signal)
  await onStep?.('looked-up', id)
  return all.filter(object => object.operationId === id)
}
