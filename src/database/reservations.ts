import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** Most holds that one run takes on, so that its memory does not grow with the table. */
export const maxVoucherHolds = 2_000

const meetingOf = sql`from meetings m where m."stripePaymentIntentId" = r.stripe_payment_intent_id limit 1`

/** Of a hold `r`: its own address, else that of its meeting, else nothing that one could write to. */
const address = sql`case when strpos(r.guest_email, '@') > 0 then r.guest_email
  else coalesce((select m."guestEmail" from meetings m where m."stripePaymentIntentId" = r.stripe_payment_intent_id limit 1), '') end`

/** Whether a guest of a hold `r` can be written to. */
export const hasAddress = sql`strpos(${address}, '@') > 0`

/** Who the guest of a hold `r` is to the vendor, as notices/recipients.ts says; of use where they have an address. */
const recipient = sql`'guest_' || lower(btrim(${address}, E' \\t\\n\\r'))`

/** A notice `o` was dropped because its hold was not as it told; another one, of the hold as it is now, may follow. */
const isTakenBack = sql`(o.state = 'dropped'
  and coalesce(o.note, '') in ('hold_gone', 'moved', 'no_address', 'recipient_changed'))`

/** A hold for which a voucher was issued and of which a reminder is open; nothing in it is personal. */
export interface VoucherHoldRow {
  readonly id: string
  readonly payment_intent_id: string
  readonly created_at: Date
  readonly expires_at: Date
  readonly starts_at: Date
  readonly has_address: boolean
  readonly gentle_open: boolean
  readonly urgent_open: boolean
  /** Told of before, and the hold now ends later than that voucher did, or it was replaced: there may be another one. */
  readonly gentle_anew: boolean
  readonly urgent_anew: boolean
  /** How many notices were taken back before they went; their reasons have passed where the reminder is open. */
  readonly gentle_taken_back: number
  readonly urgent_taken_back: number
  /** The references of vouchers of which the guest was told before. */
  readonly gentle_references: readonly string[]
  readonly urgent_references: readonly string[]
  /** Somebody else was told, because the hold had another address. */
  readonly gentle_elsewhere: boolean
  readonly urgent_elsewhere: boolean
}

export interface VoucherHoldQuery {
  /** Of the hold's end: from after this moment up to and including the other. */
  readonly from: Date
  readonly to: Date
  /** Of holds that end later than this the urgent reminder is not open yet. */
  readonly urgentTo: Date
  readonly limit?: number
}

export interface VoucherHoldPage {
  /** Those that end first. */
  readonly rows: readonly VoucherHoldRow[]
  /** How many more there are. */
  readonly left: number
}

/**
 * Holds with a payment of which a reminder was neither sent by the old job, which has left its stamp, nor written down by
 * us for that payment, whatever became of it; and those that may have another voucher since. One query.
 */
export async function listVoucherHolds(
  db: Db,
  { from, limit = maxVoucherHolds, to, urgentTo }: VoucherHoldQuery,
): Promise<VoucherHoldPage> {
  const { rows } = await sql<VoucherHoldRow & { total: number }>`
    with open as (
      select r.*, g.anew as gentle_anew, u.anew as urgent_anew, g.refs as gentle_references, u.refs as urgent_references,
        g.taken_back as gentle_taken_back, u.taken_back as urgent_taken_back,
        g.elsewhere as gentle_elsewhere, u.elsewhere as urgent_elsewhere,
        g.anew or g.again or (g.untold and (g.elsewhere or r.gentle_reminder_sent_at is null)) as gentle_open,
        r.expires_at <= ${urgentTo}::timestamp
          and (u.anew or u.again or (u.untold and (u.elsewhere or r.urgent_reminder_sent_at is null))) as urgent_open
      from slot_reservations r
      cross join lateral (${toldOf('payment-reminder-gentle')}) g
      cross join lateral (${toldOf('payment-reminder-urgent')}) u
      where r.expires_at > ${from}::timestamp and r.expires_at <= ${to}::timestamp
        and r.stripe_payment_intent_id is not null
    )
    select id, stripe_payment_intent_id as payment_intent_id, created_at, date_trunc('milliseconds', expires_at) as expires_at,
      start_time as starts_at, ${hasAddress} as has_address, gentle_open, urgent_open, gentle_anew, urgent_anew,
      gentle_taken_back, urgent_taken_back, gentle_references, urgent_references, gentle_elsewhere, urgent_elsewhere,
      count(*) over ()::integer as total
    from open r where gentle_open or urgent_open
    order by r.expires_at, id limit ${limit}`.execute(db)
  return { rows, left: (rows[0]?.total ?? 0) - rows.length }
}

/** What notices about a voucher are about: the payment, because a hold may be deleted and written anew for it. */
export function subjectOfPayment(paymentIntentId: string): string {
  return `payment_intents ${paymentIntentId}`
}

/**
 * What was written down of a kind for the payment of a hold `r`; what went to another address than its guest has now tells
 * them nothing. Ends are compared as the text that facts have.
 */
