import { type Finding, recordFinding, resolveFinding, resolveRepaid } from '../database/findings.ts'
import type { Operation, Trx } from '../database/money-operations.ts'
import type { MoneyRow } from '../database/money-rows.ts'
import { reasonOf } from '../money/standing-holds.ts'
import type { LedgerRun, Posting } from './ledger.ts'

type Draft = Posting['findings'][number]

/** Figures of an operation for a finding: ids, cents and dates, nothing personal. */
export function evidenceOf(operation: Operation): Record<string, unknown> {
  const { account, amount, currency, first_sent_at, generation, id, idempotency_key, kind, reason, state } = operation
  const holds = state === 'held' ? { holds: operation.holds } : {}
  return {
    operationId: id,
    kind,
    state,
    reason,
    amountCents: Number(amount),
    currency,
    account,
    generation,
    idempotencyKey: idempotency_key,
    firstSentAt: first_sent_at,
    ...holds,
  }
}

/** An operator has to decide about a held operation. */
function heldFinding(operation: Operation): Draft {
  return {
    kind: 'operation-held',
    subject: operation.id,
    message:
      `a ${operation.kind} is held (${nameHolds(operation)}): look at its rows and at the account in Stripe's dashboard, ` +
      'then approve the operation; or correct its rows, and the next run gives it up',
    details: evidenceOf(operation),
  }
}

/** Each reason once, the one that weighs most first. */
function nameHolds({ holds, reason }: Operation): string {
  const named = new Set([...(reason === null ? [] : [reason]), ...holds.map(reasonOf)])
  return [...named].join(', ')
}

/** Two objects at Stripe carry one operation: it was paid twice. */
export function duplicateFinding(operation: Operation, stripeIds: readonly string[]): Draft {
  return {
    kind: 'duplicate-at-stripe',
    subject: operation.id,
    message:
      `more than one ${operation.kind} at Stripe carries this operation, which is frozen: keep the right one, have the ` +
      'others reversed or canceled, and `adopt` it',
    details: { ...evidenceOf(operation), stripeIds },
  }
}

/** What Stripe made is not what was asked for. */
export function mismatchFinding(operation: Operation, kind: string, details: Record<string, unknown>): Draft {
  return {
    kind,
    subject: operation.id,
    message:
      `the ${operation.kind} at Stripe is not what this operation asked for, so it is frozen: compare both, reverse or ` +
      'cancel what is wrong at Stripe, and say with `unmoved` that nothing moved, or `adopt` the right one',
    details: { ...evidenceOf(operation), ...details },
  }
}

/** Money moved for an operation that had been given up, or under an earlier key: never expected to be seen. */
export function strayFinding(operation: Operation, stripeId: string): Draft {
  return {
    kind: 'stray-at-stripe',
    subject: operation.id,
    message:
      `a ${operation.kind} was made at Stripe that this operation does not have as its receipt: find out whether its ` +
      'rows were paid twice, and reverse or cancel what is too much',
    details: { ...evidenceOf(operation), stripeId },
  }
}

/** A row's transfer, or its payment, is another row's already. */
export function takenFinding(operation: Operation, paymentTransferId: number): Draft {
  return {
    kind: 'transfer-taken',
    subject: `payment_transfers ${paymentTransferId}`,
    message:
      `the transfer of this row is recorded for payment_transfers ${operation.subject} already, so it is not recorded ` +
      'again: find out which of the two rows it pays; correct payment_intent_id of the other, or set that one to FAILED ' +
      'and keep it',
    details: { ...evidenceOf(operation), stripeId: operation.stripe_id },
  }
}

/** Money left for a row that somebody changed meanwhile. */
export function changedRowFinding(
  operation: Operation,
  stripeId: string,
  row: MoneyRow | undefined,
  id: number,
): Draft {
  return {
    kind: 'paid-row-changed',
    subject: `payment_transfers ${id}`,
    message:
      `this row changed while its ${operation.kind} was made, and the ${operation.kind} was not taken back: if the guest ` +
      'got the money back, reverse the transfer or settle with the expert; else put the row right',
    details: { ...evidenceOf(operation), stripeId, status: row?.status, rowCents: row?.amountCents },
  }
}

/** What waits for its cause to pass has waited too long. */
export function blockedFinding(operation: Operation): Draft {
  return {
    kind: 'operation-blocked',
    subject: operation.id,
    message:
      `a ${operation.kind} has been refused for days (${operation.reason}): look at the account in Stripe's dashboard, and ` +
      'remove the cause or tell the expert what is missing',
    details: { ...evidenceOf(operation), blockedSince: operation.blocked_since },
  }
}

/** A payout came back. One that failed has disabled its bank account, whatever the code says (docs.stripe.com/payouts). */
export function failedPayoutFinding(
  operation: Operation,
  failureCode: string | null,
  result: 'failed' | 'canceled',
): Draft {
  const cause =
    result === 'canceled'
      ? 'was canceled at Stripe and its rows are payable again: find out who did that; they are paid again by the next run'
      : `came back (${failureCode ?? 'failed'}) and its rows are payable again. Stripe pays nothing to this bank account ` +
        'until it is replaced: ask the expert to enter it anew, or another one, at Stripe; the next run after that pays them'
  return {
    kind: 'payout-failed',
    subject: operation.id,
    message: `a payout ${cause}, and this closes itself once the money has arrived`,
    details: { ...evidenceOf(operation), stripeId: operation.stripe_id, failureCode },
  }
}

/**
 * Writes a finding in the transaction that makes it true, because no later run would see it again. Gives it for the
 * posting, so that the run counts it and does not write it a second time.
 */
export async function recordIn(trx: Trx, draft: Draft, run: LedgerRun, now: Date): Promise<Draft> {
  const finding: Finding = { ...draft, job: run.job, runId: run.runId }
  await recordFinding(trx, finding, now)
  return { ...draft, isRecorded: true }
}

/** The finding of a new held operation; gives it as `recordIn` does. */
export async function recordHeld(trx: Trx, operation: Operation, run: LedgerRun, now: Date): Promise<Draft> {
  return await recordIn(trx, heldFinding(operation), run, now)
}

/** Closes the finding of what was held and is given up. */
export async function endHeld(
  trx: Trx,
  operation: Operation,
  reason: string,
  run: LedgerRun,
  now: Date,
): Promise<void> {
  const note = `the operation was given up: ${reason}`
  await resolveFinding(trx, 'operation-held', operation.id, `eleva-jobs/${run.job}`, now, note)
}

/** Closes the finding of what was blocked for days and is not any more. */
export async function endBlocked(trx: Trx, operation: Operation, run: LedgerRun, now: Date): Promise<void> {
  if (operation.blocked_since === null) return
  await resolveFinding(trx, 'operation-blocked', operation.id, `eleva-jobs/${run.job}`, now)
}

/** Closes the findings of payouts that came back and whose rows have all arrived by now, this one being the last of them. */
export async function endFailed(trx: Trx, operation: Operation, run: LedgerRun, now: Date): Promise<void> {
  await resolveRepaid(trx, operation.id, `eleva-jobs/${run.job}`, now)
}
