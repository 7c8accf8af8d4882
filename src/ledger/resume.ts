import { findUnique, wasSent } from '../database/money-operations.ts'
import { PermanentError } from '../errors.ts'
import { isFrozen, undecidedAfterMs, wakeAfterMs } from '../money/send-outcomes.ts'
import { listUncovered } from '../money/standing-holds.ts'
import type { Payout, Transfer } from '../providers/payments.ts'
import { block, takeFound } from './answers.ts'
import type { Objection } from './fact-rules.ts'
import { endBlocked } from './findings.ts'
import { requireRun } from './intent.ts'
import type { Posting } from './ledger.ts'
import { auditOperation, move } from './move.ts'
import { type Outlook, readOutlook, readUndertaking } from './outlook.ts'
import { comeBack, type LeasedRun, type LedgerParts, nothingMoved, type Undertaking } from './parts.ts'
import { releaseHeld } from './release.ts'
import { type Reopening, reopenOperation } from './reopen.ts'
import { sendOperation } from './send.ts'

/**
 * Takes an unfinished operation as far as it can go now. What may have been sent is looked up before anything else; what
 * was never sent is sent like a new one. Held for nothing is given up; what is finished changes nothing.
 */
export async function resumeOperation(parts: LedgerParts, id: string, run: LeasedRun): Promise<Posting> {
  const undertaking = await readUndertaking(parts, id)
  const { operation } = undertaking
  switch (operation.state) {
    case 'planned':
    case 'sending':
    case 'unknown':
      return await goOn(parts, undertaking, run)
    case 'blocked':
      return await wake(parts, undertaking, run)
    case 'created':
    case 'paid':
      return nothingMoved('already_recorded', { receipt: operation.stripe_id ?? '', operationId: id })
    case 'held':
      return operation.approved_at === null
        ? await releaseHeld(parts, undertaking, run)
        : await takeTurn(parts, undertaking, run)
    case 'failed':
    case 'canceled':
    case 'rejected':
      return nothingMoved(operation.state, { operationId: id })
  }
}

/** What was approved while another payout of its lane was on its way goes when that is through. */
async function takeTurn(parts: LedgerParts, undertaking: Undertaking, run: LeasedRun): Promise<Posting> {
  const { operation } = undertaking
  const { id, reason } = operation
  try {
    const planned = await parts.db.transaction().execute(async trx => {
      await requireRun(trx, run)
      return await move(trx, operation, 'planned', { reason }, run.clock())
    })
    if (planned === undefined) return nothingMoved('taken_by_another', { operationId: id })
    return await goOn(parts, { ...undertaking, operation: planned }, run)
  } catch (thrown) {
    if (findUnique(thrown) !== 'lane_taken') throw thrown
    return nothingMoved('lane_taken', { operationId: id })
  }
}

/** What was refused for a cause that may be over. */
async function wake(parts: LedgerParts, undertaking: Undertaking, run: LeasedRun): Promise<Posting> {
  const { id, reason, wake_at: wakeAt } = undertaking.operation
  if (wakeAt === null || wakeAt <= run.clock()) return await goOn(parts, undertaking, run)
  return nothingMoved('blocked', { wakeAt, operationId: id, ...(reason === null ? {} : { reason }) })
}

/** Does what reading allows. */
async function goOn(parts: LedgerParts, undertaking: Undertaking, run: LeasedRun): Promise<Posting> {
  const outlook = await readOutlook(parts, undertaking, run)
  switch (outlook.kind) {
    case 'found':
      return await takeOwn(parts, undertaking, outlook.objects, run)
    case 'undecided':
      return await leaveUnknown(parts, undertaking, undertaking.operation.reason, run)
    case 'pointless':
      return await giveUp(parts, undertaking, outlook.reason, run)
    case 'wrong':
      return await putAside(parts, undertaking, outlook.objection, outlook.isProvenUnsent, run)
    case 'right':
      return await sendIfCovered(parts, undertaking, outlook, run)
  }
}

