import { sql } from 'kysely'
import type { Db } from './connection.ts'
import type { TokenRefreshesTable } from './tables.ts'

export interface DueExpert {
  readonly clerkUserId: string
  /** The last refresh found no token, and the expert was marked as disconnected then. */
  readonly wasMissing: boolean
}

export interface DueExperts {
  readonly rows: readonly DueExpert[]
  /** How many are due altogether. */
  readonly total: number
}

export interface DueExpertsQuery {
  /** Experts refreshed at or after this moment are not due. */
  readonly since: Date
  /** Decides the order: another word, another order. */
  readonly shuffle: string
  readonly limit: number
}

/** True when the marketplace has the table and the column that name the experts. */
export async function hasProfiles(db: Db): Promise<boolean> {
  const { rows } = await sql<{ there: boolean }>`
    select exists (select from pg_attribute a
      where a.attrelid = to_regclass('profiles') and a.attname = 'clerkUserId') as there`.execute(db)
  return rows[0]?.there === true
}

/** Experts whose calendar token was not refreshed since a moment, each of them once. */
export async function listDueExperts(db: Db, { limit, shuffle, since }: DueExpertsQuery): Promise<DueExperts> {
  // In a fixed order, experts who fail every time would stand before all others for ever.
  const { rows } = await sql<{ clerk_user_id: string; was_missing: boolean; total: string }>`
    select e.clerk_user_id, coalesce(r.result = 'missing', false) as was_missing, count(*) over () as total
    from (select distinct "clerkUserId" as clerk_user_id from profiles) e
    left join jobs.token_refreshes r on r.clerk_user_id = e.clerk_user_id
    where r.refreshed_at is null or r.refreshed_at < ${since}
    order by md5(e.clerk_user_id || ${shuffle}), e.clerk_user_id
    limit ${limit}`.execute(db)
  return {
    rows: rows.map(row => ({ clerkUserId: row.clerk_user_id, wasMissing: row.was_missing })),
    total: Number(rows[0]?.total ?? 0),
  }
}

/** Remembers what the latest refresh of an expert's token came to. */
export async function recordTokenRefresh(
  db: Db,
  clerkUserId: string,
  result: TokenRefreshesTable['result'],
  at: Date,
): Promise<void> {
  await db
    .insertInto('jobs.token_refreshes')
    .values({ clerk_user_id: clerkUserId, refreshed_at: at, result })
    .onConflict(oc => oc.column('clerk_user_id').doUpdateSet({ refreshed_at: at, result }))
    .execute()
}
