import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../../src/database/connection.ts'

/** An appointment as the site writes it. Times are UTC. */
export interface NewMeeting {
  readonly id?: string
  readonly startsAt: string
  readonly minutes?: number
  readonly createdAt?: string
  readonly expert?: string
  readonly guestEmail?: string
  readonly guestName?: string
  readonly timezone?: string
  readonly meetingUrl?: string | null
  readonly status?: string | null
  readonly paymentIntentId?: string | null
  readonly sessionId?: string | null
  readonly price?: number
}

export interface NewExpert {
  readonly clerkId: string
  readonly country?: string | null
  readonly firstName?: string | null
  readonly lastName?: string | null
  /** Null for one without a schedule. */
  readonly timezone?: string | null
}

/** Adds an expert as the site knows them: a user and a schedule. */
export async function addExpert(db: Db, expert: NewExpert): Promise<void> {
  const { clerkId, country = 'PT', firstName = 'Ana', lastName = 'Reis', timezone = 'Europe/Lisbon' } = expert
  await sql`insert into users ("clerkUserId", email, country, first_name, last_name)
    values (${clerkId}, ${`${clerkId}@experts.example`}, ${country}, ${firstName}, ${lastName})`.execute(db)
  if (timezone === null) return
  await sql`insert into schedules (timezone, "clerkUserId") values (${timezone}, ${clerkId})`.execute(db)
}

let last = 0

/** Adds a paid appointment that was booked long ago, unless told otherwise; gives its id. */
export async function addMeeting(db: Db, meeting: NewMeeting): Promise<string> {
  last += 1
  const { createdAt = '2025-01-01T00:00:00Z', expert = 'user_ana', id = randomUUID(), minutes = 50 } = meeting
  const {
    guestEmail = `guest-${last}@example.com`,
    guestName = 'Rui Costa',
    meetingUrl = null,
    price = 7_000,
  } = meeting
  const { paymentIntentId = `pi_meeting_${last}`, sessionId = null, status = 'succeeded', startsAt } = meeting
  const endsAt = new Date(Date.parse(startsAt) + minutes * 60_000)
  await sql`
    with event as (
      insert into events (name, slug, "durationInMinutes", "clerkUserId", price)
      values ('Consultation', 'consultation', ${minutes}, ${expert}, ${price}) returning id
    )
    insert into meetings (id, "eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime", timezone,
      "meetingUrl", "stripePaymentIntentId", "stripeSessionId", "stripePaymentStatus", "createdAt")
    select ${id}::uuid, event.id, ${expert}, ${guestEmail}, ${guestName}, ${new Date(startsAt)}::timestamp,
      ${endsAt}::timestamp, ${meeting.timezone ?? 'Europe/Lisbon'}, ${meetingUrl}, ${paymentIntentId}, ${sessionId},
      ${status}, ${new Date(createdAt)}::timestamp
    from event`.execute(db)
  return id
}

/** Moves an appointment, as the site does. */
export async function moveMeeting(db: Db, id: string, startsAt: string): Promise<void> {
  await sql`update meetings set "startTime" = ${new Date(startsAt)}::timestamp,
    "endTime" = ${new Date(startsAt)}::timestamp + ("endTime" - "startTime") where id = ${id}::uuid`.execute(db)
}
