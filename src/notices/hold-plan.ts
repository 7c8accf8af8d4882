import type { ExpiredVoucherRow, ExpiredVouchers, HoldIds, UnpaidMeeting } from '../database/expired-reservations.ts'
import type { Booking } from '../providers/payments.ts'
import { toBlockedSlot, toPaidVoucher, toSettlingTooLong, toUnheldMeeting, toUnknownVoucher } from './hold-findings.ts'
import { decideHold, type ExpiredHold } from './hold-rules.ts'

/** Rows that one statement deletes. */
export const rowsPerDelete = 2_500

/** What Stripe says of a booking, or why that is not known. */
export type AskedBooking =
  | { readonly kind: 'known'; readonly value: Booking }
  | { readonly kind: 'failed' | 'refused'; readonly code: string }
  | { readonly kind: 'left' }

export interface HoldFacts {
  readonly short: HoldIds
  readonly duplicates: HoldIds
  readonly vouchers: ExpiredVouchers
  /** By payment; nothing for a hold about which nobody had to be asked. */
  readonly answers: ReadonlyMap<string, AskedBooking>
  readonly unpaidMeetings: readonly UnpaidMeeting[]
}

export interface DeleteHolds {
  readonly kind: 'delete-checkout-holds' | 'delete-booked-holds' | 'delete-duplicate-holds'
  readonly subject: string
  readonly ids: readonly string[]
}

export interface EndVoucherHold extends ExpiredHold {
  readonly kind: 'end-voucher-hold'
  readonly subject: string
  /** As it looks now: what Stripe says right before it counts. */
  readonly reason: string
  readonly tells: boolean
  readonly reservationId: string
  readonly paymentIntentId: string
}

/** The payments of holds whose end is Stripe's to decide. */
export function listPaymentsOfHolds({ rows }: ExpiredVouchers, now: Date): readonly string[] {
  const due = rows.filter(row => decideHold(toHold(row), undefined, now).kind === 'ask')
  return due.map(row => row.payment_intent_id)
}

/** Which holds go at `now`, and why the others are kept. Pure. */
export function planHolds({ answers, duplicates, short, unpaidMeetings, vouchers }: HoldFacts, now: Date) {
  const planned = vouchers.rows.map(row => planVoucher(row, answers.get(row.payment_intent_id), now))
  return {
    effects: [
      ...toDeletes('delete-checkout-holds', short.ids),
      ...toDeletes(
        'delete-booked-holds',
        planned.flatMap(({ booked }) => booked ?? []),
      ),
      ...toDeletes('delete-duplicate-holds', duplicates.ids),
      ...planned.flatMap(({ end }) => end ?? []),
    ],
    waits: planned.flatMap(({ wait }) => wait ?? []),
    failures: planned.flatMap(({ failure }) => failure ?? []),
    findings: [...unpaidMeetings.map(toMeetingFinding), ...planned.flatMap(({ finding }) => finding ?? [])],
    left: short.left + duplicates.left + vouchers.left + planned.filter(({ left }) => left === true).length,
    counts: { voucher_holds: vouchers.rows.length, asked: answers.size },
  }
}

/** What becomes of one hold with a voucher; one that comes to nothing is left for the next run. */
interface PlannedVoucher {
  readonly booked?: string
  readonly end?: EndVoucherHold
  readonly wait?: { readonly subject: string; readonly reason: string; readonly until?: Date }
  readonly failure?: ReturnType<typeof toFailure>
  readonly finding?: ReturnType<typeof toPaidVoucher>
  readonly left?: true
}

function planVoucher(row: ExpiredVoucherRow, answer: AskedBooking | undefined, now: Date): PlannedVoucher {
  const hold = toHold(row)
  const decision = decideHold(hold, answer?.kind === 'known' ? answer.value : undefined, now)
  if (decision.kind === 'delete') {
    return decision.reason === 'booked' ? { booked: row.id } : { end: toEnd(row, hold, decision) }
  }
  const subject = `slot_reservations ${row.id}`
  if (decision.kind === 'keep') {
    const { isTooLong = false, reason, until } = decision
    const wait = { subject, reason, ...(until && { until }) }
    if (reason === 'paid') return { wait, finding: toPaidVoucher(row.id, row.meeting_id ?? undefined) }
    return isTooLong ? { wait, finding: toSettlingTooLong(row.id) } : { wait }
  }
  if (answer?.kind === 'failed') return { failure: toFailure(subject, answer.code) }
  if (answer?.kind === 'refused') return { finding: toUnknownVoucher(row.id, answer.code) }
  return { left: true }
}

/** What the deletion of a hold shows is written in the same transaction: nobody could see it afterwards. */
function toMeetingFinding({ by_hold: isRecorded, id, kind }: UnpaidMeeting) {
  return kind === 'meeting-blocks-slot'
    ? toBlockedSlot(id)
    : { ...toUnheldMeeting(id), ...(isRecorded && { isRecorded }) }
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

function toFailure(subject: string, code: string) {
  return { subject, code, message: 'Stripe did not tell about the voucher of this hold: it is kept until a later run' }
}
