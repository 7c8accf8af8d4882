import type { MeetingRow } from '../database/meetings.ts'
import { type FoundReminders, toReminderFacts } from './find-reminders.ts'
import { expertReader, type FoundReader, guestReader } from './recipients.ts'
import { closesAt, decideReminder, type ReminderKind, type ReminderRule } from './reminder-rules.ts'
import { type Party, type Reminder, subjectOf } from './reminders.ts'
import { toUnreachableGuest } from './unreachable.ts'
import { toZoneFinding } from './zone-findings.ts'

/** A locale from a payment's metadata, or why there is none; the runner's word for it. */
export type AskedLocale =
  | { readonly kind: 'known'; readonly value: string | null }
  | { readonly kind: 'failed' | 'refused' | 'left' }

export interface ReminderPlanFacts extends FoundReminders {
  /** By payment; nothing for a guest who is not told now. */
  readonly locales: ReadonlyMap<string, AskedLocale>
}

export interface RemindEffect extends Reminder {
  readonly kind: 'remind'
  /** What they are told. */
  readonly notice: ReminderKind
  /** The last moment at which it helps. */
  readonly usefulUntil: Date
}

export interface DropReminderEffect extends Reminder {
  readonly kind: 'drop-reminder'
  readonly notice: ReminderKind
  readonly reason: 'too_late' | 'booked_too_late' | 'no_address'
}

export type ReminderEffect = RemindEffect | DropReminderEffect

/** The payments whose guests are told now, and whose language Stripe may know. */
export function listPaymentsToAsk(due: readonly MeetingRow[], rule: ReminderRule, now: Date): readonly string[] {
  return due.flatMap(row => {
    const isTold = decideReminder(rule, toReminderFacts(row), now).kind === 'tell'
    const { guest_told, has_address, payment_intent_id: id } = row
    return isTold && !guest_told && has_address && id !== null ? [id] : []
  })
}

/** Who is told when and in which words, who is not any more, and why the others hear nothing yet. Pure. */
export function planReminders(facts: ReminderPlanFacts, rule: ReminderRule, now: Date) {
  const planned = facts.due.flatMap(row => planMeeting(row, facts.locales, rule, now))
  const waiting = facts.waiting.flatMap(row => {
    const decision = decideReminder(rule, toReminderFacts(row), now)
    if (decision.kind !== 'wait') return []
    const { reason, until } = decision
    return [{ subject: `meetings ${row.id}`, reason, ...(until === undefined ? {} : { until }) }]
  })
  const effects = planned.flatMap(({ effect }) => effect ?? [])
  const invalid = new Set(planned.flatMap(({ invalidZone }) => invalidZone ?? []))
  return {
    // Those who can still be told come before those who are written off.
    effects: [...effects.filter(({ kind }) => kind === 'remind'), ...effects.filter(({ kind }) => kind !== 'remind')],
    waits: [...planned.flatMap(({ wait }) => wait ?? []), ...waiting],
    findings: [...[...invalid].map(toZoneFinding), ...planned.flatMap(({ unreachable }) => unreachable ?? [])],
    left: facts.left,
    unread: facts.unread,
    counts: {
      appointments: facts.due.length,
      languages_asked: facts.locales.size,
      languages_unknown: [...facts.locales.values()].filter(({ kind }) => kind !== 'known').length,
      invalid_zones: invalid.size,
    },
  }
}

interface Planned {
  readonly effect?: ReminderEffect
  readonly wait?: Wait
  readonly unreachable?: ReturnType<typeof toUnreachableGuest>
  /** Table and id of the zone that does not exist. */
  readonly invalidZone?: string | undefined
}

interface Wait {
  readonly subject: string
  readonly reason: 'language_unknown'
  readonly until: Date
}

function planMeeting(
  row: MeetingRow,
  locales: ReminderPlanFacts['locales'],
  rule: ReminderRule,
  now: Date,
): readonly Planned[] {
  const decision = decideReminder(rule, toReminderFacts(row), now)
  if (decision.kind !== 'tell' && decision.kind !== 'drop') return []
  const parties = (['guest', 'expert'] as const).filter(
    party => !(party === 'guest' ? row.guest_told : row.expert_told),
  )
  return parties.map(party => {
    const { invalidZone, reader } = readerOf(party, row, locales)
    const reminder = toReminder(party, row, reader)
    const cannot = party === 'guest' && !row.has_address ? ('no_address' as const) : undefined
    const reason = decision.kind === 'drop' ? decision.reason : cannot
    if (reason !== undefined) {
      const effect = { kind: 'drop-reminder' as const, notice: rule.kind, reason, ...reminder }
      return reason === 'no_address' ? { effect, unreachable: toUnreachableGuest(`meetings ${row.id}`) } : { effect }
    }
    const usefulUntil = closesAt(rule, row.starts_at)
    const until = new Date(usefulUntil.getTime() - rule.guessMs)
    if (party === 'guest' && now < until && mayBeAskedAgain(row, locales)) {
      return { wait: { subject: reminder.subject, reason: 'language_unknown', until } }
    }
    return {
      effect: { kind: 'remind', notice: rule.kind, ...reminder, usefulUntil },
      invalidZone: invalidZone ? zoneOf(party, row) : undefined,
    }
  })
}

/** Whether a later run may learn the language that this one could not. */
function mayBeAskedAgain({ payment_intent_id: id }: MeetingRow, locales: ReminderPlanFacts['locales']): boolean {
  const asked = id === null ? undefined : locales.get(id)
  return asked?.kind === 'failed' || asked?.kind === 'left'
}

function toReminder(party: Party, row: MeetingRow, { locale, timeZone }: FoundReader['reader']): Reminder {
  const earlier = party === 'guest' ? row.guest_earlier : row.expert_earlier
  const subject = subjectOf({ meetingId: row.id, party })
  return { subject, startsAt: row.starts_at, locale, timeZone, ...(earlier === 0 ? {} : { earlier }) }
}

function readerOf(party: Party, row: MeetingRow, locales: ReminderPlanFacts['locales']): FoundReader {
  const { country, meeting_zone: meetingZone, payment_intent_id: payment, schedule_zone: scheduleZone } = row
  if (party === 'expert') return expertReader({ country, scheduleZone, meetingZone })
  const asked = payment === null ? undefined : locales.get(payment)
  const paymentLocale = asked?.kind === 'known' ? asked.value : null
  return guestReader({ paymentLocale, timeZone: meetingZone, email: null, name: null })
}

function zoneOf(party: Party, { id, schedule_id, schedule_zone }: MeetingRow): string {
  return party === 'expert' && schedule_zone !== null ? `schedules ${schedule_id}` : `meetings ${id}`
}
