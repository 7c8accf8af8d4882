import { requireLease } from '../database/leases.ts'
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
import { toUnreachableGuest } from '../notices/unreachable.ts'
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
export function planReminders({ answers, left, rows }: ReminderFacts, now: Date): Plan<ReminderEffect> {
  const planned = rows.flatMap(row =>
    listOpen(row).map(reminder => planReminder(row, reminder, answers.get(row.payment_intent_id), now)),
  )
  return {
    effects: planned.flatMap(({ effect }) => effect ?? []),
    waits: planned.flatMap(({ wait }) => wait ?? []),
    failures: planned.flatMap(({ failure }) => failure ?? []),
    findings: planned.flatMap(({ finding }) => finding ?? []),
    left: left + planned.filter(one => one.left === true).length,
    counts: { holds: rows.length, asked: answers.size },
  }
}

/** What becomes of one reminder of a hold; one about which nobody could be asked in time is left for the next run. */
interface PlannedReminder {
  readonly effect?: ReminderEffect
  readonly wait?: Wait
  readonly failure?: ItemFailure
  readonly finding?: FindingDraft
  readonly left?: true
}

function planReminder(
  row: VoucherHoldRow,
  reminder: VoucherReminderKind,
  answer: Asked<Booking> | undefined,
  now: Date,
): PlannedReminder {
  const subject = `slot_reservations ${row.id} ${reminder}`
  const booking = answer?.kind === 'known' ? answer.value : undefined
  const decision = decideVoucherReminder(reminder, toHold(row), booking, now)
  if (decision.kind === 'ask') {
    if (answer?.kind === 'failed') return { failure: toFailure(subject, answer.code) }
    if (answer?.kind === 'refused') return { finding: toUnknownVoucher(row.id, answer.code) }
    return { left: true }
  }
  const other = findOther(row, reminder, booking)
  if (other === 'none') return { wait: { subject, reason: 'told_before' } }
  if (decision.kind === 'wait') {
    const { reason, until } = decision
    return { wait: { subject, reason, ...(until === undefined ? {} : { until }) } }
  }
  const isUrgent = reminder === 'payment-reminder-urgent'
  const takenBack = isUrgent ? row.urgent_taken_back : row.gentle_taken_back
  const toldElsewhere = isUrgent ? row.urgent_elsewhere : row.gentle_elsewhere
  const again = {
    ...(other !== undefined && { anewUntil: other }),
    ...(takenBack > 0 && { takenBack }),
    ...(toldElsewhere && { toldElsewhere }),
  }
  const effect = { subject, reminder, ...toHold(row), ...toExpected(row), ...again }
  if (decision.kind === 'remind') return { effect: { kind: 'remind-of-voucher', ...effect } }
  const drop = { effect: { kind: 'drop-payment-reminder' as const, reason: decision.reason, ...effect } }
  if (decision.reason !== 'no_address') return drop
  return { ...drop, finding: toUnreachableGuest(`slot_reservations ${row.id}`) }
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
  { clock, db, lease: held, providers, runId, signal }: JobContext,
): Promise<Applied> {
  const lease = requireLease(held)
  if (effect.kind === 'drop-payment-reminder') {
    const result = await recordDroppedReminder(db, effect, effect.reason, { lease, runId, now: clock() })
    return { counts: { [result]: 1, ...(result === 'dropped' ? { [effect.reason]: 1 } : {}) } }
  }
  const booking = await providers.payments.readBooking(effect.paymentIntentId, signal)
  const now = clock()
  const decision = decideVoucherReminder(effect.reminder, effect, booking, now)
  if (decision.kind !== 'remind' || !isPayable(booking) || !isMeant(effect, booking)) return { counts: { changed: 1 } }
  const result = await recordPaymentReminder(db, effect, booking, decision.usefulUntil, { lease, runId, now })
  if (result !== 'zone_invalid') return { counts: { [result]: 1 } }
  return { counts: { queued: 1, invalid_zones: 1 }, findings: [toInvalidZone(effect.paymentIntentId)] }
}

/**
 * Where a guest was told before: the end of another voucher, of which they were not, or `none`, as when a hold was only
 * extended because the money is on its way. Undefined where nobody was told yet, or what they were to be told did not go.
 */
function findOther(row: VoucherHoldRow, reminder: VoucherReminderKind, booking: Booking | undefined) {
  const isUrgent = reminder === 'payment-reminder-urgent'
  const isAnew = isUrgent ? row.urgent_anew : row.gentle_anew
  const known = isUrgent ? row.urgent_references : row.gentle_references
  const voucher = booking?.status === 'waiting' ? booking.voucher : undefined
  if (voucher !== undefined && known.includes(voucher.reference)) return 'none'
  if (!isAnew) return undefined
  return voucher === undefined ? 'none' : voucher.expiresAt
}

function isPayable(booking: Booking): booking is PayableBooking {
  return booking.voucher !== undefined
}

/** Of a further voucher: that one, and not one more. */
function isMeant({ anewUntil }: ReminderEffect, { voucher }: PayableBooking): boolean {
  return anewUntil === undefined || voucher.expiresAt.getTime() === anewUntil.getTime()
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
