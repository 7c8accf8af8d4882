import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** An appointment of which not every party has been reminded; nothing in it is personal. */
export interface MeetingRow {
  readonly id: string
  readonly starts_at: Date
  readonly exact_start: string
  readonly created_at: Date
  readonly payment_status: string | null
  readonly payment_intent_id: string | null
  readonly has_payment: boolean
  readonly price: number
  readonly meeting_zone: string
  readonly has_address: boolean
  readonly country: string | null
  readonly schedule_id: string | null
  readonly schedule_zone: string | null
  readonly guest_told: boolean
  readonly expert_told: boolean
  /** How many notices of this start they have; where they are not told, each was taken back or overtaken. */
  readonly guest_earlier: number
  readonly expert_earlier: number
}

export interface MeetingQuery {
  /** The kind of notice that is looked for. */
  readonly kind: string
  /** Of the start: from this moment up to and including the other. */
  readonly from: Date
  readonly to: Date
  /** Only appointments that may have been paid. */
  readonly maybePaid: boolean
  /** Reasons for which a notice was dropped that do not stand against a new one. */
  readonly takenBack: readonly string[]
}

/** Where a page ended: the start as Postgres has it, because a Date forgets microseconds. */
export type MeetingPosition = Pick<MeetingRow, 'exact_start' | 'id'>

/** A page of the appointments that one party at least has not been told of, by their start. */
export async function listUntold(
  db: Db,
  query: MeetingQuery,
  { after, limit }: { readonly after: MeetingPosition | undefined; readonly limit: number },
): Promise<readonly MeetingRow[]> {
  const { rows } = await sql<MeetingRow>`
    select m.id, date_trunc('milliseconds', m."startTime") as starts_at, m."startTime"::text as exact_start,
      m."createdAt" as created_at,
      m."stripePaymentStatus" as payment_status, m."stripePaymentIntentId" as payment_intent_id,
      m."stripePaymentIntentId" is not null or m."stripeSessionId" is not null as has_payment, e.price,
      m.timezone as meeting_zone, strpos(m."guestEmail", '@') > 0 as has_address,
      u.country, s.id as schedule_id, s.timezone as schedule_zone,
      g.told as guest_told, g.earlier as guest_earlier, x.told as expert_told, x.earlier as expert_earlier
    from meetings m join events e on e.id = m."eventId"
    left join users u on u."clerkUserId" = m."clerkUserId"
    left join schedules s on s."clerkUserId" = m."clerkUserId"
    cross join lateral (${toldOf('guest', query)}) g
    cross join lateral (${toldOf('expert', query)}) x
    where ${startsWithin(query)} and ${afterPosition(after)} and not (g.told and x.told)
    order by m."startTime", m.id
    limit ${limit}`.execute(db)
  return rows
}

/** How many appointments start within the same bounds after a position; whether they were told of is not looked at. */
export async function countAfter(db: Db, query: MeetingQuery, after: MeetingPosition | undefined): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from meetings m
    where ${startsWithin(query)} and ${afterPosition(after)}`.execute(db)
  return rows[0]?.count ?? 0
}

/** An appointment as it is now, with the names and addresses that a notice of it needs. */
export interface MeetingDetails {
  readonly starts_at: Date
  readonly ends_at: Date
  readonly payment_status: string | null
  readonly has_payment: boolean
  readonly price: number
  readonly guest_email: string
  readonly guest_name: string
  readonly meeting_url: string | null
  readonly meeting_zone: string
  readonly service_name: string
  readonly expert: string
  readonly expert_email: string | null
  readonly country: string | null
  readonly schedule_zone: string | null
  readonly first_name: string | null
  readonly last_name: string | null
}

/** Undefined for one that is gone. */
export async function findMeeting(db: Db, id: string): Promise<MeetingDetails | undefined> {
  return (await findMeetings(db, [id])).get(id)
}

/** By id, in one query; one that is gone is absent. */
export async function findMeetings(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, MeetingDetails>> {
  const { rows } = await sql<MeetingDetails & { id: string }>`
    select m.id, date_trunc('milliseconds', m."startTime") as starts_at, m."endTime" as ends_at,
      m."stripePaymentStatus" as payment_status,
      m."stripePaymentIntentId" is not null or m."stripeSessionId" is not null as has_payment, e.price,
      m."guestEmail" as guest_email, m."guestName" as guest_name, m."meetingUrl" as meeting_url,
      m.timezone as meeting_zone, e.name as service_name, m."clerkUserId" as expert, u.email as expert_email,
      u.first_name, u.last_name, u.country, s.timezone as schedule_zone
    from meetings m join events e on e.id = m."eventId"
    left join users u on u."clerkUserId" = m."clerkUserId"
    left join schedules s on s."clerkUserId" = m."clerkUserId"
    where m.id = any(${[...new Set(ids)]}::uuid[])`.execute(db)
  return new Map(rows.map(({ id, ...meeting }) => [id, meeting]))
}

/**
 * Whether the person who is the party now was told of this very start, and of no other one since; and how many notices of
 * it there are. What was taken back before it went tells nobody. People read a notice when it was tried, also where only a
 * later look-up showed that it went.
 */
function toldOf(party: 'expert' | 'guest', { kind, takenBack }: MeetingQuery) {
  return sql`
    select coalesce(bool_or(o.is_this and not (o.state = 'dropped' and o.note = any(${takenBack}::text[]))
        and (o.read_at is null or o.other_at is null or o.read_at >= o.other_at)), false) as told,
      count(*) filter (where o.is_this)::integer as earlier
    from (
      select n.*, max(n.read_at) filter (where n.state = 'sent' and not n.is_this) over () as other_at
      from (
        select o.state, o.note, case when o.state = 'sent' then coalesce(o.tried_at, o.finished_at) else o.finished_at end
          as read_at, split_part(o.occurrence, ' ', 1)
          = to_char(m."startTime", 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as is_this
        from jobs.outbox o
        where o.kind = ${kind} and o.subject = 'meetings ' || m.id || ${` ${party}`} and o.recipient = ${recipients[party]}
      ) n
    ) o`
}

/** Who a party of a meeting `m` is to the vendor, as notices/recipients.ts says; nobody without an address. */
const recipients = {
  expert: sql`m."clerkUserId"`,
  guest: sql`case when strpos(m."guestEmail", '@') > 0
    then 'guest_' || lower(btrim(m."guestEmail", E' \\t\\n\\r')) else 'nobody' end`,
}

function startsWithin({ from, maybePaid, to }: MeetingQuery) {
  // A start within the last millisecond belongs to it, because that is as far as our own clock can tell.
  return sql`m."startTime" >= ${from}::timestamp and m."startTime" < ${to}::timestamp + interval '1 millisecond'
    and (not ${maybePaid}::boolean or m."stripePaymentStatus" = 'succeeded' or m."stripePaymentStatus" is null)`
}

function afterPosition(after: MeetingPosition | undefined) {
  if (after === undefined) return sql`true`
  return sql`(m."startTime", m.id) > (${after.exact_start}::timestamp, ${after.id}::uuid)`
}
