import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { type DemoExpert, demoExperts, insertExperts } from './demo/experts.ts'

export { type DemoExpert, demoExperts } from './demo/experts.ts'

export interface DemoCounts {
  readonly experts: number
  readonly blockedDates: number
  /** Blocked dates whose day is over at the moment of the demo: the ones that cleaning up deletes. */
  readonly blockedDatesOver: number
}

// In days from the expert's own today.
const daysOver = [-30, -3, -1]
const daysAhead = [0, 1, 14]

/** Fills an empty marketplace with a small believable demo, the same one at the same `now`; `seedMoney` adds the bookings. */
export async function seedDemo(db: Db, now: Date): Promise<DemoCounts> {
  const rows = [...demoExperts.flatMap(someone => blockDays(someone, now)), ...blockDaysInNoZone(now)]
  await db.transaction().execute(async tx => {
    await insertExperts(tx)
    await sql`
      insert into blocked_dates (clerk_user_id, date, timezone, reason)
      select * from jsonb_to_recordset(${JSON.stringify(rows)})
        as r (clerk_user_id text, date date, timezone text, reason text)`.execute(tx)
  })
  return {
    experts: demoExperts.length,
    blockedDates: rows.length,
    blockedDatesOver: rows.filter(row => row.over).length,
  }
}

interface DemoBlockedDate {
  readonly clerk_user_id: string
  readonly date: string
  readonly timezone: string
  readonly reason: string
  readonly over: boolean
}

function blockDays({ clerkUserId, timezone }: DemoExpert, now: Date): DemoBlockedDate[] {
  const today = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short' }).format(now)
  return [...daysOver, ...daysAhead].map(days => ({
    clerk_user_id: clerkUserId,
    date: addDays(today, days),
    timezone,
    reason: 'Away',
    over: daysOver.includes(days),
  }))
}

/** Two rows whose zone does not exist: one whose day is over everywhere, one whose day may still be going on. */
function blockDaysInNoZone(now: Date): DemoBlockedDate[] {
  const today = now.toISOString().slice(0, 10)
  return [-5, -1].map(days => ({
    clerk_user_id: 'user_demo_ines',
    date: addDays(today, days),
    timezone: 'Lisbon',
    reason: 'Away',
    over: days < -1,
  }))
}

function addDays(date: string, days: number): string {
  const at = new Date(`${date}T00:00:00Z`)
  at.setUTCDate(at.getUTCDate() + days)
  return at.toISOString().slice(0, 10)
}
