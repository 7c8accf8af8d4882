import {
  deleteBookedHolds,
  deleteDuplicateHolds,
  deleteShortHolds,
  type ExpiredVoucherRow,
  type ExpiredVouchers,
  type HoldIds,
  listDuplicateHolds,
  listExpiredVouchers,
  listShortHolds,
  listUnpaidMeetings,
  type UnpaidMeeting,
  unpaidMeetingKinds,
} from '../database/expired-reservations.ts'
import { askBookings, failAll } from '../facts/ask-bookings.ts'
import { isHalfOver } from '../facts/ask-each.ts'
import type { Asked } from '../money/asked.ts'
import { endLapsedHold } from '../notices/expired-holds.ts'
import {
  toBlockedSlot,
  toInvalidZone,
  toPaidVoucher,
  toUnheldMeeting,
  toUnknownVoucher,
} from '../notices/hold-findings.ts'
import { decideHold, type ExpiredHold } from '../notices/hold-rules.ts'
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

/** Rows that one statement deletes. */
export const rowsPerDelete = 2_500
const questionsAtOnce = 8
const timeoutMs = 5 * 60_000

export interface CleanupFacts {
  readonly short: HoldIds
  readonly duplicates: HoldIds
  readonly vouchers: ExpiredVouchers
  /** By payment; nothing for a hold about which nobody had to be asked. */
  readonly answers: ReadonlyMap<string, Asked<Booking>>
  readonly unpaidMeetings: readonly UnpaidMeeting[]
}

export interface DeleteHolds extends Effect {
  readonly kind: 'delete-checkout-holds' | 'delete-booked-holds' | 'delete-duplicate-holds'
  readonly ids: readonly string[]
}

export interface EndVoucherHold extends Effect, ExpiredHold {
  readonly kind: 'end-voucher-hold'
  /** As it looks now: what Stripe says right before it counts. */
  readonly reason: string
  readonly tells: boolean
  readonly reservationId: string
  readonly paymentIntentId: string
}

export const cleanupExpiredReservations = defineJob({
  name: 'cleanup-expired-reservations',
  summary:
    'Frees slots whose hold is over, asks Stripe before it drops one with a voucher, and tells guests whose voucher lapsed.',
  class: 'revenue',
  priority: 'high',
  cron: '*/15 * * * *',
  timeZone: 'UTC',
  timeoutMs,
  retries: 3,
  movesMoney: false,
  tellsPeople: true,
  heartbeat: 'BETTERSTACK_CLEANUP_RESERVATIONS_HEARTBEAT',
  standingFindings: [...unpaidMeetingKinds, 'voucher-paid-unnoticed', 'voucher-unknown'],
  parse: () => undefined,
  gather: gatherFacts,
  plan: planCleanup,
  apply: cleanUp,
})

const meetingFindings = { 'meeting-blocks-slot': toBlockedSlot, 'meeting-without-hold': toUnheldMeeting }

/** Which holds go at `now`, and why the others are kept. */
export function planCleanup(facts: CleanupFacts, now: Date): Plan<DeleteHolds | EndVoucherHold> {
  const { duplicates, short, unpaidMeetings, vouchers } = facts
  const booked: string[] = []
  const ends: EndVoucherHold[] = []
  const waits: Wait[] = []
  const failures: ItemFailure[] = []
  const findings: FindingDraft[] = unpaidMeetings.map(({ id, kind }) => meetingFindings[kind](id))
  let left = short.left + duplicates.left + vouchers.left
  for (const row of vouchers.rows) {
    const subject = `slot_reservations ${row.id}`
    const answer = facts.answers.get(row.payment_intent_id)
    const hold = toHold(row)
    const decision = decideHold(hold, answer?.kind === 'known' ? answer.value : undefined, now)
    if (decision.kind === 'delete' && decision.reason === 'booked') booked.push(row.id)
    else if (decision.kind === 'delete') ends.push(toEnd(row, hold, decision))
    else if (decision.kind === 'keep') {
      waits.push({ subject, reason: decision.reason, ...(decision.until && { until: decision.until }) })
      if (decision.reason === 'paid') findings.push(toPaidVoucher(row.id, row.meeting_id ?? undefined))
    } else if (answer?.kind === 'failed') failures.push(toFailure(subject, answer.code))
    else if (answer?.kind === 'refused') findings.push(toUnknownVoucher(row.id, answer.code))
    else left += 1
  }
  return {
    effects: [
      ...toDeletes('delete-checkout-holds', short.ids),
      ...toDeletes('delete-booked-holds', booked),
      ...toDeletes('delete-duplicate-holds', duplicates.ids),
      ...ends,
    ],
    waits,
    failures,
    findings,
    left,
    counts: { voucher_holds: vouchers.rows.length, asked: facts.answers.size },
  }
}

