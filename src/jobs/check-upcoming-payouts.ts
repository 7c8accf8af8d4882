import { recordUpcomingPayout } from '../notices/upcoming-payouts.ts'
import { requireLease } from '../database/leases.ts'
import { findCutOver } from '../database/open-transfers.ts'
import { listTransferCandidates, type TransferCandidate } from '../database/payment-transfers.ts'
import { askEach, isHalfOver } from '../facts/ask-each.ts'
import type { Asked } from '../money/asked.ts'
import type { Limits } from '../money/limits.ts'
import { decideNotice, noticeWithinMs, type NoticeRules } from '../money/upcoming-payouts.ts'
import type { Payment } from '../providers/payments.ts'
import type { JobContext } from '../runner/context.ts'
import { type Applied, defineJob, type Effect, type ItemFailure, type Plan, type Wait } from '../runner/define-job.ts'

const questionsAtOnce = 8
const timeoutMs = 10 * 60_000

export interface UpcomingFacts {
  readonly rows: readonly TransferCandidate[]
  /** By payment_transfers id; nothing for a row about which nobody had to be asked. */
  readonly answers: ReadonlyMap<number, Asked<Payment>>
  readonly cutOver: Date | undefined
  readonly limits: Limits
  /** Rows that this run did not even read. */
  readonly left: number
}

export interface TellUpcoming extends Effect {
  readonly kind: 'tell-upcoming-payout'
  readonly amountCents: number
  readonly currency: string
  readonly paidAt: Date
  readonly appointmentEndsAt: Date | null
  readonly eligibleFrom: Date
  readonly paymentTransferId: number
  readonly expectedStatus: TransferCandidate['status']
}

export const checkUpcomingPayouts = defineJob({
  name: 'check-upcoming-payouts',
  summary: 'Tells each expert once, in the two days before it, that the money of a paid appointment becomes payable.',
  class: 'revenue',
  priority: 'medium',
  cron: '0 12 * * *',
  timeZone: 'UTC',
  timeoutMs,
  retries: 3,
  movesMoney: false,
  tellsPeople: true,
  heartbeat: 'BETTERSTACK_UPCOMING_PAYOUTS_HEARTBEAT',
  parse: () => undefined,
  gather: gatherFacts,
  plan: planNotices,
  apply: tell,
})

/** Whom to tell at `now`, and why the others hear nothing yet. */
export function planNotices(facts: UpcomingFacts, now: Date): Plan<TellUpcoming> {
  const effects: TellUpcoming[] = []
  const waits: Wait[] = []
  const failures: ItemFailure[] = []
  let left = facts.left
  for (const row of facts.rows) {
    const subject = `payment_transfers ${row.paymentTransferId}`
    const answer = facts.answers.get(row.paymentTransferId)
    if (answer?.kind === 'failed') {
      failures.push({ subject, code: answer.code, message: 'Stripe did not tell about the payment of this row' })
    }
    const payment = answer?.kind === 'known' ? answer.value : undefined
    const decision = decideNotice(row, payment, { cutOver: facts.cutOver, limits: facts.limits, now })
    if (decision.kind === 'tell') effects.push(toEffect(row, decision))
    else if (decision.kind === 'wait') waits.push({ subject, reason: decision.reason, ...untilOf(decision) })
    else if (decision.kind === 'ask' && (answer === undefined || answer.kind === 'left')) left += 1
  }
  return { effects, waits, failures, left, counts: { candidates: facts.rows.length, asked: facts.answers.size } }
}

async function gatherFacts(context: JobContext): Promise<UpcomingFacts> {
  const { clock, db, ledger, now, providers, signal } = context
  await ledger.checkAccount(context)
  const { limits } = ledger
  const cutOver = await findCutOver(db, limits.since)
  const { left, rows } = await listTransferCandidates(db, {
    unnotified: true,
    by: new Date(now.getTime() + noticeWithinMs),
  })
  const rules: NoticeRules = { cutOver, limits, now }
  const due = rows.filter(row => decideNotice(row, undefined, rules).kind === 'ask')
  const asked = await askEach(due, async row => await providers.payments.readPayment(row.paymentIntentId, signal), {
    concurrency: questionsAtOnce,
    isTimeUp: () => isHalfOver(now, timeoutMs, clock),
    signal,
  })
  const answers = new Map(due.map((row, index) => [row.paymentTransferId, asked[index] ?? { kind: 'left' as const }]))
  return { rows, answers, cutOver, limits, left }
}

/** The mark on the row and the notice are one transaction, so that nobody is told twice, and nobody is forgotten. */
async function tell(effect: TellUpcoming, { clock, db, lease, runId }: JobContext): Promise<Applied> {
  const result = await recordUpcomingPayout(db, effect, { lease: requireLease(lease), runId, now: clock() })
  // No money has moved: the amount is what the notice is about.
  return { counts: { [result]: 1 }, amountCents: 0 }
}

function toEffect(
  row: TransferCandidate,
  { eligibleFrom, paidAt }: { readonly eligibleFrom: Date; readonly paidAt: Date },
): TellUpcoming {
  const { amountCents, appointmentEndsAt, currency, paymentTransferId, status: expectedStatus } = row
  return {
    kind: 'tell-upcoming-payout',
    subject: `payment_transfers ${paymentTransferId}`,
    amountCents,
    currency,
    paidAt,
    appointmentEndsAt,
    eligibleFrom,
    paymentTransferId,
    expectedStatus,
  }
}

function untilOf({ until }: { readonly until?: Date }): { until?: Date } {
  return until === undefined ? {} : { until }
}
