import { recordAudit } from '../database/audit.ts'
import { resolveFinding } from '../database/findings.ts'
import {
  findByReceipt,
  findOperationNamed,
  findOperationWithItems,
  type Operation,
  type Trx,
} from '../database/money-operations.ts'
import { listRowsNaming } from '../database/money-rows.ts'
import { PermanentError } from '../errors.ts'
import { isReturned } from '../money/payout-gates.ts'
import { provableAfterMs } from '../money/send-outcomes.ts'
import type { Payout, Transfer } from '../providers/payments.ts'
import { clockDoubtMs } from './facts.ts'
import { thawTransfer } from './frozen-request.ts'
import type { LedgerRun } from './ledger.ts'
import { lookUp } from './look-up.ts'
import { move } from './move.ts'
import type { LedgerParts } from './parts.ts'
import { createAccountCheck } from './pin.ts'
import { keepReceipt } from './receipt.ts'

/** What a person says about an operation of which the look-ups cannot tell what came of it. */
export interface Correction {
  readonly id: string
  readonly operator: string
  /** What was found out, for the record. */
  readonly note: string
  /** Other objects at Stripe that carry the operation's id, and are not its receipt: each has been looked at. */
  readonly except: readonly string[]
}

export interface Adoption extends Correction {
  /** The transfer or payout that is its receipt. */
  readonly stripeId: string
}

/**
 * Ends what no run can end: an operation that is `unknown` and frozen, or undecided. Both throw PermanentError, with the
 * reason in words, for whatever does not fit, and change nothing then.
 */
export interface Corrections {
  /** Takes an object as the receipt, once Stripe says that it is what was asked for and stands. */
  adopt(adoption: Adoption): Promise<void>
  /** Gives it up because nothing moved, and frees its rows; refused while its key may still act. */
  declareUnmoved(correction: Correction): Promise<void>
}

/** It reads at Stripe, and has nothing to write with. */
type Parts = Omit<LedgerParts, 'limits' | 'writes'> & Pick<LedgerRun, 'clock' | 'log'>

export function createCorrections(parts: Parts): Corrections {
  const checkAccount = createAccountCheck(parts)
  const begin = async (id: string): Promise<LedgerRun> => {
    const { clock, log, newId } = parts
    const found = await findOperationWithItems(parts.db, id)
    const job = found?.operation.kind === 'transfer' ? 'process-expert-transfers' : 'process-pending-payouts'
    const signal = AbortSignal.timeout(stripeBudgetMs)
    const run = { runId: newId(), job, clock, signal, log, lease: undefined }
    await checkAccount(run)
    return run
  }
  return {
    adopt: async adoption => {
      await adopt(parts, adoption, await begin(adoption.id))
    },
    declareUnmoved: async correction => {
      await declareUnmoved(parts, correction, await begin(correction.id))
    },
  }
}

/** A person waits for the answer. */
const stripeBudgetMs = 30_000

async function adopt(parts: Parts, { except, id, note, operator, stripeId }: Adoption, run: LedgerRun): Promise<void> {
  const { items, operation } = await getUnknown(parts, id)
  const object = await readObject(parts, operation, stripeId, run)
  const fault = findFault(operation, object) ?? (await findOtherOwner(parts, operation, object, items))
  if (fault !== undefined) throw refuse(`${stripeId} cannot be the receipt of operation ${id}: ${fault}`)
  await requireNoOthers(parts, operation, [...except, stripeId], run)
  const details = { stripeId, note, except, after: operation.reason }
  const audit = { at: run.clock(), actor: operator, action: 'operation.adopt', subject: id, details }
  const claim = async (trx: Trx): Promise<void> => await recordAudit(trx, audit)
  const posting = await keepReceipt(parts, { operation, items }, object, run, claim)
  if (posting.receipt !== stripeId) throw refuse(`operation ${id} has changed meanwhile: look at it again`)
  await closeFindings(parts, id, operator, `${stripeId} was adopted: ${note}`, run.clock())
}

