import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'

export interface DemoExpert {
  readonly clerkUserId: string
  readonly firstName: string
  readonly lastName: string
  readonly country: string
  readonly timezone: string
}

/** The demo's experts, from the first zone on Earth to begin a day to one of the last. */
export const demoExperts: readonly DemoExpert[] = [
  expert('user_demo_tia', 'Tia', 'Tebano', 'KI', 'Pacific/Kiritimati'),
  expert('user_demo_aroha', 'Aroha', 'Ngata', 'NZ', 'Pacific/Auckland'),
  expert('user_demo_ravi', 'Ravi', 'Menon', 'IN', 'Asia/Kolkata'),
  expert('user_demo_ines', 'Inês', 'Carvalho', 'PT', 'Europe/Lisbon'),
  expert('user_demo_bruno', 'Bruno', 'Azevedo', 'BR', 'America/Sao_Paulo'),
  expert('user_demo_grace', 'Grace', 'Okafor', 'US', 'America/Los_Angeles'),
]

export interface DemoCounts {
  readonly experts: number
  readonly blockedDates: number
  /** Blocked dates whose day is over at the moment of the demo: the ones that cleaning up deletes. */
  readonly blockedDatesOver: number
}

// In days from the expert's own today.
const daysOver = [-30, -3, -1]
const daysAhead = [0, 1, 14]

/** Fills an empty marketplace with a small believable demo, the same one at the same `now`. */
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

function expert(
  clerkUserId: string,
  firstName: string,
  lastName: string,
  country: string,
  timezone: string,
): DemoExpert {
  return { clerkUserId, firstName, lastName, country, timezone }
}

async function insertExperts(db: Db): Promise<void> {
  const experts = sql`jsonb_to_recordset(${JSON.stringify(demoExperts)})
    as e ("clerkUserId" text, "firstName" text, "lastName" text, country text, timezone text)`
  await sql`
    insert into users ("clerkUserId", email, first_name, last_name, country)
    select "clerkUserId", lower("clerkUserId") || '@example.com', "firstName", "lastName", country from ${experts}`.execute(
    db,
  )
  await sql`
    insert into profiles ("clerkUserId", "firstName", "lastName", "isVerified", published)
    select "clerkUserId", "firstName", "lastName", true, true from ${experts}`.execute(db)
  await sql`
    insert into schedules ("clerkUserId", timezone) select "clerkUserId", timezone from ${experts}`.execute(db)
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