function toldOf(kind: string) {
  return sql`select n.*, sent.elsewhere from (select count(*) = 0 as untold,
      count(*) filter (where ${isTakenBack})::integer as taken_back,
      coalesce((array_agg(${isTakenBack} and (o.note <> 'no_address' or ${hasAddress}) order by o.id desc))[1], false) as again,
      coalesce(array_agg(o.facts ->> 'reference')
        filter (where o.facts ->> 'reference' is not null and not ${isTakenBack}), '{}') as refs,
      coalesce((array_agg(o.note order by o.id desc))[1] = 'voucher_replaced', false)
        or coalesce(max(o.facts ->> 'voucherExpiresAt')
          < to_char(r.expires_at - interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), false) as anew
    from jobs.outbox o where ${aboutHold(kind)} and not ${isElsewhere}) n
    cross join lateral (select exists (select from jobs.outbox o where ${aboutHold(kind)} and ${isElsewhere}) as elsewhere) sent`
}

function aboutHold(kind: string) {
  return sql`o.kind = ${kind} and o.subject = 'payment_intents ' || r.stripe_payment_intent_id`
}

const isElsewhere = sql`(o.state = 'sent' and ${hasAddress} and o.recipient <> ${recipient})`

/** A hold with the names and the address that a notice about it needs. */
export interface HoldDetails {
  readonly id: string
  readonly starts_at: Date
  readonly ends_at: Date
  readonly guest_email: string
  /** As the meeting has it; null where there is none. */
  readonly guest_name: string | null
  readonly meeting_zone: string | null
  readonly service_name: string | null
  readonly first_name: string | null
  readonly last_name: string | null
}

/** Which hold is meant, as it was when that was decided. */
export interface ExpectedHold {
  readonly reservationId: string
  readonly paymentIntentId: string
  readonly expiresAt: Date
  /** The end of another voucher than the one that its guest was told of before. */
  readonly anewUntil?: Date
  /** Notices that were taken back before they went; none unless given. */
  readonly takenBack?: number
  /** Its mark is of somebody else's reminder. */
  readonly toldElsewhere?: boolean
}

/**
 * Marks a reminder of a hold as sent, as the old job did; undefined when the hold is gone, has the mark already (of an
 * earlier voucher, of a notice that was taken back, or of somebody else it may), or is another one by now: its payment or
 * its end has changed.
 */
export async function stampReminder(
  db: Db,
  { anewUntil, expiresAt, paymentIntentId, reservationId, takenBack = 0, toldElsewhere = false }: ExpectedHold,
  stage: 'gentle' | 'urgent',
  now: Date,
): Promise<HoldDetails | undefined> {
  const stamp = sql.ref(`${stage}_reminder_sent_at`)
  const mayHaveMark = toldElsewhere || anewUntil !== undefined || takenBack > 0
  const { rows } = await sql<HoldDetails>`
    update slot_reservations r set ${stamp} = ${now}, updated_at = ${now}
    where r.id = ${reservationId}::uuid and r.stripe_payment_intent_id = ${paymentIntentId}
      and (r.${stamp} is null or ${mayHaveMark}::boolean)
      and date_trunc('milliseconds', r.expires_at) = ${expiresAt}::timestamp
    returning ${details}`.execute(db)
  return rows[0]
}

/** Locks a hold that still is as it was decided about, and gives its details; undefined when it is not. */
export async function lockHold(
  db: Db,
  { expiresAt, paymentIntentId, reservationId }: ExpectedHold,
): Promise<HoldDetails | undefined> {
  const { rows } = await sql<HoldDetails>`
    select ${details} from slot_reservations r
    where r.id = ${reservationId}::uuid and r.stripe_payment_intent_id = ${paymentIntentId}
      and date_trunc('milliseconds', r.expires_at) = ${expiresAt}::timestamp
    for no key update of r`.execute(db)
  return rows[0]
}

/** What the hold of a payment is for, and whose it is. */
export interface HeldSlot {
  readonly starts_at: Date
  readonly guest_email: string
}

/** Undefined when there is none any more. */
export async function findHeldSlot(db: Db, paymentIntentId: string): Promise<HeldSlot | undefined> {
  const { rows } = await sql<HeldSlot>`
    select date_trunc('milliseconds', r.start_time) as starts_at, ${address} as guest_email
    from slot_reservations r where r.stripe_payment_intent_id = ${paymentIntentId}`.execute(db)
  return rows[0]
}

/** The addresses of guests who have paid for an appointment that starts then. */
export async function listPaidGuests(db: Db, startsAt: Date): Promise<readonly string[]> {
  const { rows } = await sql<{ email: string }>`
    select m."guestEmail" as email from meetings m
    where m."startTime" >= ${startsAt}::timestamp and m."startTime" < ${startsAt}::timestamp + interval '1 millisecond'
      and m."stripePaymentStatus" = 'succeeded'`.execute(db)
  return rows.map(({ email }) => email)
}

/** Of a hold `r`; without joins, so that a hold whose event or expert is gone has details too. */
export const details = sql`r.id, r.start_time as starts_at, r.end_time as ends_at, ${address} as guest_email,
  (select m."guestName" ${meetingOf}) as guest_name, (select m.timezone ${meetingOf}) as meeting_zone,
  (select e.name from events e where e.id = r.event_id) as service_name,
  (select u.first_name from users u where u."clerkUserId" = r.clerk_user_id) as first_name,
  (select u.last_name from users u where u."clerkUserId" = r.clerk_user_id) as last_name`
