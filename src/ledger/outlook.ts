import { findOperationWithItems, type Operation, wasSent } from '../database/money-operations.ts'
import { listMoneyRows } from '../database/money-rows.ts'
import { PermanentError } from '../errors.ts'
import type { Foresight } from '../money/foresights.ts'
import { isCuredByRegrouping } from '../money/refusals.ts'
import { decideNext, isFrozen, type Standing } from '../money/send-outcomes.ts'
import type { StandingHold } from '../money/standing-holds.ts'
import type { Payout, Transfer } from '../providers/payments.ts'
import type { Objection } from './fact-rules.ts'
import { readFacts } from './facts.ts'
import type { LedgerRun } from './ledger.ts'
import { lookUp } from './look-up.ts'
import type { LedgerParts, Undertaking } from './parts.ts'

/** Under which key an operation would be sent. */
export interface Sending {
  /** `renewed` takes a new one: only for what is proven to have done nothing. */
  readonly key: 'same' | 'renewed'
  readonly isProvenUnsent: boolean
}

/** What reading tells about an operation that is to be resumed. */
export type Outlook =
  | { readonly kind: 'found'; readonly objects: readonly (Transfer | Payout)[] }
  /** It may have been sent, and neither is proven. */
  | { readonly kind: 'undecided' }
  /** It would be refused again: its rows are better free. */
  | { readonly kind: 'pointless'; readonly reason: string }
  | ({ readonly kind: 'wrong'; readonly objection: Objection } & Sending)
  | ({ readonly kind: 'right'; readonly holds: readonly StandingHold[] } & Sending)

/** The operation, and its rows as they are now. Throws PermanentError `operation_missing`. */
export async function readUndertaking({ db }: LedgerParts, id: string): Promise<Undertaking> {
  const found = await findOperationWithItems(db, id)
  if (found === undefined) throw new PermanentError(`there is no operation ${id}`, { code: 'operation_missing' })
  const ids = found.items.map(item => item.paymentTransferId)
  return { ...found, rows: await listMoneyRows(db, ids) }
}

/**
 * Reads what decides about an operation that is planned, queued, blocked, or may have been sent: what may have been is looked
 * up before anything else. Writes nothing, so that a dry run asks the very same. Throws what the provider throws.
 */
export async function readOutlook(parts: LedgerParts, undertaking: Undertaking, run: LedgerRun): Promise<Outlook> {
  const { operation } = undertaking
  const { first_sent_at: sentAt, reason, state } = operation
  if (state === 'planned' || state === 'held') {
    return await readReadiness(parts, undertaking, { key: 'same', isProvenUnsent: sentAt === null }, run)
  }
  const objects = await lookUp(parts, operation, run)
  if (state === 'blocked') {
    // Looked up once more, although the refusal is proof by itself.
    if (objects.length > 0) return { kind: 'found', objects }
    if (isCuredByRegrouping(reason)) return { kind: 'pointless', reason: reason ?? 'regrouped' }
    const key = sentAt === null ? 'same' : 'renewed'
    return await readReadiness(parts, undertaking, { key, isProvenUnsent: true }, run)
  }
  const next = decideNext(standingOf(operation, run.clock()), objects.length)
  switch (next) {
    case 'adopt':
    case 'freeze':
      return { kind: 'found', objects }
    case 'wait':
      return { kind: 'undecided' }
    case 'sendAgain':
      return await readReadiness(parts, undertaking, { key: 'same', isProvenUnsent: sentAt === null }, run)
    case 'renew':
      return await readReadiness(parts, undertaking, { key: 'renewed', isProvenUnsent: true }, run)
  }
}

/** The same in the words of a statement. */
export async function foresee(parts: LedgerParts, id: string, run: LedgerRun): Promise<Foresight> {
  // The moments of an operation are those of the run that moves it.
  const { onStep: _, ...reading } = parts
  const undertaking = await readUndertaking(reading, id)
  const { operation } = undertaking
  const outlook = await readOutlook(reading, undertaking, run)
  switch (outlook.kind) {
    case 'found':
      if (operation.kind === 'payout' && !wasSent(operation)) return { kind: 'notSent', reason: 'claimed_elsewhere' }
      return { kind: 'made', stripeIds: outlook.objects.map(object => object.id) }
    case 'undecided':
      return { kind: 'notSent', reason: operation.reason ?? 'outcome_unknown' }
    case 'pointless':
      return { kind: 'notSent', reason: outlook.reason }
    case 'wrong':
      return { kind: 'notSent', reason: outlook.objection.reason }
    case 'right': {
      const { holds, isProvenUnsent, key } = outlook
      return { kind: 'sendable', isProvenUnsent, isCounted: key === 'same' && operation.first_sent_at !== null, holds }
    }
  }
}

async function readReadiness(
  parts: LedgerParts,
  undertaking: Undertaking,
  sending: Sending,
  run: LedgerRun,
): Promise<Outlook> {
  const facts = await readFacts(parts, undertaking, run)
  if (facts.kind === 'exists') return { kind: 'found', objects: facts.objects }
  return { ...facts, ...sending }
}

function standingOf(operation: Operation, now: Date): Standing {
  const msSince = (at: Date | null): number | undefined => (at === null ? undefined : now.getTime() - at.getTime())
  return {
    keyAgeMs: msSince(operation.first_sent_at) ?? Number.POSITIVE_INFINITY,
    answerStored: operation.answer_stored,
    cleanLookUpMsAgo: msSince(operation.clean_lookup_at),
    frozen: isFrozen(operation.reason),
  }
}
