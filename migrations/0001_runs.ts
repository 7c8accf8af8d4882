import { type Kysely, sql } from 'kysely'

/**
 * The run ledger: one row per message per job, whatever number of times it is delivered, with the lease that lets one
 * run of a job work at a time.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Types and no checks, on runs and leases alone: Postgres prepares every check anew for each statement that writes,
  // and one on each of the two cost some 120 µs a delivery. Only claim_run, close_run and closeAbandonedRuns open or
  // close a run or give a lease to it; that a run is running or finished, and that a lease has both owner and run or
  // neither, is theirs to keep.
  await sql`create type jobs.run_trigger as enum ('schedule', 'message', 'cron', 'operator', 'cli')`.execute(db)
  await sql`
    create type jobs.run_state as enum ('running', 'succeeded', 'skipped', 'paused', 'duplicate', 'failed',
      'incomplete', 'interrupted', 'abandoned')`.execute(db)
  await sql`
    create table jobs.runs (
      id uuid primary key,
      job text not null,
      message_id text not null,
      slot timestamptz,
      effective_slot timestamptz,
      trigger jobs.run_trigger not null,
      attempt integer not null,
      state jobs.run_state not null,
      final boolean not null,
      dry_run boolean not null,
      owner text not null,
      term bigint,
      deadline_at timestamptz not null,
      started_at timestamptz not null,
      finished_at timestamptz,
      deliveries integer not null default 1,
      report jsonb,
      plan jsonb,
      plan_hash text,
      error_code text,
      message text,
      operator text,
      attempts jsonb not null default '[]',
      -- Decides between two deliveries of one message that arrive at once. The message leads, so that no other index
      -- could serve the look-up: on a young table the planner would read every run of the job instead.
      constraint runs_message unique (message_id, job, dry_run)
    ) with (fillfactor = 70)`.execute(db)
  // Decides between two schedules, or two schedulers, that want the same slot of a job. On a column of its own, because
  // an index that looked at the state would make the closing of every run write all indexes anew.
  await sql`
    create unique index runs_effective_slot on jobs.runs (job, effective_slot) where effective_slot is not null`.execute(
    db,
  )

  await sql`
    create table jobs.leases (
      job text not null,
      lane text not null default '',
      owner text,
      term bigint not null default 0,
      run_id uuid,
      expires_at timestamptz not null default '-infinity',
      -- Decides which run of a job may work; the term only grows, so a former holder is always told apart.
      primary key (job, lane)
    ) with (fillfactor = 50)`.execute(db)

  // A captured token could be sent again under another message id or for another job, because neither is signed.
  await sql`
    create table jobs.delivery_tokens (
      token_hash bytea primary key,
      job text not null,
      message_id text not null,
      dry_run boolean not null,
      seen_at timestamptz not null
    )`.execute(db)

  await sql`
    create table jobs.job_settings (
      job text primary key,
      first_boot_at timestamptz not null,
      paused_at timestamptz,
      paused_by text,
      pause_reason text,
      resumed_at timestamptz,
      check ((paused_at is null) = (paused_by is null)),
      check ((paused_at is null) = (pause_reason is null))
    )`.execute(db)
}
