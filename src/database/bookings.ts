import { sql } from 'kysely'
import type { Booking } from '../money/eligibility.ts'
import type { Db } from './connection.ts'
import { itemOfRow } from './money-rows.ts'

/** What our database knows about the booking of a row, as far as it decides when its money may be released; currency in lower case. */
export interface BookingRow extends Booking {
  /** The expert's Connect account of today. */
  readonly currentAccount: string | null
  readonly createdAt: Date
  /** What our own operation has as its transfer, as Stripe made it or a person adopted it; null without one. */
  readonly recordedTransferId: string | null
}

/** The expert `u` and the end of the appointment `m`, `e` of rows of payment_transfers `c`. */
export const bookingJoins = sql`
    left join users u on u."clerkUserId" = c.expert_clerk_user_id
    left join events e on e.id::text = lower(c.event_id)
    left join lateral (select max(m."endTime") as ends_at from meetings m
      where m."stripePaymentIntentId" = c.payment_intent_id) m on true`

export const appointmentEndsAt = sql`
      coalesce(m.ends_at, c.session_start_time + make_interval(mins => e."durationInMinutes"))`

/** The transfer of a row `c` by our own operations. */
export const recordedTransfer = sql`(select o.stripe_id from jobs.money_operation_items i
    join jobs.money_operations o on o.id = i.operation_id
    where ${itemOfRow} and i.kind = 'transfer' and i.live and o.stripe_id is not null limit 1)`

/** The bookings of rows as they are now, by the rows' ids, in one query. */
export async function listBookings(db: Db, ids: readonly number[]): Promise<ReadonlyMap<number, BookingRow>> {
  const { rows } = await sql<BookingRow & { readonly id: number }>`
    select c.id, c.status::text as status, c.requires_approval as "requiresApproval", c.admin_user_id as "approvedBy",
      u.country, ${appointmentEndsAt} as "appointmentEndsAt", c.amount as "amountCents", lower(c.currency) as currency,
      nullif(u.stripe_connect_account_id, '') as "currentAccount", c.created as "createdAt",
      ${recordedTransfer} as "recordedTransferId"
    from payment_transfers c ${bookingJoins}
    where c.id = any(${ids}::integer[])`.execute(db)
  return new Map(rows.map(({ id, ...booking }) => [id, booking]))
}
