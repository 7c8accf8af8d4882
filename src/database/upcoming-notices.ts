import { sql } from 'kysely'

/** Reasons for which an announcement was dropped that do not stand against a new one, should its money still be to come. */
const takenBackReasons = ['moved', 'changed', 'recipient_changed', 'no_reader', 'needs_approval', 'disputed']

const announcements = sql`from jobs.outbox o
  where o.kind = 'payout-upcoming' and o.subject = 'payment_transfers ' || p.id`

const isTakenBack = sql`(o.state = 'dropped' and o.note = any(${takenBackReasons}::text[]))`

/** How many announcements of the money of a row `p` of payment_transfers were taken back before they went. */
export const announcementsTakenBack = sql<number>`(select count(*)::integer ${announcements} and ${isTakenBack})`

/** Whether nobody has been told that the money of a row `p` is coming: it has no mark, or what it marks never went. */
export const isUnannounced = sql<boolean>`(p.notified_at is null
  or coalesce((select ${isTakenBack} ${announcements} order by o.id desc limit 1), false))`