async function declareUnmoved(parts: Parts, { except, id, note, operator }: Correction, run: LedgerRun): Promise<void> {
  const { operation } = await getUnknown(parts, id)
  const sentAt = operation.first_sent_at
  const provableAt = sentAt === null ? undefined : new Date(sentAt.getTime() + provableAfterMs)
  if (provableAt !== undefined && provableAt >= run.clock()) {
    throw refuse(`the key of operation ${id} may still act at Stripe: say so after ${provableAt.toISOString()}`)
  }
  await requireNoOthers(parts, operation, except, run)
  const now = run.clock()
  await parts.db.transaction().execute(async trx => {
    const canceled = await move(trx, operation, 'canceled', { reason: 'nothing_moved' }, now)
    if (canceled === undefined) throw refuse(`operation ${id} has changed meanwhile: look at it again`)
    const details = { note, except, after: operation.reason, idempotencyKey: operation.idempotency_key }
    await recordAudit(trx, { at: now, actor: operator, action: 'operation.unmoved', subject: id, details })
    await closeFindings({ ...parts, db: trx }, id, operator, `nothing moved: ${note}`, now)
  })
}

async function getUnknown({ db }: Parts, id: string) {
  const found = await findOperationWithItems(db, id)
  if (found === undefined) throw new PermanentError(`there is no operation ${id}`, { code: 'operation_missing' })
  if (found.operation.state === 'unknown') return found
  throw refuse(`operation ${id} is ${found.operation.state}: only one that is unknown can be corrected by hand`)
}

async function readObject(
  { payments }: Parts,
  { account, created_at: createdAt, kind }: Operation,
  stripeId: string,
  { signal }: LedgerRun,
): Promise<Transfer | Payout> {
  if (kind === 'payout') return await payments.readPayout({ account, id: stripeId }, signal)
  const from = new Date(createdAt.getTime() - clockDoubtMs)
  const found = (await payments.listTransfers({ destination: account, from }, signal)).find(({ id }) => id === stripeId)
  if (found === undefined)
    throw refuse(`${stripeId} is not among the transfers to ${account} since the operation exists`)
  return found
}

/** What of an object is not what the operation asked for; its metadata may be somebody's mistake, and do not count. */
function findFault(operation: Operation, object: Transfer | Payout): string | undefined {
  if (object.createdAt.getTime() < operation.created_at.getTime() - clockDoubtMs) {
    return `it was made before the operation, at ${object.createdAt.toISOString()}`
  }
  if (object.amountCents !== Number(operation.amount)) {
    return `it is of ${object.amountCents} and not of ${operation.amount} cents`
  }
  if (object.currency !== operation.currency) return `it is in ${object.currency}`
  if (hasReturned(object)) return 'its money came back, so that nothing moved'
  if (!('chargeId' in object) || object.chargeId === null) return undefined
  return object.chargeId === thawTransfer(operation).chargeId ? undefined : `it was made out of ${object.chargeId}`
}

async function findOtherOwner(
  { db }: Parts,
  { id, kind }: Operation,
  { id: stripeId, operationId }: Transfer | Payout,
  items: readonly { readonly paymentTransferId: number }[],
): Promise<string | undefined> {
  const named = operationId === null || operationId === id ? undefined : await findOperationNamed(db, operationId)
  if (named !== undefined) return `it carries the id of operation ${named}`
  const owner = await findByReceipt(db, stripeId)
  if (owner !== undefined && owner.id !== id) return `it is the receipt of operation ${owner.id}`
  const own = new Set(items.map(({ paymentTransferId }) => paymentTransferId))
  const others = (await listRowsNaming(db, kind, stripeId)).filter(row => !own.has(row))
  return others.length === 0 ? undefined : `payment_transfers ${others.join(', ')} name it`
}

/** Whatever else carries its id and stands may be what it made: a person has to have said of each that it is not. */
async function requireNoOthers(
  parts: Parts,
  operation: Operation,
  known: readonly string[],
  run: LedgerRun,
): Promise<void> {
  const objects = await lookUp(parts, operation, run)
  const others = objects.filter(object => !known.includes(object.id) && !hasReturned(object)).map(({ id }) => id)
  if (others.length === 0) return
  throw refuse(
    `${others.join(', ')} at Stripe carry the id of operation ${operation.id}: adopt the one that is its receipt, have ` +
      'the others canceled or reversed, or name in except those that are not of this operation',
  )
}

function hasReturned(object: Transfer | Payout): boolean {
  return 'status' in object ? isReturned(object) : object.reversedCents >= object.amountCents
}

const correctedKinds = [
  'duplicate-at-stripe',
  'amount-mismatch',
  'currency-mismatch',
  'destination-mismatch',
  'operation-mismatch',
]

async function closeFindings({ db }: Parts, id: string, by: string, note: string, now: Date): Promise<void> {
  for (const kind of correctedKinds) await resolveFinding(db, kind, id, by, now, note)
}

function refuse(message: string): PermanentError {
  return new PermanentError(message, { code: 'not_corrected' })
}
