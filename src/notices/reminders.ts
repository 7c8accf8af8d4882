import type { Db } from '../database/connection.ts'
import type { Lease } from '../database/leases.ts'
import { findMeetings, type MeetingDetails } from '../database/meetings.ts'
import { lockLease } from '../database/money-operations.ts'
import type { Notice } from './notice.ts'
import { guestRecipient } from './recipients.ts'
import { type NoticeToRecord, recordNotices } from './record.ts'
import { describeAppointment } from './reminder-facts.ts'
import { closesAt, judgePayment, occurrenceOf, type ReminderRule } from './reminder-rules.ts'

export type Party = 'expert' | 'guest'

/** A reminder of one party, as it was decided; nothing in it is personal. */
export interface Reminder {
  /** Which meeting and which party, as `subjectOf` writes it. */
  readonly subject: string
  readonly startsAt: Date
  /** BCP 47. */
  readonly locale: string
  /** IANA. */
  readonly timeZone: string
  /** Notices of this start that its recipient has already; none unless given. */
  readonly earlier?: number
}

/** Whose reminder of which meeting. */
export interface About {
  readonly meetingId: string
  readonly party: Party
}

/** Reasons for which a notice was dropped that do not stand against a new one, should its reason pass. */
export const takenBackReasons = ['moved', 'refunded', 'unpaid', 'deleted', 'recipient_changed'] as const

export interface Reminding {
  readonly rule: ReminderRule
  readonly lease: Lease
  readonly runId: string
  readonly now: Date
}

/** What a reminder is about. */
export function subjectOf({ meetingId, party }: About): string {
  return `meetings ${meetingId} ${party}`
}

/** The reverse of `subjectOf`. Throws for any other subject. */
export function readSubject(subject: string): About {
  const [, meetingId, party] = /^meetings ([0-9a-f-]{36}) (guest|expert)$/.exec(subject) ?? []
  if (meetingId === undefined || party === undefined) throw new Error(`${subject} is not of a reminder`)
  return { meetingId, party: party as Party }
}

/** A reminder, and why it will not go; it goes without a reason. */
export interface DecidedReminder {
  readonly reminder: Reminder
  readonly reason?: string | undefined
}

export type Reminded = 'queued' | 'dropped' | 'no_address' | 'changed'

/**
 * Writes down that parties are to be reminded, or why they are not, in one transaction that requires the run's lease, and
 * in as many statements for a hundred as for one. Of each: `changed` when the appointment is not as it was decided about,
 * or the notice exists. Throws StopRunError.
 */
export async function recordReminders(
  db: Db,
  decided: readonly DecidedReminder[],
  reminding: Reminding,
): Promise<readonly Reminded[]> {
  return await db.transaction().execute(async trx => {
    await lockLease(trx, reminding.lease)
    const ids = decided.map(({ reminder }) => readSubject(reminder.subject).meetingId)
    const meetings = await findMeetings(trx, ids)
    const drafts = decided.map((each, index) => toDraft(each, meetings.get(ids[index] ?? ''), reminding))
    const notices = drafts.filter(draft => draft !== undefined)
    const fresh = await recordNotices(trx, notices)
    const isNew = new Map(notices.map((notice, index) => [notice, fresh[index] === true]))
    return drafts.map((draft): Reminded => {
      if (draft === undefined || isNew.get(draft) !== true) return 'changed'
      if (draft.end === undefined) return 'queued'
      return draft.end.note === 'no_address' ? 'no_address' : 'dropped'
    })
  })
}

/** Undefined where the appointment is not any more as it was decided about. */
function toDraft(
  { reason, reminder }: DecidedReminder,
  meeting: MeetingDetails | undefined,
  reminding: Reminding,
): NoticeToRecord | undefined {
  if (meeting === undefined || !isAsDecided(meeting, reminder)) return undefined
  const { party } = readSubject(reminder.subject)
  const recipient = party === 'expert' ? meeting.expert : guestRecipient(meeting.guest_email)
  const note = recipient === undefined ? 'no_address' : reason
  const notice = toNotice(reminder, meeting, recipient ?? 'nobody', reminding)
  return note === undefined ? notice : { ...notice, end: { state: 'dropped', note } }
}

function isAsDecided(meeting: MeetingDetails, { startsAt }: Reminder): boolean {
  const { has_payment: hasPayment, payment_status: paymentStatus, price: priceCents } = meeting
  const payment = judgePayment({ paymentStatus, hasPayment, priceCents })
  return meeting.starts_at.getTime() === startsAt.getTime() && payment === 'paid'
}

function toNotice(reminder: Reminder, meeting: MeetingDetails, recipient: string, reminding: Reminding): Notice {
  const { earlier = 0, startsAt, subject } = reminder
  const { now, rule, runId } = reminding
  return {
    kind: rule.kind,
    subject,
    recipient,
    occurrence: occurrenceOf(startsAt, earlier),
    facts: describeAppointment(readSubject(subject), meeting, reminder),
    runId,
    at: now,
    usefulUntil: closesAt(rule, startsAt),
  }
}
