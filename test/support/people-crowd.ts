import { sql } from 'kysely'
import type { Db } from '../../src/database/connection.ts'

const dayMs = 24 * 60 * 60_000

/**
 * So many appointments over two years, of which `due` start within the window of the day's reminder and nobody was told;
 * those of the weeks before were reminded of.
 */
export async function addCrowd(db: Db, { count, due, now }: { count: number; due: number; now: Date }): Promise<void> {
  const startMs = now.getTime()
  await sql`
    insert into users ("clerkUserId", email, country, first_name, last_name)
    select 'user_' || n, 'user_' || n || '@experts.example', (array['PT', 'ES', 'BR', 'US'])[1 + n % 4], 'Ana', 'Reis'
    from generate_series(0, 99) n`.execute(db)
  await sql`
    insert into schedules (timezone, "clerkUserId") select 'Europe/Lisbon', 'user_' || n from generate_series(0, 99) n`.execute(
    db,
  )
  await sql`
    insert into events (name, slug, "durationInMinutes", "clerkUserId", price)
    select 'Consultation', 'consultation', 50, 'user_' || n, 7000 from generate_series(0, 99) n`.execute(db)
  // The others are spread over the past two years, up to the day before yesterday.
  await sql`
    insert into meetings ("eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime", timezone,
      "stripePaymentIntentId", "stripePaymentStatus", "createdAt")
    select e.id, e."clerkUserId", 'guest-' || n || '@example.com', 'Guest', s.at, s.at + interval '50 minutes',
      'Europe/Lisbon', 'pi_' || n, 'succeeded', s.at - interval '30 days'
    from generate_series(1, ${count}::integer) n
    join (select id, "clerkUserId", row_number() over () - 1 as nr from events) e on e.nr = n % 100
    cross join lateral (select case when n <= ${due}::integer
      then ${new Date(startMs + 20.5 * 60 * 60_000)}::timestamp + interval '1 second' * ((n * 7) % 14000)
      else ${new Date(startMs - 2 * dayMs)}::timestamp - interval '1 second' * ((n * 631) % 63072000) end as at) s`.execute(
    db,
  )
  await sql`
    insert into jobs.outbox (kind, subject, recipient, occurrence, facts, transaction_id, state, next_attempt_at,
      created_at, finished_at)
    select k.kind, 'meetings ' || m.id || ' ' || p.party, p.party || m."guestEmail",
      to_char(m."startTime", 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '{}', k.kind || m.id || p.party, 'sent', m."startTime",
      m."startTime", m."startTime"
    from meetings m cross join (values ('guest'), ('expert')) p (party)
    cross join (values ('appointment-reminder-24h'), ('appointment-reminder-1h')) k (kind)
    where m."startTime" between ${new Date(startMs - 90 * dayMs)}::timestamp and ${now}::timestamp`.execute(db)
  await sql`analyze`.execute(db)
}
