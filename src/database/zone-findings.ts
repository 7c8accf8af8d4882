import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** An open finding about a zone that does not exist, and the zone as it is stored now. */
export interface ZoneInDoubt {
  readonly subject: string
  /** Null where there is none any more, with or without its row. */
  readonly zone: string | null
}

/** Those whose row is known: schedules, meetings, and payments that have a meeting. */
export async function listZonesInDoubt(db: Db): Promise<readonly ZoneInDoubt[]> {
  const { rows } = await sql<ZoneInDoubt>`
    select f.subject, coalesce(s.timezone, m.timezone, p.timezone) as zone
    from (select subject, split_part(subject, ' ', 1) as of, split_part(subject, ' ', 2) as id from jobs.findings
      where kind = 'zone-invalid' and state <> 'resolved') f
    left join schedules s on f.of = 'schedules' and s.id::text = f.id
    left join meetings m on f.of = 'meetings' and m.id::text = f.id
    left join lateral (select timezone from meetings where f.of = 'payment_intents' and "stripePaymentIntentId" = f.id
      limit 1) p on true
    where f.of in ('schedules', 'meetings') or p.timezone is not null`.execute(db)
  return rows
}
