import { type Kysely, sql } from 'kysely'

/** Findings (differences that a person must look at) and audit entries (who changed what, and when). */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table jobs.findings (
      id bigint generated always as identity primary key,
      kind text not null,
      subject text not null,
      job text,
      run_id uuid,
      state text not null default 'open' check (state in ('open', 'acknowledged', 'resolved')),
      message text not null,
      details jsonb,
      occurrences integer not null default 1,
      first_seen_at timestamptz not null,
      last_seen_at timestamptz not null,
      closed_at timestamptz,
      closed_by text,
      note text,
      check ((state = 'resolved') = (closed_at is not null))
    )`.execute(db)
  // Decides between two runs that see the same difference: one finding, counted, until a person resolves it.
  await sql`create unique index findings_live on jobs.findings (kind, subject) where state <> 'resolved'`.execute(db)
  // What a person has explained stays explained, and is asked about in every run.
  await sql`create index findings_resolved on jobs.findings (kind, subject) where state = 'resolved'`.execute(db)

  await sql`
    create table jobs.audit_entries (
      id bigint generated always as identity primary key,
      at timestamptz not null,
      actor text not null,
      action text not null,
      subject text not null,
      details jsonb
    )`.execute(db)
  await sql`create index audit_entries_subject on jobs.audit_entries (subject, id)`.execute(db)
  await sql`
    create index audit_entries_run on jobs.audit_entries ((details ->> 'runId'))
    where details ->> 'runId' is not null`.execute(db)

  await sql`
    create function jobs.record_finding(
      in_kind text, in_subject text, in_job text, in_run_id uuid, in_message text, in_details jsonb, in_now timestamptz
    ) returns boolean language sql as $$
      insert into jobs.findings as f (kind, subject, job, run_id, message, details, first_seen_at, last_seen_at)
      values (in_kind, in_subject, in_job, in_run_id, in_message, in_details, in_now, in_now)
      on conflict (kind, subject) where state <> 'resolved' do update
      set occurrences = f.occurrences + 1, last_seen_at = excluded.last_seen_at, run_id = excluded.run_id,
          message = excluded.message, details = excluded.details
      returning f.occurrences = 1
    $$`.execute(db)
}
