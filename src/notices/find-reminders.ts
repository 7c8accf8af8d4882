import type { Db } from '../database/connection.ts'
import { countAfter, listUntold, type MeetingQuery, type MeetingRow } from '../database/meetings.ts'
import { decideReminder, missedForMs, type ReminderFacts, type ReminderRule } from './reminder-rules.ts'
import { takenBackReasons } from './reminders.ts'

/** What there is to do for one kind of reminder, and what is known of those for whom there is nothing to do yet. */
export interface FoundReminders {
  /** Appointments with a party to remind, or to write off; those whose window closes first come first. */
  readonly due: readonly MeetingRow[]
  /** Some of those that wait. */
  readonly waiting: readonly MeetingRow[]
  /** How many more wait. */
  readonly unread: number
  /** Appointments that this run did not even read. */
  readonly left: number
}

interface Bounds {
  readonly now: Date
  readonly signal: AbortSignal
  /** Most appointments that one run takes on, so that its memory does not grow with the table. */
  readonly maxDue?: number
  readonly pageSize?: number
}

const waitsShown = 500

/** Reads page by page, first where the window is open, then where it has closed. No decision is made here for good. */
export async function findReminders(db: Db, rule: ReminderRule, bounds: Bounds): Promise<FoundReminders> {
  const { maxDue = 2_500, now, pageSize = 1_000, signal } = bounds
  const due: MeetingRow[] = []
  const waiting: MeetingRow[] = []
  let [left, unread] = [0, 0]
  for (const query of queriesOf(rule, now)) {
    let after: MeetingRow | undefined
    let isWhole = false
    while (!isWhole && due.length < maxDue) {
      signal.throwIfAborted()
      const page = await listUntold(db, query, { after, limit: pageSize })
      for (const row of page) {
        const { kind } = decideReminder(rule, toReminderFacts(row), now)
        if (kind === 'tell' || kind === 'drop') due.push(row)
        else if (kind === 'wait' && waiting.length < waitsShown) waiting.push(row)
        else if (kind === 'wait') unread += 1
      }
      after = page.at(-1) ?? after
      isWhole = page.length < pageSize
    }
    if (!isWhole) left += await countAfter(db, query, after)
  }
  return { due, waiting, unread, left }
}

/** A row in the words of the rules. */
export function toReminderFacts(row: MeetingRow): ReminderFacts {
  return {
    startsAt: row.starts_at,
    createdAt: row.created_at,
    paymentStatus: row.payment_status,
    hasPayment: row.has_payment,
    priceCents: row.price,
  }
}

/** The starts whose window is open now, and those whose window has closed and that may not be accounted for. */
function queriesOf({ closesMs, kind, opensMs }: ReminderRule, now: Date): readonly MeetingQuery[] {
  const shift = (ms: number): Date => new Date(now.getTime() + ms)
  const shared = { kind, takenBack: takenBackReasons }
  return [
    { ...shared, from: shift(closesMs), to: shift(opensMs), maybePaid: false },
    { ...shared, from: shift(-missedForMs), to: shift(closesMs - 1), maybePaid: true },
  ]
}
