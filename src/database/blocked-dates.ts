import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** A calendar day, `yyyy-mm-dd`, in a zone of its own; who blocked it and why is nobody's business here. */
export interface BlockedDate {
  readonly id: number
  readonly date: string
  readonly timezone: string
}

export interface BlockedDates {
  /** The oldest ones, at most as many as were asked for. */
  readonly rows: readonly BlockedDate[]
  /** How many there are altogether. */
  readonly total: number
}

/** Blocked dates up to and including `lastDate` (`yyyy-mm-dd`), oldest first, and how many there are. */
export async function listBlockedDates(db: Db, lastDate: string, limit: number): Promise<BlockedDates> {
  const found = await db
    .selectFrom('blocked_dates')
    .select(['id', 'date', 'timezone', sql<string>`count(*) over ()`.as('total')])
    .where('date', '<=', lastDate)
    .orderBy('date')
    .orderBy('id')
    .limit(limit)
    .execute()
  return {
    rows: found.map(({ date, id, timezone }) => ({ id, date, timezone })),
    total: Number(found[0]?.total ?? 0),
  }
}

/** Deletes exactly these rows, as long as nobody has moved them to another day or zone; returns how many went. */
export async function deleteBlockedDates(db: Db, rows: readonly BlockedDate[]): Promise<number> {
  if (rows.length === 0) return 0
  const { numAffectedRows } = await sql`
    delete from blocked_dates b
    using unnest(${rows.map(row => row.id)}::integer[], ${rows.map(row => row.date)}::date[],
      ${rows.map(row => row.timezone)}::text[]) as planned (id, date, timezone)
    where b.id = planned.id and b.date = planned.date and b.timezone = planned.timezone`.execute(db)
  return Number(numAffectedRows ?? 0n)
}
