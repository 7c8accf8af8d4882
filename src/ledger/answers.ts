import { noteRowsRefused } from '../database/money-rows.ts'
import { KeyRefusedError, PermanentError } from '../errors.ts'
import { isReturned } from '../money/payout-gates.ts'
import { judgeRefusal } from '../money/refusals.ts'
import type { Payout, Transfer, WriteAnswer } from '../providers/payments.ts'
import type { LedgerRun, Posting } from './ledger.ts'
import { lookUp } from './look-up.ts'
import { auditOperation, move } from './move.ts'
import { comeBack, type LeasedRun, type LedgerParts, nothingMoved, type Undertaking } from './parts.ts'
import { findMismatch, keepReceipt } from './receipt.ts'
import { settlePayout } from './settle.ts'
import { blockedFinding, duplicateFinding } from './findings.ts'
import { blockedTooLongMs } from '../money/send-outcomes.ts'

/** What follows an answer (CONTRIBUTING.md, rule of money 3). Throws what ends the item or the run; see `Ledger`. */
export async function followAnswer(
  parts: LedgerParts,
  undertaking: Undertaking,
  answer: WriteAnswer<Transfer | Payout>,
  run: LeasedRun,
): Promise<Posting> {
  const { operation } = undertaking
  const { id, idempotency_key: key } = operation
  switch (answer.kind) {
    case 'done':
      return await takeObject(parts, undertaking, answer.object, run)
    case 'unknown':
      return await keepUnknown(parts, undertaking, answer, run)
    case 'notExecuted':
      throw comeBack(answer.code, `stripe was busy (${answer.code}) and did nothing for operation ${id}`)
    case 'refused':
      return await followRefusal(parts, undertaking, answer.code, run)
    case 'keyReused':
      return await freezeReused(parts, undertaking, run)
    case 'keyRefused':
      throw new KeyRefusedError(
        `stripe refused our key (${answer.code}); ${key} is sent again once the key is accepted`,
      )
  }
}

/**
 * Takes an object as the receipt if it is what was asked for; else the operation is frozen, and a person's. A payout that
 * has come back already is settled at once.
 */
export async function takeObject(
  parts: LedgerParts,
  undertaking: Undertaking,
  object: Transfer | Payout,
  run: LeasedRun,
): Promise<Posting> {
  const mismatch = findMismatch(undertaking.operation, object)
  if (mismatch !== undefined) return await freeze(parts, undertaking, mismatch, run)
  const posting = await keepReceipt(parts, undertaking, object, run)
  if (!('status' in object) || !isReturned(object) || posting.receipt !== object.id) return posting
  // The receipt is a fact by itself; that its rows are free again needs the lease, and is read once more.
  const settled = await settlePayout(parts, undertaking.operation.id, run)
  return {
    ...settled,
    counts: { ...posting.counts, ...settled.counts },
    findings: [...posting.findings, ...settled.findings],
  }
}

/** Leaves the operation `unknown`, never to be sent again, with a finding for a person. */
export async function freeze(
  parts: LedgerParts,
  { operation }: Undertaking,
  finding: Posting['findings'][number],
  run: LedgerRun,
): Promise<Posting> {
  const now = run.clock()
  const reason = finding.kind.replaceAll('-', '_')
  // What was never sent has no send to be unknown about; it stays, and every look-up says so again.
  if (operation.first_sent_at !== null) await move(parts.db, operation, 'unknown', { reason }, now)
  return nothingMoved('frozen', { findings: [finding], operationId: operation.id, reason })
}

