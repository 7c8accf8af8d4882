import { type Kysely, sql } from 'kysely'

/** What people are to be told: written in the transaction that decides it, sent afterwards. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table jobs.outbox (
      id bigint generated always as identity primary key,
      kind text not null,
      subject text not null,
      recipient text not null,
      occurrence text not null,
      payload jsonb not null,
      state text not null default 'pending' check (state in ('pending', 'sending', 'sent', 'unknown', 'dropped', 'poison')),
      attempts integer not null default 0,
      next_attempt_at timestamptz not null,
      run_id uuid,
      created_at timestamptz not null,
      note text,
      -- Decides between two who want to tell the same person the same thing.
      unique (kind, subject, recipient, occurrence)
    )`.execute(db)
  await sql`
    create index outbox_due on jobs.outbox (next_attempt_at) where state in ('pending', 'sending', 'unknown')`.execute(
    db,
  )
}
