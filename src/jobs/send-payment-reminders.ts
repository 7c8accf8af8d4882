import { listVoucherHolds, type VoucherHoldRow } from '../database/reservations.ts'
import { askBookings } from '../facts/ask-bookings.ts'
import { isHalfOver } from '../facts/ask-each.ts'
import type { Asked } from '../money/asked.ts'
import { toInvalidZone, toUnknownVoucher } from '../notices/hold-findings.ts'
import {
  type PayableBooking,
  type PaymentReminder,
  recordDroppedReminder,
  recordPaymentReminder,
} from '../notices/payment-reminders.ts'
import {
  decideVoucherReminder,
  type DropReason,
  firstOpensMs,
  missedForMs,
  urgentOpensMs,
  type VoucherHold,
  type VoucherReminderKind,
} from '../notices/voucher-rules.ts'
import type { Booking } from '../providers/payments.ts'
import type { JobContext } from '../runner/context.ts'
import {
  type Applied,
  defineJob,
  type Effect,
  type FindingDraft,
  type ItemFailure,
  type Plan,
  type Wait,
} from '../runner/define-job.ts'

const questionsAtOnce = 8
const timeoutMs = 10 * 60_000

export interface ReminderFacts {
  readonly rows: readonly VoucherHoldRow[]
  /** By payment; nothing for a hold about which nobody had to be asked. */
  readonly answers: ReadonlyMap<string, Asked<Booking>>
  /** Holds that this run did not even read. */
  readonly left: number
}

export type ReminderEffect = (Effect & PaymentReminder & VoucherHold) &
  ({ readonly kind: 'remind-of-voucher' } | { readonly kind: 'drop-payment-reminder'; readonly reason: DropReason })

export const sendPaymentReminders = defineJob({
  name: 'send-payment-reminders',
  summary:
    'Reminds guests of Multibanco vouchers that wait for their payment: once gently, and once before they expire.',
  class: 'revenue',
  priority: 'high',
  cron: '0 */6 * * *',
  timeZone: 'UTC',
  timeoutMs,
  retries: 3,
  movesMoney: false,
  tellsPeople: true,
  heartbeat: 'BETTERSTACK_PAYMENT_REMINDERS_HEARTBEAT',
  standingFindings: ['voucher-unknown'],
  parse: () => undefined,
  gather: gatherFacts,
  plan: planReminders,
  apply: remind,
})

/** Whom to remind of what at `now`, what will never be sent, and why the others wait. */
export function planReminders(facts: ReminderFacts, now: Date): Plan<ReminderEffect> {
  const effects: ReminderEffect[] = []
  const waits: Wait[] = []
  const failures: ItemFailure[] = []
  const findings: FindingDraft[] = []
  let left = facts.left
  for (const row of facts.rows) {
    const answer = facts.answers.get(row.payment_intent_id)
    const booking = answer?.kind === 'known' ? answer.value : undefined
    for (const reminder of listOpen(row)) {
      const subject = `slot_reservations ${row.id} ${reminder}`
      const decision = decideVoucherReminder(reminder, toHold(row), booking, now)
      const effect = { subject, reminder, ...toHold(row), ...toExpected(row) }
      if (decision.kind === 'remind') effects.push({ kind: 'remind-of-voucher', ...effect })
      if (decision.kind === 'drop') {
        effects.push({ kind: 'drop-payment-reminder', reason: decision.reason, ...effect })
      }
      if (decision.kind === 'wait') {
        const { reason, until } = decision
        waits.push({ subject, reason, ...(until === undefined ? {} : { until }) })
      }
      if (decision.kind !== 'ask') continue
      if (answer?.kind === 'failed') failures.push(toFailure(subject, answer.code))
      else if (answer?.kind === 'refused') findings.push(toUnknownVoucher(row.id, answer.code))
      else left += 1
    }
  }
  return { effects, waits, failures, findings, left, counts: { holds: facts.rows.length, asked: facts.answers.size } }
}

async function gatherFacts(context: JobContext): Promise<ReminderFacts> {
  const { clock, db, ledger, now, providers, signal } = context
  const after = (ms: number): Date => new Date(now.getTime() + ms)
  const query = { from: after(-missedForMs), to: after(firstOpensMs), urgentTo: after(urgentOpensMs) }
  const { left, rows } = await listVoucherHolds(db, query)
  const due = rows.filter(row => isToAsk(row, now)).map(row => row.payment_intent_id)
  if (due.length === 0) return { rows, left, answers: new Map() }
  await ledger.checkAccount(context)
  const isTimeUp = (): boolean => isHalfOver(now, timeoutMs, clock)
  const answers = await askBookings(due, providers.payments, { concurrency: questionsAtOnce, isTimeUp, signal })
  return { rows, left, answers }
}

/** Asks once more, because nothing of a guest's words may be in a plan; what is true now counts. */
async function remind(
  effect: ReminderEffect,
  { clock, db, lease, providers, runId, signal }: JobContext,
): Promise<Applied> {
  if (lease === undefined) throw new Error('a notice was to be written by a run without a lease')
  if (effect.kind === 'drop-payment-reminder') {
    const result = await recordDroppedReminder(db, effect, effect.reason, { lease, runId, now: clock() })
    return { counts: { [result]: 1, ...(result === 'dropped' ? { [effect.reason]: 1 } : {}) } }
  }
  const booking = await providers.payments.readBooking(effect.paymentIntentId, signal)
  const now = clock()
  const decision = decideVoucherReminder(effect.reminder, effect, booking, now)
  if (decision.kind !== 'remind' || !isPayable(booking)) return { counts: { changed: 1 } }
  const result = await recordPaymentReminder(db, effect, booking, decision.usefulUntil, { lease, runId, now })
  if (result !== 'zone_invalid') return { counts: { [result]: 1 } }
  return { counts: { told: 1, invalid_zones: 1 }, findings: [toInvalidZone(effect.paymentIntentId)] }
}

function isPayable(booking: Booking): booking is PayableBooking {
  return booking.voucher !== undefined
}

function isToAsk(row: VoucherHoldRow, now: Date): boolean {
  return listOpen(row).some(reminder => decideVoucherReminder(reminder, toHold(row), undefined, now).kind === 'ask')
}

function listOpen({ gentle_open: gentle, urgent_open: urgent }: VoucherHoldRow): readonly VoucherReminderKind[] {
  return [
    ...(gentle ? ['payment-reminder-gentle' as const] : []),
    ...(urgent ? ['payment-reminder-urgent' as const] : []),
  ]
}

function toHold({
  created_at: issuedAt,
  expires_at: expiresAt,
  has_address: hasAddress,
  starts_at: startsAt,
}: VoucherHoldRow): VoucherHold {
  return { issuedAt, expiresAt, startsAt, hasAddress }
}

function toExpected({ id: reservationId, payment_intent_id: paymentIntentId }: VoucherHoldRow) {
  return { reservationId, paymentIntentId }
}

function toFailure(subject: string, code: string): ItemFailure {
  return {
    subject,
    code,
    message: 'Stripe did not tell about the voucher of this hold: its guest is reminded by a later run',
  }
}
