import type { Hold } from './hold-reasons.ts'
import type { LimitHold } from './limits.ts'
import { type Batch, type Funds, minimumPayoutCents, planBatch } from './payout-batches.ts'
import type { AccountAtStripe, OpenPayout, PayoutAccount, PayoutRow } from './payout-facts.ts'
import { findGate, type Gate } from './payout-gates.ts'
import type { RowHold } from './payout-rows.ts'

/** A row that may be paid, as its lane sees it. */
export interface LaneRow {
  readonly paymentTransferId: number
  readonly account: string
  readonly currency: string
  readonly amountCents: number
  readonly eligibleSince: Date
  readonly hold: RowHold | undefined
  readonly row: PayoutRow
}

/** One account and one currency: what is paid from it goes out as one payout. */
export interface Lane {
  /** `account currency`. */
  readonly name: string
  /** Never empty. */
  readonly rows: readonly LaneRow[]
  readonly account: PayoutAccount & { readonly atStripe: { readonly kind: 'known'; readonly value: AccountAtStripe } }
  readonly isFrozen: boolean
  /** The lane's operations that are not through. */
  readonly operations: readonly OpenPayout[]
}

export type LaneHold = Exclude<Hold, LimitHold>

/** One payout to be made, or to be held for a person. */
export interface LanePayout {
  readonly rows: readonly LaneRow[]
  readonly amountCents: number
  readonly hold: LaneHold | undefined
  readonly funds: Funds
}

export interface LaneWait {
  readonly row: LaneRow
  readonly reason: Gate | 'operation_open' | 'awaiting_funds' | 'below_minimum'
  readonly until?: Date
  readonly funds?: Funds
}

export interface LanePlan {
  readonly payouts: readonly LanePayout[]
  readonly waits: readonly LaneWait[]
}

/** From how many payouts on that came back in a row a person has to look, because the next one would come back too. */
export const failuresBeforeHold = 3

const unfinished: readonly string[] = ['planned', 'sending', 'unknown', 'blocked']
const perRow: readonly RowHold[] = ['before_cut_over', 'may_be_paid_already']
const heldByLimit: readonly string[] = ['above_single_limit', 'above_daily_limit'] satisfies LimitHold[]

/**
 * What is paid from one lane: nothing while an operation is open there or something forbids it; else one payout of the
 * rows that are beyond doubt, and from what is left the payouts that a person has to approve.
 */
export function planLane(lane: Lane): LanePlan {
  const { account, operations, rows } = lane
  const currency = rows[0]?.currency ?? ''
  const open = operations.find(({ state }) => unfinished.includes(state))
  if (open !== undefined) return waitAll(rows, 'operation_open', open.wakeAt)
  const gate = findGate(account.atStripe.value, currency, lane.isFrozen)
  if (gate !== undefined) return waitAll(rows, gate, null)
  const hasFailed = (account.failedPayouts[currency] ?? 0) >= failuresBeforeHold
  return planPayouts(groupByHold(rows), fundsOf(lane, currency), hasFailed ? 'failed_repeatedly' : undefined)
}

/** One payout after the other, each from what those beyond doubt before it leave. */
function planPayouts(groups: readonly LaneRow[][], funds: Funds, laneHold: LaneHold | undefined): LanePlan {
  const payouts: LanePayout[] = []
  const waits: LaneWait[] = []
  let { reservedCents } = funds
  for (const group of groups) {
    const left = { ...funds, reservedCents }
    const batch: Batch<LaneRow> = planBatch(group, left)
    waits.push(...batch.waits.map(wait => ({ ...wait, funds: left })))
    if (batch.rows.length === 0) continue
    const { amountCents, rows } = batch
    const hold = group[0]?.hold ?? laneHold
    if (hold === undefined) reservedCents += amountCents
    payouts.push({ rows, amountCents, hold, funds: left })
  }
  return { payouts, waits }
}

/**
 * What is approved together. Rows beyond doubt come first, so that a doubtful one never takes their money; each row that
 * may have been paid already is a decision of its own, and so is what belongs to two experts.
 */
function groupByHold(rows: readonly LaneRow[]): LaneRow[][] {
  const groups = Map.groupBy(rows, ({ hold, paymentTransferId, row }) => {
    if (hold === undefined) return ''
    return perRow.includes(hold) ? `${hold} ${paymentTransferId}` : `${hold} ${row.expert}`
  })
  const beyondDoubt = groups.get('') ?? []
  groups.delete('')
  const doubtful = [...groups.values()].toSorted((a, b) => ageOf(a) - ageOf(b) || idOf(a) - idOf(b))
  return [beyondDoubt, ...doubtful].filter(group => group.length > 0)
}

function fundsOf({ account, operations }: Lane, currency: string): Funds {
  const reserved = operations.filter(isReserving)
  return {
    availableCents: account.atStripe.value.available[currency] ?? 0,
    reservedCents: reserved.reduce((sum, { amountCents }) => sum + amountCents, 0),
    minimumCents: minimumPayoutCents,
  }
}

/**
 * Whether money is kept for an operation. One that is held in doubt may never be paid, and the money may be another
 * row's: on its approval everything is read again. Only what is held for its size keeps its place.
 */
function isReserving({ changedRows, isQueued = false, reason, state }: OpenPayout): boolean {
  if (isQueued) return changedRows.length === 0
  if (state !== 'held') return unfinished.includes(state)
  return changedRows.length === 0 && heldByLimit.includes(reason ?? '')
}

function waitAll(rows: readonly LaneRow[], reason: LaneWait['reason'], until: Date | null): LanePlan {
  return { payouts: [], waits: rows.map(row => ({ row, reason, ...(until === null ? {} : { until }) })) }
}

function ageOf(rows: readonly LaneRow[]): number {
  return Math.min(...rows.map(({ eligibleSince }) => eligibleSince.getTime()))
}

function idOf(rows: readonly LaneRow[]): number {
  return Math.min(...rows.map(({ paymentTransferId }) => paymentTransferId))
}
