import type { PayloadOf } from '../catalogue.ts'
import { isOneOClock, isTodayOrTomorrow, toDay, toMinutes, toTime, toTimeUntil } from './phrases.ts'
import type { Wanted } from '../render.ts'
import { type Told, wordingFor } from './wording.ts'

type AppointmentReminder = Wanted<'appointment-reminder-1h' | 'appointment-reminder-24h'>

/**
 * Reminds one party of an appointment: of the other party, by the reader's own clock, and of how long it is until then
 * right now. `urgent` is the last one before it begins.
 */
export function renderAppointmentReminder(
  wanted: AppointmentReminder,
  variant: 'reminder' | 'urgent',
): PayloadOf<'appointment-universal'> {
  const { facts, reader } = wanted
  const [startsAt, endsAt] = [new Date(facts.startsAt), new Date(facts.endsAt)]
  const toExpert = facts.party === 'expert'
  const words = wordingFor(reader)
  const guest = facts.guestName.trim()
  const expert = facts.expertName.trim()
  const service = facts.serviceName.trim()
  return {
    eventType: 'reminder',
    customerName: guest || (toExpert ? words.unnamedGuest : words.unnamedReader),
    expertName: expert || (toExpert ? words.unnamedReader : words.unnamedExpert),
    serviceName: service || words.appointment,
    appointmentDate: toDay(startsAt, reader),
    appointmentTime: toTime(startsAt, reader),
    timezone: reader.timeZone,
    ...durationOf(startsAt, endsAt, wanted),
    ...(facts.meetingUrl === null ? {} : { meetingUrl: facts.meetingUrl }),
    timeUntilAppointment: toTimeUntilStart(wanted, variant),
    message: toMessage(wanted, variant, {
      counterpart: toExpert ? guest || words.unnamedGuest : expert || words.unnamedExpert,
      service: service || undefined,
      day: toDay(startsAt, reader),
    }),
    appointmentId: facts.meetingId,
    locale: reader.language,
    userSegment: toExpert ? 'expert' : 'patient',
    templateVariant: variant,
  }
}

function toMessage(wanted: AppointmentReminder, variant: 'reminder' | 'urgent', told: Told): string {
  const { facts, now, reader } = wanted
  const startsAt = new Date(facts.startsAt)
  const words = wordingFor(reader)
  const at = words.at(toTime(startsAt, reader), isOneOClock(startsAt, reader))
  const timeUntil = toTimeUntilStart(wanted, variant)
  if (variant === 'urgent') return words.startsSoon(told, timeUntil, at)
  const worded = isTodayOrTomorrow(startsAt, now, reader) ? words.isOnDay : words.startsIn
  return worded(told, timeUntil, at)
}

/** In the last hour the day is clear. */
function toTimeUntilStart({ facts, now, reader }: AppointmentReminder, variant: 'reminder' | 'urgent'): string {
  const timeUntil = toTimeUntil(new Date(facts.startsAt), now, reader, { byDay: variant === 'reminder' })
  return timeUntil ?? wordingFor(reader).inAboutAnHour
}

/** Left out where the end makes no sense. */
function durationOf(startsAt: Date, endsAt: Date, { reader }: AppointmentReminder) {
  const minutes = Math.round((endsAt.getTime() - startsAt.getTime()) / 60_000)
  return minutes > 0 ? { appointmentDuration: toMinutes(minutes, reader) } : {}
}
