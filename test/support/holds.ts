import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../../src/database/connection.ts'
import type { Booking } from '../../src/providers/payments.ts'

/** A hold of a slot as the site writes it, of an expert and an event that exist. Times are UTC. */
export interface NewHold {
  /** Of one guest and slot more: the id that an earlier hold gave. */
  readonly eventId?: string
  readonly guestEmail?: string
  readonly startsAt?: string
  readonly expiresAt?: string
  readonly createdAt?: string
  /** Null for the ten minutes of a checkout. */
  readonly paymentIntentId?: string | null
  readonly gentleSentAt?: string | null
  readonly urgentSentAt?: string | null
  /** The meeting's status of payment; null for a hold without a meeting, as it is by itself. */
  readonly meeting?: string | null
  readonly meetingZone?: string
  /** Of the meeting; the hold's unless given. */
  readonly meetingPayment?: string | null
  /** False for a hold whose expert is gone. */
  readonly hasExpert?: boolean
}

export interface AddedHold {
  readonly id: string
  readonly eventId: string
  readonly meetingId: string
}

let last = 0

/** Adds a voucher's hold that was made on March 1 and expires on March 8, both at 10:00, for an appointment on March 20. */
export async function addHold(db: Db, hold: NewHold = {}): Promise<AddedHold> {
  last += 1
  const {
    createdAt = '2026-03-01T10:00:00Z',
    expiresAt = '2026-03-08T10:00:00Z',
    startsAt = '2026-03-20T15:00:00Z',
  } = hold
  const { guestEmail = `guest${last}@example.com`, meeting = null, paymentIntentId = `pi_${last}` } = hold
  const added = { id: randomUUID(), eventId: hold.eventId ?? randomUUID(), meetingId: randomUUID() }
  const expert = `user_${last}`
  const starts = new Date(startsAt)
  const ends = new Date(starts.getTime() + 50 * 60_000)
  if (hold.hasExpert !== false) {
    await sql`insert into users ("clerkUserId", email, first_name, last_name, country)
      values (${expert}, ${`${expert}@example.com`}, 'Inês', 'Costa', 'PT')`.execute(db)
  }
  await sql`insert into events (id, name, slug, "durationInMinutes", "clerkUserId")
    values (${added.eventId}::uuid, 'Consultation', 'consultation', 50, ${expert}) on conflict (id) do nothing`.execute(
    db,
  )
  await sql`insert into slot_reservations (id, event_id, clerk_user_id, guest_email, start_time, end_time, expires_at,
      stripe_payment_intent_id, gentle_reminder_sent_at, urgent_reminder_sent_at, created_at, updated_at)
    values (${added.id}::uuid, ${added.eventId}::uuid, ${expert}, ${guestEmail}, ${starts}, ${ends}, ${new Date(expiresAt)},
      ${paymentIntentId}, ${toTime(hold.gentleSentAt)}, ${toTime(hold.urgentSentAt)}, ${new Date(createdAt)},
      ${new Date(createdAt)})`.execute(db)
  if (meeting !== null) {
    await sql`insert into meetings (id, "eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime",
        timezone, "stripePaymentIntentId", "stripePaymentStatus")
      values (${added.meetingId}::uuid, ${added.eventId}::uuid, ${expert}, ${guestEmail}, 'Rui of the meeting', ${starts},
        ${ends}, ${hold.meetingZone ?? 'America/Sao_Paulo'},
        ${hold.meetingPayment === undefined ? paymentIntentId : hold.meetingPayment}, ${meeting})`.execute(db)
  }
  return added
}

/** A booking whose voucher waits until March 8, as Stripe tells of it. */
export function bookingOf(paymentIntentId: string, overrides: Partial<Booking> = {}): Booking {
  const voucher = {
    entity: '12345',
    reference: '900000001',
    expiresAt: new Date('2026-03-08T10:00:00Z'),
    url: 'https://payments.stripe.example/voucher',
  }
  const money = { amountCents: 7_000, currency: 'eur' }
  const guest = { guestName: 'Ana Maria Silva', locale: 'pt', timeZone: 'Europe/Lisbon' }
  return { paymentIntentId, status: 'waiting', ...money, voucher, ...guest, ...overrides }
}

/** The holds that are there, by id. */
export async function readHolds(db: Db): Promise<Map<string, Record<string, unknown>>> {
  const { rows } = await sql<
    Record<string, unknown> & { id: string }
  >`select * from slot_reservations order by id`.execute(db)
  return new Map(rows.map(row => [row.id, row]))
}

function toTime(text: string | null | undefined): Date | null {
  return text === null || text === undefined ? null : new Date(text)
}
