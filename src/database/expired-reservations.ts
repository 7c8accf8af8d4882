import { sql } from 'kysely'
import type { Db } from './connection.ts'
import { details, type ExpectedHold, hasAddress, type HoldDetails } from './reservations.ts'

/** Most holds of a kind that one run takes on, so that its memory does not grow with the table. */
export const maxShortHolds = 10_000
export const maxExpiredVouchers = 1_000

export interface HoldIds {
  readonly ids: readonly string[]
  /** How many more there are. */
  readonly left: number
}

/** Holds of a checkout that nobody finished: past their time, and without any payment. Oldest first. */
export async function listShortHolds(db: Db, now: Date, limit = maxShortHolds): Promise<HoldIds> {
  return await readIds(
    db,
    sql`select r.id, count(*) over ()::integer as total from slot_reservations r
      where r.expires_at < ${now}::timestamp and r.stripe_payment_intent_id is null
      order by r.expires_at, r.id limit ${limit}`,
  )
}

export interface DeletedHolds {
  readonly deleted: number
  /** Meetings of their slots that wait for a payment, which no hold keeps. */
  readonly unheld: readonly string[]
}

/** Deletes those of these holds that still have no payment and are past their time. */
export async function deleteShortHolds(db: Db, ids: readonly string[], now: Date): Promise<DeletedHolds> {
  const { rows } = await sql<DeletedHolds>`
    with gone as (
      delete from slot_reservations r
      where r.id = any(${[...ids]}::uuid[]) and r.stripe_payment_intent_id is null and r.expires_at < ${now}::timestamp
      returning r.event_id, r.start_time
    )
    select (select count(*) from gone)::integer as deleted,
      array(select distinct m.id::text from gone r join meetings m on ${isUnheldAt(now)} order by 1) as unheld`.execute(
    db,
  )
  return rows[0] ?? { deleted: 0, unheld: [] }
}

/** Deletes those of these holds whose meeting is paid, or was; returns how many went. */
export async function deleteBookedHolds(db: Db, ids: readonly string[], now: Date): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from slot_reservations r
    where r.id = any(${[...ids]}::uuid[]) and r.expires_at < ${now}::timestamp and exists (select from meetings m
      where m."stripePaymentIntentId" = r.stripe_payment_intent_id and m."stripePaymentStatus" in ('succeeded', 'refunded'))
  `.execute(db)
  return Number(numAffectedRows ?? 0n)
}

/**
 * Holds of a checkout that still runs, where the same guest has another hold of the same slot: one with a voucher, else a
 * newer one. A hold with a payment is never superfluous. The unique constraints, either form, count letters and spaces of an address.
 */
export async function listDuplicateHolds(db: Db, now: Date, limit = maxShortHolds): Promise<HoldIds> {
  return await readIds(
    db,
    sql`select r.id, count(*) over ()::integer as total from slot_reservations r
      where ${isDuplicate(now)} order by r.id limit ${limit}`,
  )
}

/** Deletes those of these holds whose better one is still there, in one statement; returns how many went. */
export async function deleteDuplicateHolds(db: Db, ids: readonly string[], now: Date): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from slot_reservations r where r.id = any(${[...ids]}::uuid[]) and ${isDuplicate(now)}`.execute(db)
  return Number(numAffectedRows ?? 0n)
}

/** Without an address nobody knows whether two guests are one. No checkout lasts a day, so that the index of ends helps. */
function isDuplicate(now: Date) {
  return sql`r.stripe_payment_intent_id is null and btrim(r.guest_email) <> ''
    and r.expires_at >= ${now}::timestamp and r.expires_at < ${now}::timestamp + interval '1 day'
    and exists (select from slot_reservations k
      where k.event_id = r.event_id and k.start_time = r.start_time and k.id <> r.id
        and lower(btrim(k.guest_email)) = lower(btrim(r.guest_email)) and k.expires_at >= ${now}::timestamp
        and (k.stripe_payment_intent_id is not null or (k.created_at, k.id) > (r.created_at, r.id)))`
}

async function readIds(db: Db, query: ReturnType<typeof sql>): Promise<HoldIds> {
  const { rows } = await (query as ReturnType<typeof sql<{ id: string; total: number }>>).execute(db)
  return { ids: rows.map(({ id }) => id), left: (rows[0]?.total ?? 0) - rows.length }
}

/** A hold with a payment whose time is over; nothing in it is personal. */
export interface ExpiredVoucherRow {
  readonly id: string
  readonly payment_intent_id: string
  readonly expires_at: Date
  readonly starts_at: Date
  readonly has_address: boolean
  readonly meeting_id: string | null
  readonly meeting_status: string | null
  readonly booked_otherwise: boolean
}

export interface ExpiredVouchers {
  readonly rows: readonly ExpiredVoucherRow[]
  readonly left: number
}

const isUnpaidWithout = sql`m."stripePaymentIntentId" is null and coalesce(m."stripePaymentStatus", 'pending') in ('pending', 'failed')`

/**
 * Holds with a payment whose time is over, and what the marketplace knows about their bookings, in one query. Where there
 * are more than the limit, others have their turn at another hour, so that those which are kept crowd nobody out.
 */