/** Sends, unless it has to be held. */
async function sendIfCovered(
  parts: LedgerParts,
  undertaking: Undertaking,
  { holds, isProvenUnsent, key }: Outlook & { readonly kind: 'right' },
  run: LeasedRun,
): Promise<Posting> {
  const { operation } = undertaking
  // What may have been sent waits until it is proven that it was not; then it is held.
  const [hold] = isProvenUnsent ? [] : listUncovered(holds, operation.approved_for)
  if (hold !== undefined) return await leaveUnknown(parts, undertaking, hold.reason, run)
  await parts.onStep?.('facts', operation.id)
  const reopened = await reopen(parts, undertaking, { key, holds }, run)
  switch (reopened.kind) {
    case 'sending':
      await parts.onStep?.('intent', operation.id)
      return await sendOperation(parts, reopened, run)
    case 'held':
      return nothingMoved('held', { findings: [reopened.finding], reason: reopened.reason })
    case 'none': {
      if (reopened.reason !== 'row_changed') return nothingMoved(reopened.reason, { operationId: operation.id })
      const changed = { reason: 'row_changed', passing: false }
      return await putAside(parts, undertaking, changed, isProvenUnsent, run)
    }
  }
}

/**
 * Whoever has the connected account can write any operation's id on a payout of theirs: no receipt of one that was never
 * sent. That is given up, and the account stays frozen until a person has explained the payout.
 */
async function takeOwn(
  parts: LedgerParts,
  undertaking: Undertaking,
  objects: readonly (Transfer | Payout)[],
  run: LeasedRun,
): Promise<Posting> {
  const { operation } = undertaking
  if (operation.kind === 'transfer' || wasSent(operation)) return await takeFound(parts, undertaking, objects, run)
  return await giveUp(parts, undertaking, 'claimed_elsewhere', run)
}

async function reopen(parts: LedgerParts, undertaking: Undertaking, reopening: Reopening, run: LeasedRun) {
  try {
    return await reopenOperation(parts, undertaking, reopening, run)
  } catch (thrown) {
    const taken = findUnique(thrown)
    if (taken === undefined) throw thrown
    return { kind: 'none', reason: taken } as const
  }
}

/**
 * Something speaks against sending. What may have been sent stays unknown; what is proven not to have been is given up,
 * so that the next plan says why its rows wait. What an operator approved is kept, as long as there is hope.
 */
async function putAside(
  parts: LedgerParts,
  undertaking: Undertaking,
  { passing, reason, until }: Objection,
  isProvenUnsent: boolean,
  run: LeasedRun,
): Promise<Posting> {
  if (!isProvenUnsent) return await leaveUnknown(parts, undertaking, reason, run)
  if (undertaking.operation.approved_at === null || !passing) return await giveUp(parts, undertaking, reason, run)
  const wakeAt = until ?? new Date(run.clock().getTime() + wakeAfterMs(reason))
  return await block(parts, undertaking, { reason, wakeAt }, run)
}

/** Gives its rows free: only for what is proven to have moved nothing. */
async function giveUp(
  { db }: LedgerParts,
  { operation }: Undertaking,
  reason: string,
  run: LeasedRun,
): Promise<Posting> {
  const now = run.clock()
  const canceled = await db.transaction().execute(async trx => {
    await requireRun(trx, run)
    const canceled = await move(trx, operation, 'canceled', { reason }, now)
    if (canceled !== undefined) {
      await endBlocked(trx, operation, run, now)
      await auditOperation(trx, 'canceled', canceled, run, now)
    }
    return canceled
  })
  return nothingMoved(canceled === undefined ? 'taken_by_another' : 'canceled', { reason, operationId: operation.id })
}

/** Not proven either way: notes that nothing was found, and lets the run come back; a person's after two days. */
async function leaveUnknown(
  { db }: LedgerParts,
  { operation }: Undertaking,
  reason: string | null,
  run: LeasedRun,
): Promise<Posting> {
  const now = run.clock()
  const { clean_lookup_at: cleanAt, first_sent_at: sentAt, id } = operation
  const kept = isFrozen(operation.reason) ? operation.reason : reason
  await move(db, operation, 'unknown', { reason: kept, clean_lookup_at: cleanAt ?? now }, now)
  if (sentAt !== null && now.getTime() - sentAt.getTime() < undecidedAfterMs && !isFrozen(kept)) {
    throw comeBack('outcome_unknown', `nobody knows yet what came of operation ${id} (${kept ?? 'no answer'})`)
  }
  throw new PermanentError(
    `nobody knows what came of operation ${id} (${kept ?? 'no answer'}), and nothing is sent again for it: search the ` +
      "account in Stripe's dashboard for an object with this operation_id in its metadata, then `adopt` that, or say with `unmoved` that nothing moved",
    { code: 'outcome_undecided' },
  )
}
