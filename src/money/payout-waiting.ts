import { subjectOf } from './findings.ts'
import { explainHold } from './hold-reasons.ts'
import type { PayoutRow } from './payout-facts.ts'
import type { LaneWait } from './payout-lanes.ts'
import type { RowVerdict } from './payout-rows.ts'
import { waitSentences } from './payout-waits.ts'

/** A row that is not paid yet, and why. */
export interface PayoutWait {
  readonly subject: string
  readonly reason: string
  readonly until?: Date
  readonly why: string
  readonly amountCents: number
  readonly currency: string
  /** The Connect account. */
  readonly destination: string
  readonly operationId?: string
  readonly availableCents?: number
  readonly reservedCents?: number
}

/** A candidate, and what was decided about it. */
export interface JudgedRow {
  readonly row: PayoutRow
  readonly verdict: RowVerdict
}

/** A row that waits by itself; nothing for any other. A held one says why it is held. */
export function toRowWait({ row, verdict }: JudgedRow, now: Date): PayoutWait[] {
  if (verdict.kind !== 'waits') return []
  const { operation, reason, until } = verdict
  const heldFor = reason === 'held' ? operation?.reason : undefined
  return [
    {
      subject: subjectOf(row),
      reason,
      ...(until !== undefined && until > now ? { until } : {}),
      why: [waitSentences[reason], ...(heldFor == null ? [] : [explainHold(heldFor)])].join(': '),
      ...moneyOf(row),
      ...(operation === undefined ? {} : { operationId: operation.id }),
    },
  ]
}

/** A row that its lane keeps waiting. */
export function toLaneWait({ funds, reason, row: { row }, until }: LaneWait, now: Date): PayoutWait {
  return {
    subject: subjectOf(row),
    reason,
    ...(until !== undefined && until > now ? { until } : {}),
    why: waitSentences[reason],
    ...moneyOf(row),
    ...(funds === undefined ? {} : { availableCents: funds.availableCents, reservedCents: funds.reservedCents }),
  }
}

function moneyOf({ account, booking }: PayoutRow) {
  return { amountCents: booking.amountCents, currency: booking.currency, destination: account }
}
