import { sql } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import type { Arena, MoneyJob } from './money-arena.ts'

/**
 * What is owed: `create` a charge without a transfer, so that one has to be made; `record` a destination charge, whose
 * transfer has to be written down; `payout` two rows whose money lies on the expert's account.
 */
export type Flow = 'create' | 'record' | 'payout'

export const jobOf: Readonly<Record<Flow, MoneyJob>> = {
  create: 'process-expert-transfers',
  record: 'process-expert-transfers',
  payout: 'process-pending-payouts',
}

export interface Due {
  readonly flow: Flow
  readonly account: string
  readonly rowIds: readonly number[]
  /** Cents that may leave, all of its rows together. */
  readonly entitledCents: number
}

const dayMs = 24 * 60 * 60_000

/** Something that is due now, with so much money beside it that paying twice would succeed. */
export async function addDue(arena: Arena, flow: Flow, amountCents = 6000): Promise<Due> {
  const account = arena.stripe.addAccount({})
  const expert = await addExpert(arena, account)
  const rowIds = [(await addBooking(arena, { flow, account, expert, amountCents })).id]
  if (flow === 'payout') {
    rowIds.push((await addBooking(arena, { flow, account, expert, amountCents })).id)
    arena.stripe.credit(account, 10 * amountCents)
  }
  return { flow, account, rowIds, entitledCents: flow === 'record' ? 0 : amountCents * rowIds.length }
}

/** An expert of the marketplace with a Connect account; gives the Clerk id. */
export async function addExpert({ db }: Pick<Arena, 'db'>, account: string): Promise<string> {
  const expert = `user_${uuidv7()}`
  await sql`
    insert into users ("clerkUserId", email, stripe_connect_account_id, country)
    values (${expert}, ${`${expert}@experts.example`}, ${account}, 'PT')`.execute(db)
  return expert
}

export interface BookingOrder {
  readonly flow: Flow
  readonly account: string
  readonly expert: string
  readonly amountCents: number
  /** Twelve unless given; the appointment was a day after, and the money is there since two. */
  readonly paidDaysAgo?: number
}

export interface BookedRow {
  readonly id: number
  readonly paymentIntentId: string
  readonly chargeId: string
  readonly transferId: string | null
}

/** A booking whose waiting times are over, unless told otherwise, and its row. */
export async function addBooking(arena: Pick<Arena, 'db' | 'now' | 'stripe'>, order: BookingOrder): Promise<BookedRow> {
  const { account, amountCents, expert, flow, paidDaysAgo = 12 } = order
  const at = (days: number): Date => new Date(arena.now().getTime() - days * dayMs)
  const feeCents = 1000
  const paid = arena.stripe.pay({
    // Without a destination twice as much, so that Stripe would let a second transfer out of the same charge.
    amountCents: flow === 'create' ? 2 * amountCents + feeCents : amountCents + feeCents,
    ...(flow === 'create' ? {} : { feeCents, destination: account }),
    paidAt: at(paidDaysAgo),
    availableAt: at(paidDaysAgo - 2),
  })
  const status = flow === 'payout' ? 'COMPLETED' : 'PENDING'
  const transferId = flow === 'payout' ? paid.transferId : null
  const starts = at(paidDaysAgo - 1)
  const ends = new Date(starts.getTime() + 3_600_000)
  const { rows } = await sql<{ id: number }>`
    with event as (
      insert into events (name, slug, "durationInMinutes", "clerkUserId")
      values ('Consultation', ${uuidv7()}, 60, ${expert}) returning id
    ), meeting as (
      insert into meetings ("eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime", timezone,
        "stripePaymentIntentId")
      select id, ${expert}, 'guest@guests.example', 'Guest', ${starts}::timestamp, ${ends}::timestamp, 'Europe/Lisbon',
        ${paid.paymentIntentId} from event
    )
    insert into payment_transfers (payment_intent_id, checkout_session_id, event_id, expert_connect_account_id,
      expert_clerk_user_id, amount, currency, platform_fee, session_start_time, scheduled_transfer_time, status,
      transfer_id, service_name, created, updated)
    select ${paid.paymentIntentId}, ${uuidv7()}, id::text, ${account}, ${expert}, ${amountCents}, 'EUR', ${feeCents},
      ${starts}::timestamp, ${ends}::timestamp, ${status}::payment_transfer_status_enum, ${transferId}, 'Consultation',
      ${at(paidDaysAgo)}::timestamp, ${at(paidDaysAgo)}::timestamp from event
    returning id`.execute(arena.db)
  return { ...paid, id: rows[0]?.id ?? 0 }
}
