import { sql } from 'kysely'
import type { Db } from '../../src/database/connection.ts'
import type { PaymentTransferStatus } from '../../src/database/tables.ts'

/** A booking as the site writes it: expert, event, meeting and the row of its money. Times are UTC. */
export interface NewBooking {
  /** Added as a user unless somebody has the name already. */
  readonly expert?: string
  /** False for an expert whom nobody adds. */
  readonly hasUser?: boolean
  /** The account that the row names. */
  readonly account?: string
  /** The account that the expert has today; the row's unless given. */
  readonly currentAccount?: string | null
  readonly country?: string | null
  readonly paymentIntentId?: string
  readonly status?: PaymentTransferStatus
  readonly amountCents?: number
  readonly currency?: string
  readonly startsAt?: string
  /** Null for a booking without a meeting. */
  readonly meetingEndsAt?: string | null
  /** Null for an event that is gone; the row keeps its id. */
  readonly durationMinutes?: number | null
  readonly eventId?: string
  readonly createdAt?: string
  readonly requiresApproval?: boolean | null
  readonly approvedBy?: string | null
  readonly transferId?: string | null
  readonly payoutId?: string | null
  readonly retryCount?: number | null
  readonly notifiedAt?: string | null
  readonly serviceName?: string | null
  /** The client was given a voucher and has not paid it. */
  readonly isUnpaid?: boolean
}

let last = 0

/**
 * Adds a booking that was paid long ago, of an expert in Portugal, unless told otherwise; gives the row's id. Its guest has
 * planted data that must never be shown.
 */
export async function addBooking(db: Db, booking: NewBooking = {}): Promise<number> {
  const number = (last += 1)
  const { account = 'acct_1', createdAt = '2026-02-20T10:00:00Z', startsAt = '2026-02-25T09:00:00Z' } = booking
  const { durationMinutes = 60, expert = `user_${number}`, paymentIntentId = `pi_${number}` } = booking
  const eventId = booking.eventId ?? `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
  const { country = 'PT', currentAccount = account, meetingEndsAt = '2026-02-25T10:00:00Z' } = booking
  if (booking.hasUser !== false) await addUser(db, expert, currentAccount, country)
  if (durationMinutes !== null) {
    await sql`
      insert into events (id, name, slug, "durationInMinutes", "clerkUserId")
      values (${eventId.toLowerCase()}::uuid, 'Consultation', 'consultation', ${durationMinutes}, ${expert})
      on conflict (id) do nothing`.execute(db)
  }
  if (meetingEndsAt !== null) {
    await sql`
      insert into meetings ("eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime", timezone,
        "stripePaymentIntentId", "stripePaymentStatus")
      values (${eventId.toLowerCase()}::uuid, ${expert}, 'planted@guest.example', 'Planted Guest', ${new Date(startsAt)},
        ${new Date(meetingEndsAt)}, 'Europe/Lisbon', ${paymentIntentId},
        ${booking.isUnpaid === true ? 'pending' : 'succeeded'})`.execute(db)
  }
  const { rows } = await sql<{ id: number }>`
    insert into payment_transfers (payment_intent_id, checkout_session_id, event_id, expert_connect_account_id,
      expert_clerk_user_id, amount, currency, platform_fee, session_start_time, scheduled_transfer_time, status,
      transfer_id, payout_id, retry_count, requires_approval, admin_user_id, notified_at, service_name, guest_name, guest_email,
      guest_phone, admin_notes, created, updated)
    values (${paymentIntentId}, ${`cs_${number}`}, ${eventId}, ${account}, ${expert}, ${booking.amountCents ?? 8_500},
      ${booking.currency ?? 'eur'}, 1500, ${new Date(startsAt)}, '2099-01-01', ${booking.status ?? 'READY'},
      ${booking.transferId ?? null}, ${booking.payoutId ?? null}, ${booking.retryCount ?? 0},
      ${booking.requiresApproval ?? null}, ${booking.approvedBy ?? null}, ${toTime(booking.notifiedAt)},
      ${booking.serviceName ?? null}, 'Planted Guest', 'planted@guest.example', '+351 912 345 678', 'planted note',
      ${new Date(createdAt)}, ${new Date(createdAt)})
    returning id`.execute(db)
  return rows[0]?.id ?? 0
}

/** Adds a user with an account, unless somebody has the name already. */
export async function addUser(
  db: Db,
  expert: string,
  account: string | null,
  country: string | null = 'PT',
): Promise<void> {
  await sql`insert into users ("clerkUserId", email, country, stripe_connect_account_id)
    values (${expert}, ${`${expert}@expert.example`}, ${country}, ${account})
    on conflict ("clerkUserId") do nothing`.execute(db)
}

function toTime(text: string | null | undefined): Date | null {
  return text === null || text === undefined ? null : new Date(text)
}
