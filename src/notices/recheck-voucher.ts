import { findHoldEnd } from '../database/reservations.ts'
import { PermanentError } from '../errors.ts'
import type { Booking } from '../providers/payments.ts'
import type { Recheck, RecheckContext } from './notice.ts'
import { paymentOf } from './payment-reminders.ts'

/**
 * A reminder of a voucher goes only while its slot is held and exactly that voucher waits; that a reservation has expired
 * is told only while nobody has paid for it after all. Asks the hold and Stripe.
 */
export const recheckVoucher: Recheck = async (notice, context) => {
  const reason = await findReason(notice, context)
  return reason === undefined ? { kind: 'send' } : { kind: 'drop', reason }
}

async function findReason(
  { facts, kind, occurrence }: Parameters<Recheck>[0],
  context: RecheckContext,
): Promise<string | undefined> {
  const paymentIntentId = paymentOf(occurrence)
  const isReminder = kind !== 'reservation-expired'
  if (isReminder && (await findHoldEnd(context.db, paymentIntentId)) === undefined) return 'hold_gone'
  const booking = await findBooking(paymentIntentId, context)
  if (booking === undefined) return isReminder ? 'payment_unknown' : undefined
  const { status, voucher } = booking
  if (status === 'paid' || status === 'settling') return status
  if (!isReminder) return undefined
  if (status === 'canceled') return status
  if (status !== 'waiting' || voucher === undefined) return 'no_voucher'
  const isSame = voucher.entity === facts['entity'] && voucher.reference === facts['reference']
  return isSame ? undefined : 'voucher_replaced'
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
