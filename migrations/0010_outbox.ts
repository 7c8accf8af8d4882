import { type Kysely, sql } from 'kysely'

/**
 * What people are to be told: written in the transaction that decides it, sent afterwards. `pending` waits for its time;
 * `sending` is committed before the socket opens; `unknown` may have reached the vendor and is looked up before another
 * try; `sent`, `dropped` (it was not true or not useful any more) and `poison` (it can never be sent) are ends.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table jobs.outbox (
      id bigint generated always as identity primary key,
      kind text not null,
      subject text not null,
      recipient text not null,
      occurrence text not null,
      facts jsonb not null,
      -- What the vendor knows this notice by, in every try.
      transaction_id text not null unique,
      state text not null default 'pending' check (state in ('pending', 'sending', 'sent', 'unknown', 'dropped', 'poison')),
      attempts integer not null default 0,
      next_attempt_at timestamptz not null,
      useful_until timestamptz,
      -- The process that sends it now, and until when nobody else may.
      claimed_by text,
      claimed_until timestamptz,
      -- When the newest try began: a look-up means nothing before the vendor has had time.
      tried_at timestamptz,
      -- Look-ups since then that found nothing.
      lookups integer not null default 0,
      -- Checks in a row, before it goes, that could not tell whether it is still true.
      checks integer not null default 0,
      -- Nothing is wrong with it: it goes as soon as the vendor takes anything again.
      waits_for_vendor boolean not null default false,
      run_id uuid,
      created_at timestamptz not null,
      finished_at timestamptz,
      -- Why it is where it is: the vendor's code, or the reason for which it was dropped.
      note text,
      -- Decides between two who want to tell the same person the same thing.
      unique (kind, subject, recipient, occurrence),
      check (case state when 'sending' then claimed_until is not null when 'unknown' then true else claimed_until is null end),
      check ((state in ('sent', 'dropped', 'poison')) = (finished_at is not null))
    )`.execute(db)
  await sql`
    create index outbox_due on jobs.outbox (next_attempt_at) where state in ('pending', 'sending', 'unknown')`.execute(
    db,
  )
  await sql`create index outbox_poison on jobs.outbox (kind) where state = 'poison'`.execute(db)
}