async function gatherFacts(context: JobContext): Promise<CleanupFacts> {
  const { db, now } = context
  const short = await listShortHolds(db, now)
  const duplicates = await listDuplicateHolds(db, now)
  const vouchers = await listExpiredVouchers(db, now)
  const unpaidMeetings = await listUnpaidMeetings(db, now)
  const due = vouchers.rows.filter(row => decideHold(toHold(row), undefined, now).kind === 'ask')
  const answers = await askStripe(
    due.map(row => row.payment_intent_id),
    context,
  )
  return { short, duplicates, vouchers, unpaidMeetings, answers }
}

/** Without Stripe each hold with a voucher fails and is kept; the others go all the same. */
async function askStripe(ids: readonly string[], context: JobContext): Promise<CleanupFacts['answers']> {
  const { clock, ledger, now, providers, signal } = context
  if (ids.length === 0) return new Map()
  try {
    await ledger.checkAccount(context)
    const isTimeUp = (): boolean => isHalfOver(now, timeoutMs, clock)
    return await askBookings(ids, providers.payments, { concurrency: questionsAtOnce, isTimeUp, signal })
  } catch (thrown) {
    signal.throwIfAborted()
    return failAll(ids, thrown)
  }
}

const deletes = {
  'delete-checkout-holds': deleteShortHolds,
  'delete-booked-holds': deleteBookedHolds,
  'delete-duplicate-holds': deleteDuplicateHolds,
}

async function cleanUp(effect: DeleteHolds | EndVoucherHold, context: JobContext): Promise<Applied> {
  if (effect.kind === 'end-voucher-hold') return await endHold(effect, context)
  const deleted = await deletes[effect.kind](context.db, effect.ids, context.clock())
  return { counts: { deleted, changed: effect.ids.length - deleted } }
}

/** Asks once more, because nothing of a guest's words may be in a plan; what is true now counts. */
async function endHold(effect: EndVoucherHold, context: JobContext): Promise<Applied> {
  const { clock, db, job, lease, providers, runId, signal } = context
  if (lease === undefined) throw new Error('a hold was to be ended by a run without a lease')
  const booking = await providers.payments.readBooking(effect.paymentIntentId, signal)
  const now = clock()
  const decision = decideHold(effect, booking, now)
  if (decision.kind !== 'delete') return { counts: { changed: 1 } }
  const { finding, invalidZone, result } = await endLapsedHold(db, { ...effect, ...decision }, booking, {
    lease,
    job,
    runId,
    now,
  })
  return {
    counts: {
      ...(result === 'changed' ? { changed: 1 } : { deleted: 1, [decision.reason]: 1, [result]: 1 }),
      ...(invalidZone ? { invalid_zones: 1 } : {}),
    },
    findings: [
      ...(finding === undefined ? [] : [{ ...finding, isRecorded: true }]),
      ...(invalidZone ? [toInvalidZone(effect.paymentIntentId)] : []),
    ],
  }
}

function toDeletes(kind: DeleteHolds['kind'], ids: readonly string[]): DeleteHolds[] {
  return Array.from({ length: Math.ceil(ids.length / rowsPerDelete) }, (_, index) => {
    const some = ids.slice(index * rowsPerDelete, (index + 1) * rowsPerDelete)
    return { kind, subject: `slot_reservations ${some[0]} and ${some.length - 1} more`, ids: some }
  })
}

function toHold(row: ExpiredVoucherRow): ExpiredHold {
  const { meeting_id: id, meeting_status: paymentStatus } = row
  return {
    startsAt: row.starts_at,
    expiresAt: row.expires_at,
    hasAddress: row.has_address,
    meeting: id === null ? undefined : { id, paymentStatus },
    isBookedOtherwise: row.booked_otherwise,
  }
}

function toEnd(
  { id: reservationId, payment_intent_id: paymentIntentId }: ExpiredVoucherRow,
  hold: ExpiredHold,
  { reason, tells }: Pick<EndVoucherHold, 'reason' | 'tells'>,
): EndVoucherHold {
  const subject = `slot_reservations ${reservationId}`
  return { kind: 'end-voucher-hold', subject, reason, tells, reservationId, paymentIntentId, ...hold }
}

function toFailure(subject: string, code: string): ItemFailure {
  return { subject, code, message: 'Stripe did not tell about the voucher of this hold: it is kept until a later run' }
}
