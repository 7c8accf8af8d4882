import { type Kysely, sql } from 'kysely'

/** When each expert's calendar token was last refreshed: it makes the daily refresh resumable and never twice a day. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table jobs.token_refreshes (
      clerk_user_id text primary key,
      refreshed_at timestamptz not null,
      result text not null check (result in ('refreshed', 'missing', 'unknown-user'))
    )`.execute(db)
}
