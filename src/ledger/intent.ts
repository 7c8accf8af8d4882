import { readHoldEvidence } from '../database/hold-evidence.ts'
import { type Brakes, readBrakes } from '../database/money-limits.ts'
import {
  findUnique,
  insertOperation,
  lockCurrency,
  lockLease,
  type Operation,
  type Taken,
  type Trx,
  updateOperation,
} from '../database/money-operations.ts'
import { lockMoneyRows, type MoneyRow } from '../database/money-rows.ts'
import type { OperationKind } from '../database/tables.ts'
import { areAsDecided, type Decision } from '../money/as-decided.ts'
import { type Hold, listEvident } from '../money/hold-reasons.ts'
import { listLimitHolds } from '../money/limits.ts'
import { keysOf, type StandingHold } from '../money/standing-holds.ts'
import type { Draft } from './drafts.ts'
import { recordHeld } from './findings.ts'
import type { MoneyLimits, Posting } from './ledger.ts'
import type { LeasedRun, LedgerParts, Undertaking } from './parts.ts'

const dayMs = 24 * 60 * 60_000

export type Intent =
  /** Committed as `sending`: its facts are read next, and nothing has been sent. */
  | ({ readonly kind: 'sending' } & Undertaking)
  /** Committed as `held`: an operator has to approve it. */
  | {
      readonly kind: 'held'
      readonly operation: Operation
      readonly reason: Hold
      readonly finding: Posting['findings'][number]
    }
  /** Nothing was written: a row has changed, or somebody else was first. */
  | { readonly kind: 'none'; readonly reason: 'row_changed' | 'lane_blocked' | Taken }

/**
 * Commits what is about to be sent, in one transaction: (1) lease and pause, (2) the rows as decided and locked, (3) the
 * circuit breaker, one sender of a currency at a time, (4) the operation and its rows. Throws StopRunError when the run
 * may not.
 */
export async function commitIntent({ db, limits }: LedgerParts, draft: Draft, run: LeasedRun): Promise<Intent> {
  const now = run.clock()
  try {
    return await db.transaction().execute(async (trx): Promise<Intent> => {
      await requireRun(trx, run)
      const rows = await lockRowsAsDecided(trx, draft)
      if (rows === undefined) return { kind: 'none', reason: 'row_changed' }
      await lockCurrency(trx, draft.currency)
      const brakes = await readBrakesFor(trx, draft, now)
      if (brakes.laneBlocked) return { kind: 'none', reason: 'lane_blocked' }
      const holds = [...draft.holds, ...listBrakeHolds(draft.amountCents, brakes, limits)]
      const reason = holds[0]?.reason
      const operation = await insertOperation(trx, toRow(draft, reason, run.runId, now), draft.items)
      if (reason === undefined) return { kind: 'sending', operation, items: draft.items, rows }
      const held = await noteHolds(trx, operation, holds)
      return { kind: 'held', operation: held, reason, finding: await recordHeld(trx, held, run, now) }
    })
  } catch (thrown) {
    const taken = findUnique(thrown)
    if (taken === undefined) throw thrown
    return { kind: 'none', reason: taken }
  }
}

/** The first statement of whatever moves or frees money. Throws StopRunError when the run may not. */
export async function requireRun(trx: Trx, { lease }: LeasedRun): Promise<void> {
  await lockLease(trx, lease)
}

/** The rows, locked, if every one is still what was decided about; undefined when one is not. */
export async function lockRowsAsDecided(trx: Trx, decision: Decision): Promise<MoneyRow[] | undefined> {
  const rows = await lockMoneyRows(
    trx,
    decision.items.map(item => item.paymentTransferId),
  )
  return areAsDecided(rows, decision) ? rows : undefined
}

/** What speaks against sending; ask while the currency is locked. */
export async function readBrakesFor(
  trx: Trx,
  { account, currency, items, kind }: Pick<Draft, 'account' | 'currency' | 'items' | 'kind'>,
  now: Date,
  except: string | null = null,
): Promise<Brakes> {
  return await readBrakes(trx, {
    kind,
    account,
    currency,
    since: new Date(now.getTime() - dayMs),
    rowIds: items.map(item => item.paymentTransferId),
    except,
  })
}

/** Why an operator must approve it first: the limits, and that what Stripe refused for good is not simply repeated. */
export function listBrakeHolds(
  amountCents: number,
  { rejectedBefore, sentCents }: Brakes,
  limits: MoneyLimits,
): StandingHold[] {
  const refused = rejectedBefore ? [{ reason: 'rejected_before' as const, of: [] }] : []
  return [...listLimitHolds({ amountCents, sentCents }, limits).map(reason => ({ reason, of: [] })), ...refused]
}

/** Writes down all that a new operation is held for, so that whoever approves it sees everything at once. */
async function noteHolds(trx: Trx, operation: Operation, holds: readonly StandingHold[]): Promise<Operation> {
  const { generation, id, kind, state } = operation
  const evident = listEvident(kind, await readHoldEvidence(trx, operation))
  const known = new Set(evident.map(({ reason }) => reason))
  const all = keysOf([...holds.filter(({ reason }) => !known.has(reason)), ...evident])
  return (await updateOperation(trx, { id, states: [state], generation }, { holds: all })) ?? operation
}

function toRow(draft: Draft, held: Hold | undefined, runId: string, now: Date) {
  const { account, amountCents, currency, frozen, id, kind, replaces, subject } = draft
  const sent = held === undefined ? { first_sent_at: now, last_sent_at: now, sends: 1 } : {}
  return {
    id,
    kind,
    subject,
    state: held === undefined ? ('sending' as const) : ('held' as const),
    origin: 'sent' as const,
    idempotency_key: keyOf(kind, id, 1),
    amount: amountCents,
    currency,
    account,
    replaces,
    ...frozen,
    reason: held ?? null,
    ...sent,
    run_id: runId,
    created_at: now,
    updated_at: now,
  }
}

/** The idempotency key of a generation. Written once with each generation, and read from the row ever after. */
export function keyOf(kind: OperationKind, id: string, generation: number): string {
  return `${kind}:${id}:g${generation}`
}
