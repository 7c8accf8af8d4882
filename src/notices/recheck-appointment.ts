import { findMeeting, type MeetingDetails } from '../database/meetings.ts'
import type { FactsOf } from './facts.ts'
import type { OutgoingNotice, Recheck } from './notice.ts'
import { guestRecipient } from './recipients.ts'
import { describeAnew } from './reminder-facts.ts'
import { judgePayment, startOf } from './reminder-rules.ts'
import { readSubject } from './reminders.ts'

/**
 * A reminder goes only while its appointment is on, at the very time that it tells of, paid, and its person's. Whatever
 * else has changed since it was decided, as the link, it says as it is now.
 */
export const recheckAppointment: Recheck = async (notice, { db }) => {
  const about = readSubject(notice.subject)
  const meeting = await findMeeting(db, about.meetingId)
  const reason = findReason(notice, meeting)
  if (meeting === undefined || reason !== undefined) return { kind: 'drop', reason: reason ?? 'deleted' }
  return { kind: 'send', facts: describeAnew(about, meeting, notice.facts as FactsOf<'appointment-reminder-24h'>) }
}

function findReason(notice: OutgoingNotice, meeting: MeetingDetails | undefined): string | undefined {
  if (meeting === undefined) return 'deleted'
  if (meeting.starts_at.toISOString() !== startOf(notice.occurrence)) return 'moved'
  const payment = judgePayment({
    paymentStatus: meeting.payment_status,
    hasPayment: meeting.has_payment,
    priceCents: meeting.price,
  })
  if (payment !== 'paid') return payment
  const { party } = readSubject(notice.subject)
  const recipient = party === 'expert' ? meeting.expert : guestRecipient(meeting.guest_email)
  return recipient === notice.recipient ? undefined : 'recipient_changed'
}
