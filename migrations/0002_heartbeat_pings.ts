import { type Kysely, sql } from 'kysely'

/** Pings that are owed to the heartbeat monitor: written with the run they speak of, deleted by nobody, sent by whoever claims them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table jobs.heartbeat_pings (
      id bigint generated always as identity primary key,
      job text not null,
      run_id uuid,
      kind text not null check (kind in ('success', 'fail')),
      state text not null default 'pending' check (state in ('pending', 'sending', 'delivered', 'dropped')),
      body text,
      happened_at timestamptz not null,
      true_until timestamptz not null,
      attempts integer not null default 0,
      next_attempt_at timestamptz not null,
      claimed_by text,
      claimed_until timestamptz,
      finished_at timestamptz,
      note text,
      check ((state in ('delivered', 'dropped')) = (finished_at is not null)),
      check ((state = 'sending') = (claimed_until is not null))
    )`.execute(db)
  // Decides between two senders: one ping of a heartbeat is on its way at a time, so an older one cannot overtake.
  await sql`create unique index heartbeat_pings_one_sender on jobs.heartbeat_pings (job) where state = 'sending'`.execute(
    db,
  )
  await sql`create index heartbeat_pings_owed on jobs.heartbeat_pings (job, id) where state in ('pending', 'sending')`.execute(
    db,
  )
}
