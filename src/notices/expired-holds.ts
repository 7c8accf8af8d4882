import type { Db } from '../database/connection.ts'
import { deleteExpiredVoucher, deleteShortHolds } from '../database/expired-reservations.ts'
import { recordFinding } from '../database/findings.ts'
import { lockLease } from '../database/money-operations.ts'
import { type ExpectedHold, subjectOfPayment } from '../database/reservations.ts'
import type { Booking } from '../providers/payments.ts'
import { toBlockedSlot, toUnheldMeeting } from './hold-findings.ts'
import { describeHold, type TellingGuest } from './payment-reminders.ts'
import { guestRecipient } from './recipients.ts'
import { recordNotice } from './record.ts'

/** A hold whose voucher nobody paid, as it was decided; nothing in it is personal. */
export interface LapsedHold extends Pick<ExpectedHold, 'paymentIntentId' | 'reservationId'> {
  readonly tells: boolean
  /** The meeting that keeps the slot taken. */
  readonly blockedBy: string | undefined
}

export interface EndingHold extends TellingGuest {
  readonly job: string
}

export interface EndedHold {
  /** `changed`: it was extended, replaced or deleted meanwhile, and nothing was done. */
  readonly result: 'queued' | 'untold' | 'changed'
  readonly invalidZone: boolean
  readonly finding: ReturnType<typeof toBlockedSlot> | undefined
}

/**
 * Deletes holds without a payment, and writes down in the same transaction which meetings of their slots wait for a payment
 * that no hold keeps: once the holds are gone, nothing shows it. Gives how many went.
 */
export async function deleteCheckoutHolds(
  db: Db,
  ids: readonly string[],
  { job, now, runId }: Pick<EndingHold, 'job' | 'now' | 'runId'>,
): Promise<number> {
  return await db.transaction().execute(async trx => {
    const { deleted, unheld } = await deleteShortHolds(trx, ids, now)
    for (const id of unheld) await recordFinding(trx, { ...toUnheldMeeting(id), job, runId }, now)
    return deleted
  })
}

/**
 * Deletes a hold and writes what follows, in one transaction that requires the run's lease: the notice to the guest, where
 * one is due, and the finding about a meeting that keeps the slot taken. Throws StopRunError.
 */
export async function endLapsedHold(
  db: Db,
  hold: LapsedHold,
  booking: Booking,
  { job, ...telling }: EndingHold,
): Promise<EndedHold> {
  const { now, runId } = telling
  return await db.transaction().execute(async trx => {
    await lockLease(trx, telling.lease)
    const deleted = await deleteExpiredVoucher(trx, hold, now)
    if (deleted === undefined) return { result: 'changed', invalidZone: false, finding: undefined }
    const finding = hold.blockedBy === undefined ? undefined : toBlockedSlot(hold.blockedBy)
    if (finding !== undefined) await recordFinding(trx, { ...finding, job, runId }, now)
    const recipient = guestRecipient(deleted.guest_email)
    if (!hold.tells || recipient === undefined) return { result: 'untold', invalidZone: false, finding }
    const { common: facts, invalidZone } = describeHold(deleted, booking)
    const isNew = await recordNotice(trx, {
      kind: 'reservation-expired',
      subject: subjectOfPayment(hold.paymentIntentId),
      recipient,
      occurrence: hold.paymentIntentId,
      facts,
      runId,
      at: now,
      // Of an appointment that is over nobody needs to hear.
      usefulUntil: deleted.starts_at,
    })
    return { result: isNew ? 'queued' : 'untold', invalidZone, finding }
  })
}
