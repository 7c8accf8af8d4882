import { toError } from '../errors.ts'
import { takeFound } from './answers.ts'
import { listUncovered } from '../money/standing-holds.ts'
import type { Draft } from './drafts.ts'
import { readFacts } from './facts.ts'
import { commitIntent } from './intent.ts'
import type { Posting } from './ledger.ts'
import { auditOperation, move } from './move.ts'
import { type LeasedRun, type LedgerParts, nothingMoved, type Undertaking } from './parts.ts'
import { sendOperation } from './send.ts'

/**
 * A new operation: (1) its intent is committed, (2) the facts are read again, (3) it is sent, (4) its receipt is
 * committed. Whatever stops it before the third step gives its rows free at once, because nothing was sent.
 */
export async function createOperation(parts: LedgerParts, draft: Draft, run: LeasedRun): Promise<Posting> {
  const intent = await commitIntent(parts, draft, run)
  if (intent.kind === 'none') return nothingMoved(intent.reason)
  if (intent.kind === 'held') {
    const { finding, operation, reason } = intent
    return nothingMoved('held', { findings: [finding], reason, operationId: operation.id })
  }
  await parts.onStep?.('intent', intent.operation.id)
  const facts = await readFactsOrCancel(parts, intent, run)
  if (facts.kind === 'exists') return await takeFound(parts, intent, facts.objects, run)
  if (facts.kind === 'wrong') return await cancelUnsent(parts, intent, facts.objection.reason, run)
  // The plan of the next run holds it: what a person has to decide is never begun.
  const [hold] = listUncovered(facts.holds, [])
  if (hold !== undefined) return await cancelUnsent(parts, intent, hold.reason, run)
  await parts.onStep?.('facts', intent.operation.id)
  return await sendOperation(parts, intent, run)
}

async function readFactsOrCancel(parts: LedgerParts, undertaking: Undertaking, run: LeasedRun) {
  try {
    return await readFacts(parts, undertaking, run)
  } catch (thrown) {
    // A crash here leaves `sending`, and the next run finds out; a mere failure to read need not cost so much.
    await cancelUnsent(parts, undertaking, 'facts_unread', run).catch((failed: unknown) => {
      run.log.warn({ err: toError(failed), operationId: undertaking.operation.id }, 'operation was not canceled')
    })
    throw thrown
  }
}

/** Gives up what this very call committed and never sent, unless another run has taken it over and may have sent it. */
async function cancelUnsent(
  { db }: LedgerParts,
  { operation }: Undertaking,
  reason: string,
  run: LeasedRun,
): Promise<Posting> {
  const now = run.clock()
  const canceled = await db.transaction().execute(async trx => {
    const canceled = await move(trx, operation, 'canceled', { reason }, now)
    if (canceled !== undefined) await auditOperation(trx, 'canceled', canceled, run, now)
    return canceled
  })
  const count = canceled === undefined ? 'taken_by_another' : 'canceled'
  return nothingMoved(count, { reason, operationId: operation.id })
}
