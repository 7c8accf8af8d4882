import { type BlockedDate, type BlockedDates, deleteBlockedDates, listBlockedDates } from '../database/blocked-dates.ts'
import type { JobContext } from '../runner/context.ts'
import { type Applied, defineJob, type Effect, type FindingDraft, type Plan } from '../runner/define-job.ts'

/** Most rows that one run takes on, so that its memory does not grow with the table. */
export const maxRows = 5_000
/** Rows that one statement deletes. */
export const rowsPerDelete = 500

export interface DeleteBlockedDates extends Effect {
  readonly kind: 'delete-blocked-dates'
  readonly rows: readonly BlockedDate[]
}

export const cleanupBlockedDates = defineJob({
  name: 'cleanup-blocked-dates',
  summary: 'Deletes the dates that experts had blocked, once the day is over in its own time zone.',
  class: 'operational',
  priority: 'low',
  cron: '0 0 * * *',
  timeZone: 'UTC',
  timeoutMs: 2 * 60_000,
  retries: 3,
  movesMoney: false,
  heartbeat: 'BETTERSTACK_BLOCKED_DATES_HEARTBEAT',
  parse: () => undefined,
  // A zone ahead of UTC may be on tomorrow already, so that today's dates are candidates; none is further ahead.
  gather: async ({ db, now }) => await listBlockedDates(db, toUtcDay(now), maxRows),
  plan: planCleanup,
  apply: deleteRows,
})

/**
 * Which rows to delete at `now`: those whose day is over in their own zone, to the millisecond. A zone that does not
 * exist is a finding, and its row goes when the day is over everywhere on Earth.
 */
export function planCleanup({ rows, total }: BlockedDates, now: Date): Plan<DeleteBlockedDates> {
  const findToday = createCalendar(now)
  const invalid = rows.filter(row => findToday(row.timezone) === undefined)
  const lastDayOverEverywhere = toUtcDay(new Date(now.getTime() - 2 * 24 * 60 * 60_000))
  const over = rows.filter(row => {
    const today = findToday(row.timezone)
    return today === undefined ? row.date <= lastDayOverEverywhere : row.date < today
  })
  return {
    effects: chunk(over, rowsPerDelete).map(toEffect),
    findings: invalid.map(toFinding),
    left: total - rows.length,
    counts: { candidates: rows.length },
  }
}

async function deleteRows({ rows }: DeleteBlockedDates, { db }: JobContext): Promise<Applied> {
  const deleted = await deleteBlockedDates(db, rows)
  return { counts: { deleted, changed_meanwhile: rows.length - deleted } }
}

/** Today's date in a zone, or undefined for a zone that does not exist; each zone is worked out once. */
function createCalendar(now: Date): (timeZone: string) => string | undefined {
  const days = new Map<string, string | undefined>()
  return timeZone => {
    if (!days.has(timeZone)) days.set(timeZone, findDay(now, timeZone))
    return days.get(timeZone)
  }
}

function findDay(at: Date, timeZone: string): string | undefined {
  try {
    const format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    })
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]))
    return `${parts.get('year')?.padStart(4, '0')}-${parts.get('month')}-${parts.get('day')}`
  } catch {
    return undefined
  }
}

function toUtcDay(at: Date): string {
  return at.toISOString().slice(0, 10)
}

function chunk(rows: readonly BlockedDate[], size: number): BlockedDate[][] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, index) =>
    rows.slice(index * size, (index + 1) * size),
  )
}

function toEffect(rows: readonly BlockedDate[]): DeleteBlockedDates {
  return { kind: 'delete-blocked-dates', subject: `blocked_dates ${rows.map(row => row.id).join(',')}`, rows }
}

function toFinding({ id }: BlockedDate): FindingDraft {
  return {
    kind: 'blocked-date-zone',
    subject: `blocked_dates ${id}`,
    message:
      'the time zone of this blocked date does not exist: correct blocked_dates.timezone; ' +
      'the row is deleted once its day is over everywhere on earth',
  }
}
