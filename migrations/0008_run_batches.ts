import { type Kysely, sql } from 'kysely'

/**
 * jobs.claim_runs and jobs.close_runs do for many deliveries in one transaction what claim_run and close_run do for
 * one, in the order given; each result carries the ordinal of what it answers.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Whoever waits for a row makes all of its batch wait, and all who want a row that the batch already has: so a batch
  // gives up soon, and its callers ask one by one. It also ends a circle of waiting before Postgres looks for one.
  await sql`
    create function jobs.claim_runs(
      in_run_id uuid[], in_job text[], in_message_id text[], in_trigger text[], in_slot timestamptz[],
      in_every_slot_counts boolean[], in_dry_run boolean[], in_operator text[], in_owner text[], in_lease_ms integer[],
      in_now timestamptz[], in_deadline_at timestamptz[], in_token_hash bytea[]
    ) returns table (
      ordinal bigint, verdict text, run_id uuid, attempt integer, term bigint, slot timestamptz, busy_until timestamptz,
      state text, final boolean, report jsonb, plan_hash text, error_code text, message text
    ) language plpgsql set lock_timeout = '100ms' as $$
    begin
      return query
      select r.ordinal, c.*
      from unnest(in_run_id, in_job, in_message_id, in_trigger, in_slot, in_every_slot_counts, in_dry_run, in_operator,
        in_owner, in_lease_ms, in_now, in_deadline_at, in_token_hash) with ordinality
        as r(run_id, job, message_id, trigger, slot, every_slot_counts, dry_run, operator, owner, lease_ms, now,
          deadline_at, token_hash, ordinal)
      cross join lateral jobs.claim_run(r.run_id, r.job, r.message_id, r.trigger, r.slot, r.every_slot_counts, r.dry_run,
        r.operator, r.owner, r.lease_ms, r.now, r.deadline_at, r.token_hash) c;
    end $$`.execute(db)

  await sql`
    create function jobs.close_runs(
      in_run_id uuid[], in_job text[], in_attempt integer[], in_term bigint[], in_owner text[], in_state text[],
      in_final boolean[], in_now timestamptz[], in_report jsonb[], in_plan jsonb[], in_plan_hash text[],
      in_error_code text[], in_message text[], in_release boolean[], in_findings jsonb[], in_ping_kind text[],
      in_ping_body text[], in_ping_true_until timestamptz[]
    ) returns table (ordinal bigint, closed boolean) language plpgsql set lock_timeout = '100ms' as $$
    begin
      return query
      select r.ordinal, c.closed
      from unnest(in_run_id, in_job, in_attempt, in_term, in_owner, in_state, in_final, in_now, in_report, in_plan,
        in_plan_hash, in_error_code, in_message, in_release, in_findings, in_ping_kind, in_ping_body,
        in_ping_true_until) with ordinality
        as r(run_id, job, attempt, term, owner, state, final, now, report, plan, plan_hash, error_code, message, release,
          findings, ping_kind, ping_body, ping_true_until, ordinal)
      cross join lateral jobs.close_run(r.run_id, r.job, r.attempt, r.term, r.owner, r.state, r.final, r.now, r.report,
        r.plan, r.plan_hash, r.error_code, r.message, r.release, r.findings, r.ping_kind, r.ping_body,
        r.ping_true_until) as c(closed);
    end $$`.execute(db)
}
