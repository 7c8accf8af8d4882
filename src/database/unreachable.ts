import { sql } from 'kysely'
import type { Db } from './connection.ts'
import { hasAddress } from './reservations.ts'

/**
 * The subjects of open findings about people whom nobody could write to, where that is over: they have an address, their
 * row is gone, or the time that it was about has come.
 */
export async function listReachable(db: Db, now: Date): Promise<readonly string[]> {
  const { rows } = await sql<{ subject: string }>`
    select f.subject
    from (select subject, split_part(subject, ' ', 1) as of, substr(subject, strpos(subject, ' ') + 1) as id
      from jobs.findings where kind = 'person-unreachable' and state <> 'resolved') f
    left join meetings m on f.of = 'meetings' and m.id::text = f.id
    left join slot_reservations r on f.of = 'slot_reservations' and r.id::text = f.id
    left join users u on f.of = 'users' and u."clerkUserId" = f.id
    where case f.of
      when 'meetings' then m.id is null or strpos(m."guestEmail", '@') > 0 or m."startTime" <= ${now}::timestamp
      when 'slot_reservations' then r.id is null or ${hasAddress} or r.start_time <= ${now}::timestamp
      when 'users' then strpos(u.email, '@') > 0 end`.execute(db)
  return rows.map(({ subject }) => subject)
}
