import type { MeetingDetails } from '../database/meetings.ts'
import type { FactsOf, Reader } from './facts.ts'
import { expertReader, guestReader } from './recipients.ts'
import type { About } from './reminders.ts'

type ReminderFacts = FactsOf<'appointment-reminder-24h'>

/** What a party is reminded of, as the marketplace has the appointment. The reader's language and clock are given. */
export function describeAppointment(
  { meetingId, party }: About,
  meeting: MeetingDetails,
  { locale, timeZone }: Pick<Reader, 'locale' | 'timeZone'>,
): ReminderFacts {
  const expertName = [meeting.first_name, meeting.last_name].map(name => name?.trim() ?? '').filter(Boolean)
  return {
    party,
    meetingId,
    guestName: meeting.guest_name.trim(),
    expertName: expertName.join(' '),
    serviceName: meeting.service_name,
    startsAt: meeting.starts_at.toISOString(),
    endsAt: meeting.ends_at.toISOString(),
    meetingUrl: toUrl(meeting.meeting_url),
    reader: { ...readerOf(party, meeting, null), language: languageOf(locale), locale, timeZone },
  }
}

/** The same of an appointment as it is by now; only the language of a guest stays, because Stripe alone knows it. */
export function describeAnew(about: About, meeting: MeetingDetails, told: ReminderFacts): ReminderFacts {
  return describeAppointment(about, meeting, readerOf(about.party, meeting, told.reader.locale))
}

function readerOf(party: About['party'], meeting: MeetingDetails, guestLocale: string | null): Reader {
  const { country, meeting_zone: meetingZone, schedule_zone: scheduleZone } = meeting
  if (party === 'guest') {
    const { guest_email: email, guest_name: name } = meeting
    return guestReader({ paymentLocale: guestLocale, timeZone: meetingZone, email, name }).reader
  }
  const { expert_email: email, first_name: firstName, last_name: lastName } = meeting
  return expertReader({ country, scheduleZone, meetingZone, email, firstName, lastName }).reader
}

function languageOf(locale: string): Reader['language'] {
  const language = locale.slice(0, 2)
  return language === 'pt' || language === 'es' ? language : 'en'
}

function toUrl(stored: string | null): string | null {
  const url = stored?.trim() ?? ''
  return url === '' ? null : url
}
