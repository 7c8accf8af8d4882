import { sql } from 'kysely'
import type { Db } from '../../database/connection.ts'
import type { RowChanges } from './case.ts'
import { type ExpertName, experts } from './experts.ts'

/** One row of payment_transfers, with the meeting it belongs to. */
export interface BookingRow extends RowChanges {
  readonly id: number
  readonly paymentIntentId: string
  readonly expert: ExpertName
  readonly clerkUserId: string
  readonly account: string
  readonly amount: number
  readonly currency: string
  readonly fee: number
  readonly startsAt: Date
  readonly endsAt: Date
  readonly createdAt: Date
  /** Neither its event nor its meeting is there any more. */
  readonly isGone: boolean
}

const names = Object.keys(experts) as readonly ExpertName[]
export const serviceName = 'First consultation'
export const appointmentMinutes = 60

/** Writes the bookings as the site would have: their events, meetings and rows, all or none. */
export async function insertBookings(db: Db, rows: readonly BookingRow[]): Promise<void> {
  await db.transaction().execute(async tx => {
    await insertEvents(tx)
    const json = JSON.stringify(
      rows.map(row => ({ ...row, eventId: eventIdOf(row), guest: `guest-${row.id}@example.com` })),
    )
    await sql`
      insert into meetings ("eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime", timezone,
        "stripePaymentIntentId", "stripePaymentStatus", "createdAt")
      select "eventId", "clerkUserId", guest, 'Demo guest', "startsAt", "endsAt", 'Europe/Lisbon', "paymentIntentId",
        'succeeded', "createdAt"
      from jsonb_to_recordset(${json}) as r ("eventId" uuid, "clerkUserId" text, guest text, "startsAt" timestamp,
        "endsAt" timestamp, "paymentIntentId" text, "createdAt" timestamp, "isGone" boolean)
      where not "isGone"`.execute(tx)
    await insertRows(tx, json)
  })
}

/** The event of an expert: the same id in every demo. */
export function eventIdOf({
  expert,
  isGone = false,
}: {
  readonly expert: ExpertName
  readonly isGone?: boolean
}): string {
  const number = isGone ? 999 : names.indexOf(expert) + 1
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
}

async function insertEvents(tx: Db): Promise<void> {
  const events = names.map(expert => ({ id: eventIdOf({ expert }), expert: experts[expert].clerkUserId }))
  await sql`
    insert into events (id, name, slug, "durationInMinutes", "clerkUserId", price)
    select id, ${serviceName}, 'first-consultation', ${appointmentMinutes}, expert, 6000
    from jsonb_to_recordset(${JSON.stringify(events)}) as r (id uuid, expert text)
    on conflict (id) do nothing`.execute(tx)
}

async function insertRows(tx: Db, json: string): Promise<void> {
  await sql`
    insert into payment_transfers (id, payment_intent_id, checkout_session_id, event_id, expert_connect_account_id,
      expert_clerk_user_id, amount, currency, platform_fee, session_start_time, scheduled_transfer_time, status,
      transfer_id, payout_id, stripe_error_code, retry_count, requires_approval, admin_user_id, guest_name, guest_email,
      service_name, created, updated)
    select id, "paymentIntentId", 'cs_demo_' || id, "eventId", account, "clerkUserId", amount, currency, fee, "startsAt",
      date_trunc('day', greatest("createdAt" + interval '7 days', "endsAt" + interval '1 day')) + interval '28 hours',
      status::payment_transfer_status_enum, transfer_id, payout_id, stripe_error_code, coalesce(retry_count, 0),
      requires_approval, admin_user_id, 'Demo guest', guest, ${serviceName}, "createdAt", "createdAt"
    from jsonb_to_recordset(${json}) as r (id integer, "paymentIntentId" text, "eventId" text, account text,
      "clerkUserId" text, amount integer, currency text, fee integer, "startsAt" timestamp, "endsAt" timestamp,
      status text, transfer_id text, payout_id text, stripe_error_code text, retry_count integer,
      requires_approval boolean, admin_user_id text, guest text, "createdAt" timestamp)`.execute(tx)
}