export async function listExpiredVouchers(db: Db, now: Date, limit = maxExpiredVouchers): Promise<ExpiredVouchers> {
  const turn = now.toISOString().slice(0, 13)
  const { rows } = await sql<ExpiredVoucherRow & { total: number }>`
    with expired as materialized (
      select r.*, count(*) over ()::integer as total from slot_reservations r
      where r.expires_at < ${now}::timestamp and r.stripe_payment_intent_id is not null
    ), chosen as materialized (
      select * from expired
      order by case when total > ${limit} then md5(id || ' ' || ${turn}::text) end, expires_at, id limit ${limit}
    )
    select r.id, r.stripe_payment_intent_id as payment_intent_id, date_trunc('milliseconds', r.expires_at) as expires_at,
      r.start_time as starts_at, ${hasAddress} as has_address,
      coalesce(own.id::text, other.id) as meeting_id, coalesce(own.status, other.status) as meeting_status,
      coalesce(other.booked, false) as booked_otherwise, r.total
    from chosen r
    left join lateral (select m.id, coalesce(m."stripePaymentStatus", 'pending') as status from meetings m
      where m."stripePaymentIntentId" = r.stripe_payment_intent_id
      order by m."stripePaymentStatus" in ('succeeded', 'refunded') desc nulls last limit 1) own on true
    left join lateral (
      select min(m.id::text) filter (where ${isUnpaidWithout}) as id,
        min(coalesce(m."stripePaymentStatus", 'pending')) filter (where ${isUnpaidWithout}) as status,
        bool_or(m."stripePaymentStatus" = 'succeeded') as booked
      from meetings m
      where m."eventId" = r.event_id and m."startTime" = r.start_time
        and m."stripePaymentIntentId" is distinct from r.stripe_payment_intent_id
        and lower(btrim(m."guestEmail")) = lower(btrim(r.guest_email)) and btrim(r.guest_email) <> '') other on true
    order by r.expires_at, r.id`.execute(db)
  return { rows, left: (rows[0]?.total ?? 0) - rows.length }
}

/**
 * Deletes a hold whose time is over, and gives its details; undefined when it is gone, has another payment, or was extended
 * meanwhile, which wins.
 */
export async function deleteExpiredVoucher(
  db: Db,
  { paymentIntentId, reservationId }: Pick<ExpectedHold, 'paymentIntentId' | 'reservationId'>,
  now: Date,
): Promise<HoldDetails | undefined> {
  const { rows } = await sql<HoldDetails>`
    delete from slot_reservations r
    where r.id = ${reservationId}::uuid and r.stripe_payment_intent_id = ${paymentIntentId}
      and r.expires_at < ${now}::timestamp
    returning ${details}`.execute(db)
  return rows[0]
}

/** A meeting that is not paid and stands in the way of its slot. */
export interface UnpaidMeeting {
  readonly kind: UnpaidMeetingKind
  readonly id: string
  /** A hold of its slot that is over shows it. */
  readonly by_hold: boolean
}

export const unpaidMeetingKinds = ['meeting-blocks-slot', 'meeting-without-hold'] as const
export type UnpaidMeetingKind = (typeof unpaidMeetingKinds)[number]

const maxUnpaidMeetings = 500

/**
 * Meetings ahead that are not paid: those of slots whose ten minutes are over, where no hold of the meeting's payment
 * keeps the slot; and those that an open finding of these kinds names and that still are so.
 */
export async function listUnpaidMeetings(db: Db, now: Date): Promise<readonly UnpaidMeeting[]> {
  const { rows } = await sql<UnpaidMeeting>`
    select kind, id, bool_or(by_hold) as by_hold from (
      select 'meeting-without-hold' as kind, m.id, true as by_hold from slot_reservations r
      join meetings m on ${isUnheldAt(now)}
      where r.expires_at < ${now}::timestamp and r.stripe_payment_intent_id is null
      union
      select f.kind, m.id, false from jobs.findings f
      join meetings m on m.id = substr(f.subject, length('meetings ') + 1)::uuid
      where f.kind = any(${[...unpaidMeetingKinds]}::text[]) and f.state <> 'resolved' and ${isUnpaidAhead(now)}
        and (f.kind = 'meeting-blocks-slot' or ${hasNoHold})) u
    group by kind, id order by kind, id limit ${maxUnpaidMeetings}`.execute(db)
  return rows
}

/** A meeting `m` of the slot of a hold `r` waits for a payment that no hold keeps. */
function isUnheldAt(now: Date) {
  return sql`m."eventId" = r.event_id and m."startTime" = r.start_time and ${isUnpaidAhead(now)}
    and m."stripePaymentIntentId" is not null and ${hasNoHold}`
}

function isUnpaidAhead(now: Date) {
  return sql`m."startTime" > ${now}::timestamp and coalesce(m."stripePaymentStatus", 'pending') in ('pending', 'failed')`
}

const hasNoHold = sql`not exists (select from slot_reservations h
  where h.stripe_payment_intent_id = m."stripePaymentIntentId")`