/** Nobody knows what happened. A stored error tells nothing however often it is asked for, so the objects are looked at. */
async function keepUnknown(
  parts: LedgerParts,
  undertaking: Undertaking,
  { code, replayed }: { readonly code: string; readonly replayed: boolean },
  run: LeasedRun,
): Promise<Posting> {
  const { operation } = undertaking
  const unknown = await move(parts.db, operation, 'unknown', { reason: code, answer_stored: replayed }, run.clock())
  if (replayed && unknown !== undefined) {
    const objects = await lookUp(parts, unknown, run)
    if (objects.length > 0) return await takeFound(parts, { ...undertaking, operation: unknown }, objects, run)
    await move(parts.db, unknown, 'unknown', { reason: code, clean_lookup_at: run.clock() }, run.clock())
  }
  throw comeBack('outcome_unknown', `nobody knows yet what came of operation ${operation.id} (${code})`)
}

/** Takes the one object that was found, or freezes an operation of which there are two. */
export async function takeFound(
  parts: LedgerParts,
  undertaking: Undertaking,
  objects: readonly (Transfer | Payout)[],
  run: LeasedRun,
): Promise<Posting> {
  const [object, ...others] = objects
  if (object === undefined) throw new Error(`nothing was found of operation ${undertaking.operation.id}`)
  if (others.length === 0) return await takeObject(parts, undertaking, object, run)
  const ids = objects.map(({ id }) => id)
  return await freeze(parts, undertaking, duplicateFinding(undertaking.operation, ids), run)
}

/** Stripe did nothing, and under this key never will: another try later under a new one, or a person. */
async function followRefusal(
  parts: LedgerParts,
  undertaking: Undertaking,
  code: string,
  run: LedgerRun,
): Promise<Posting> {
  const refusal = judgeRefusal(code)
  if (refusal.kind === 'blocked') {
    const wakeAt = new Date(run.clock().getTime() + refusal.wakeAfterMs)
    return await block(parts, undertaking, { reason: code, wakeAt }, run)
  }
  const { operation, rows } = undertaking
  const now = run.clock()
  await parts.db.transaction().execute(async trx => {
    const rejected = await move(trx, operation, 'rejected', { reason: code }, now)
    if (rejected === undefined) return
    await auditOperation(trx, 'rejected', rejected, run, now)
    const ids = rows.map(row => row.id)
    await noteRowsRefused(trx, ids, { kind: operation.kind, code, now })
  })
  throw new PermanentError(
    `stripe refused this ${operation.kind} for good (${code}), and nothing moved: look at the account and the charge in ` +
      'the dashboard and remove the cause; its rows are sent again only after an approval',
    { code: 'refused_for_good' },
  )
}

/** Keeps an operation for another try later, with a finding once it has waited for days. */
export async function block(
  parts: LedgerParts,
  { operation }: Undertaking,
  { reason, wakeAt }: { readonly reason: string; readonly wakeAt: Date },
  run: LedgerRun,
): Promise<Posting> {
  const now = run.clock()
  const since = operation.blocked_since ?? now
  const change = { reason, wake_at: wakeAt, blocked_since: since }
  const blocked = await move(parts.db, operation, 'blocked', change, now)
  if (blocked === undefined) return nothingMoved('taken_by_another', { operationId: operation.id })
  const tooLong = now.getTime() - since.getTime() >= blockedTooLongMs
  const findings = tooLong ? [blockedFinding(blocked)] : []
  return nothingMoved('blocked', { findings, reason, wakeAt, operationId: operation.id })
}

/** The key stands for another request at Stripe: our own mistake, and that request may have moved money. */
async function freezeReused(parts: LedgerParts, undertaking: Undertaking, run: LeasedRun): Promise<Posting> {
  const { operation } = undertaking
  const unknown = await move(parts.db, operation, 'unknown', { reason: 'key_reused' }, run.clock())
  const objects = await lookUp(parts, operation, run)
  if (objects.length > 0 && unknown !== undefined) {
    return await takeFound(parts, { ...undertaking, operation: unknown }, objects, run)
  }
  throw new PermanentError(
    `stripe knows the key ${operation.idempotency_key} with another request, so this operation is frozen: find what was ` +
      "sent under it in the request log of Stripe's dashboard, then `adopt` that, or say with `unmoved` that nothing moved",
    { code: 'key_reused' },
  )
}
