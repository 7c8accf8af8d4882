import type { PayloadOf } from '../catalogue.ts'
import { daysUntil, toDay, toDecimal, toTime } from './phrases.ts'
import type { Wanted } from '../render.ts'
import { wordingFor } from './wording.ts'

/** Asks a guest to pay a voucher before its deadline, by the guest's own clock. */
export function renderPaymentReminder(
  { facts, now, reader }: Wanted<'payment-reminder-gentle' | 'payment-reminder-urgent'>,
  reminderType: 'gentle' | 'urgent',
): PayloadOf<'multibanco-payment-reminder'> {
  const expiresAt = new Date(facts.voucherExpiresAt)
  return {
    ...toBooking({ facts, reader }),
    timezone: reader.timeZone,
    customerName: facts.guestName?.trim() || wordingFor(reader).unnamedReader,
    duration: facts.durationMinutes,
    multibancoEntity: facts.entity,
    multibancoReference: facts.reference,
    multibancoAmount: toDecimal(facts.amountCents, facts.currency),
    voucherExpiresAt: `${toDay(expiresAt, reader)}, ${toTime(expiresAt, reader)}`,
    hostedVoucherUrl: facts.voucherUrl ?? '',
    reminderType,
    // Days of the guest's calendar, so that the number and the date beside it agree.
    daysRemaining: Math.max(0, daysUntil(expiresAt, now, reader)),
    locale: reader.language,
  }
}

/** Tells a guest that a voucher was not paid in time and the time is free again. */
export function renderReservationExpired({
  facts,
  reader,
}: Wanted<'reservation-expired'>): PayloadOf<'reservation-expired'> {
  return {
    ...toBooking({ facts, reader }),
    timezone: reader.timeZone,
    clientName: facts.guestName?.trim() || wordingFor(reader).unnamedReader,
    locale: reader.language,
    recipientType: 'patient',
  }
}

function toBooking({ facts, reader }: Pick<Wanted<'reservation-expired'>, 'facts' | 'reader'>) {
  const words = wordingFor(reader)
  const startsAt = new Date(facts.startsAt)
  return {
    expertName: facts.expertName.trim() || words.unnamedExpert,
    serviceName: facts.serviceName.trim() || words.appointment,
    appointmentDate: toDay(startsAt, reader),
    appointmentTime: toTime(startsAt, reader),
  }
}
