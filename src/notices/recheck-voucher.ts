import { findHeldSlot, listPaidGuests } from '../database/reservations.ts'
import { PermanentError } from '../errors.ts'
import type { Booking } from '../providers/payments.ts'
import type { OutgoingNotice, Recheck, RecheckContext } from './notice.ts'
import { paymentOf } from './payment-reminders.ts'
import { guestRecipient } from './recipients.ts'

/**
 * A reminder of a voucher goes only while its slot is held, for the guest and the time that it tells of, and exactly that
 * voucher waits; that a reservation has expired is told only while its guest has not paid for it after all, nor for the
 * same time otherwise. Asks the marketplace and Stripe.
 */
export const recheckVoucher: Recheck = async (notice, context) => {
  const judge = notice.kind === 'reservation-expired' ? judgeExpired : judgeReminder
  const reason = await judge(notice, context)
  return reason === undefined ? { kind: 'send' } : { kind: 'drop', reason }
}

async function judgeReminder(notice: OutgoingNotice, context: RecheckContext): Promise<string | undefined> {
  const { facts, occurrence, recipient } = notice
  const paymentIntentId = paymentOf(occurrence)
  const slot = await findHeldSlot(context.db, paymentIntentId)
  if (slot === undefined) return 'hold_gone'
  if (guestRecipient(slot.guest_email) !== recipient) return 'recipient_changed'
  if (slot.starts_at.toISOString() !== facts['startsAt']) return 'moved'
  const booking = await findBooking(paymentIntentId, context)
  if (booking === undefined) return 'payment_unknown'
  const { status, voucher } = booking
  if (status === 'paid' || status === 'settling' || status === 'canceled') return status
  if (status !== 'waiting' || voucher === undefined) return 'no_voucher'
  const isSame = voucher.entity === facts['entity'] && voucher.reference === facts['reference']
  return isSame ? undefined : 'voucher_replaced'
}

async function judgeExpired(notice: OutgoingNotice, context: RecheckContext): Promise<string | undefined> {
  const { facts, occurrence, recipient } = notice
  const booking = await findBooking(paymentOf(occurrence), context)
  if (booking?.status === 'paid' || booking?.status === 'settling') return booking.status
  const guests = await listPaidGuests(context.db, new Date(facts['startsAt'] as string))
  return guests.some(email => guestRecipient(email) === recipient) ? 'booked' : undefined
}

/** Undefined for a payment that Stripe will never know. */
async function findBooking(id: string, { payments, signal }: RecheckContext): Promise<Booking | undefined> {
  try {
    return await payments.readBooking(id, signal)
  } catch (thrown) {
    if (thrown instanceof PermanentError) return undefined
    throw thrown
  }
}
