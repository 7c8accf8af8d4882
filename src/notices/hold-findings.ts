/** What a person must look at about holds and their vouchers; nothing in it is personal. */

/** Stripe does not know the payment of a hold, and never will. */
export function toUnknownVoucher(reservationId: string, code: string) {
  return {
    kind: 'voucher-unknown',
    subject: `slot_reservations ${reservationId}`,
    message:
      'Stripe does not know the payment of this hold, so it is kept and its guest hears nothing: correct ' +
      'slot_reservations.stripe_payment_intent_id, or delete the hold if the slot is to be free',
    details: { code },
  }
}

/** The money of a hold is there, and its booking is not. */
export function toPaidVoucher(reservationId: string, meetingId: string | undefined) {
  const booking =
    meetingId === undefined ? 'the site made no meeting of it' : `the site still has meeting ${meetingId} as unpaid`
  return {
    kind: 'voucher-paid-unnoticed',
    subject: `slot_reservations ${reservationId}`,
    message:
      `Stripe says that the voucher of this hold was paid, and ${booking}: the hold is kept; send payment_intent.succeeded ` +
      'to the site once more from the dashboard of Stripe, or refund the guest and delete the hold',
  }
}

/** Money that is on its way for so long may never arrive, and the slot stays taken. */
export function toSettlingTooLong(reservationId: string) {
  return {
    kind: 'hold-settles-too-long',
    subject: `slot_reservations ${reservationId}`,
    message:
      'Stripe says that the payment of this hold is still processing, more than ten days after the end of the hold, which is ' +
      'kept meanwhile: look at the payment at Stripe, and ask its support; to free the slot, delete the hold, and refund the ' +
      'guest should the money arrive',
  }
}

/** A meeting that nobody will pay for keeps its slot taken. */
export function toBlockedSlot(meetingId: string) {
  return {
    kind: 'meeting-blocks-slot',
    subject: `meetings ${meetingId}`,
    message:
      'the voucher of this booking lapsed unpaid and its hold is gone, but the meeting is still there: the slot looks ' +
      'free, and whoever pays for it next is refunded; cancel or delete the meeting on the site',
  }
}

/** A meeting waits for its payment, and nothing keeps its slot. */
export function toUnheldMeeting(meetingId: string) {
  return {
    kind: 'meeting-without-hold',
    subject: `meetings ${meetingId}`,
    message:
      'the payment of this booking is open, and the site has no hold for it: the slot looks free, and the second of two ' +
      'who pay for it is refunded; look at the payment at Stripe: while it waits, hold the slot on the site, else cancel ' +
      'the meeting',
  }
}

/** The zone that is stored for a guest does not exist. */
export function toInvalidZone(paymentIntentId: string) {
  return {
    kind: 'zone-invalid',
    subject: `payment_intents ${paymentIntentId}`,
    message:
      'the time zone of the meeting of this payment does not exist: correct meetings.timezone; the guest is told the time ' +
      'in UTC meanwhile',
  }
}
