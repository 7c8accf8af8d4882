import type { Db } from '../database/connection.ts'
import { type HeldLease, lockLease } from '../database/money-operations.ts'
import { insertNotice } from '../database/outbox.ts'
import {
  type ExpectedHold,
  type HoldDetails,
  lockHold,
  stampReminder,
  subjectOfPayment,
} from '../database/reservations.ts'
import type { Booking } from '../providers/payments.ts'
import type { FactsOf } from './facts.ts'
import { guestReader, guestRecipient } from './recipients.ts'
import { recordNotice, transactionIdOf } from './record.ts'
import type { DropReason, VoucherReminderKind } from './voucher-rules.ts'

/** A reminder of a voucher, as it was decided; nothing in it is personal. */
export interface PaymentReminder extends ExpectedHold {
  readonly reminder: VoucherReminderKind
}

export interface TellingGuest {
  readonly lease: HeldLease
  readonly runId: string
  readonly now: Date
}

/** A booking whose voucher waits and can be paid. */
export type PayableBooking = Booking & { readonly voucher: NonNullable<Booking['voucher']> }

/** What telling a guest came to: `queued` when their notice is written; `zone_invalid` when it is, and the zone that is stored for them is none. */
export type Told = 'queued' | 'zone_invalid' | 'no_address' | 'changed'

/**
 * Stamps the hold, as the old job did, and writes the reminder, in one transaction that requires the run's lease.
 * `changed` when the hold is not as it was decided about, or the reminder exists. Throws StopRunError.
 */
export async function recordPaymentReminder(
  db: Db,
  reminder: PaymentReminder,
  booking: PayableBooking,
  usefulUntil: Date,
  telling: TellingGuest,
): Promise<Told> {
  const stage = reminder.reminder === 'payment-reminder-gentle' ? 'gentle' : 'urgent'
  return await db.transaction().execute(async trx => {
    await lockLease(trx, telling.lease)
    const hold = await stampReminder(trx, reminder, stage, telling.now)
    if (hold === undefined) return 'changed'
    const { facts, invalidZone } = toFacts(hold, booking)
    const recipient = guestRecipient(hold.guest_email) ?? nobody
    const isNew = await recordNotice(trx, toNotice(reminder, recipient, facts, usefulUntil, telling))
    if (!isNew) return 'changed'
    return invalidZone ? 'zone_invalid' : 'queued'
  })
}

/** Writes down that a reminder will never be sent, and why, as `recordPaymentReminder` would write the reminder; no stamp. */
export async function recordDroppedReminder(
  db: Db,
  reminder: PaymentReminder,
  reason: DropReason,
  telling: TellingGuest,
): Promise<'dropped' | 'changed'> {
  return await db.transaction().execute(async trx => {
    await lockLease(trx, telling.lease)
    const hold = await lockHold(trx, reminder)
    if (hold === undefined) return 'changed'
    // So that another voucher, which ends later, is told from this one.
    const facts = { voucherExpiresAt: (reminder.anewUntil ?? reminder.expiresAt).toISOString() }
    const notice = toNotice(reminder, guestRecipient(hold.guest_email) ?? nobody, facts, null, telling)
    const end = { state: 'dropped', note: reason } as const
    return (await insertNotice(trx, { ...notice, end, transactionId: transactionIdOf(notice) })) ? 'dropped' : 'changed'
  })
}

/** The recipient of what nobody can be told. */
const nobody = 'nobody'

function toNotice(
  { anewUntil, paymentIntentId, reminder: kind, takenBack = 0 }: PaymentReminder,
  recipient: string,
  facts: Readonly<Record<string, unknown>>,
  usefulUntil: Date | null,
  { now: at, runId }: TellingGuest,
) {
  const subject = subjectOfPayment(paymentIntentId)
  const occurrence = occurrenceOf(paymentIntentId, anewUntil, takenBack)
  return { kind, subject, recipient, occurrence, facts, runId, at, usefulUntil }
}

/**
 * What tells reminders of a payment's further vouchers, by their ends, from those of its first one, and one that makes up
 * for a notice that was taken back from that notice.
 */
function occurrenceOf(paymentIntentId: string, anewUntil: Date | undefined, takenBack: number): string {
  const further = anewUntil === undefined ? [] : [anewUntil.toISOString()]
  return [paymentIntentId, ...further, ...(takenBack === 0 ? [] : [takenBack + 1])].join(' ')
}

/** The payment of an occurrence. */
export function paymentOf(occurrence: string): string {
  return occurrence.split(' ', 1)[0] ?? ''
}

function toFacts(hold: HoldDetails, booking: PayableBooking) {
  const { amountCents, currency, paymentIntentId, voucher } = booking
  const { common, invalidZone } = describeHold(hold, booking)
  const facts: FactsOf<'payment-reminder-gentle'> = {
    ...common,
    paymentIntentId,
    durationMinutes: Math.max(0, Math.round((hold.ends_at.getTime() - hold.starts_at.getTime()) / 60_000)),
    amountCents,
    currency,
    entity: voucher.entity,
    reference: voucher.reference,
    voucherExpiresAt: voucher.expiresAt.toISOString(),
    voucherUrl: voucher.url,
  }
  return { facts, invalidZone }
}

/** What every notice about a hold says: the guest's own words from the payment, else from the meeting, else nothing. */
export function describeHold(hold: HoldDetails, booking: Booking) {
  const guestName = booking.guestName ?? toName(hold.guest_name)
  const { invalidZone, reader } = guestReader({
    paymentLocale: booking.locale,
    timeZone: hold.meeting_zone ?? booking.timeZone,
    email: hold.guest_email,
    name: guestName,
  })
  const common: FactsOf<'reservation-expired'> = {
    reservationId: hold.id,
    guestName,
    expertName: toName(hold.first_name, hold.last_name) ?? '',
    serviceName: hold.service_name?.trim() ?? '',
    startsAt: hold.starts_at.toISOString(),
    reader,
  }
  return { common, invalidZone }
}

function toName(...parts: readonly (string | null)[]): string | null {
  const name = parts
    .map(part => part?.trim() ?? '')
    .filter(Boolean)
    .join(' ')
  return name === '' ? null : name
}
