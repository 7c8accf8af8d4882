import { type Kysely, sql } from 'kysely'

/**
 * jobs.close_run ends exactly the attempt and lease term it names, and returns false when somebody has taken the run
 * over. State, report, findings, lease and heartbeat ping change together or not at all.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function jobs.close_run(
      in_run_id uuid, in_job text, in_attempt integer, in_term bigint, in_owner text, in_state text, in_final boolean,
      in_now timestamptz, in_report jsonb, in_plan jsonb, in_plan_hash text, in_error_code text, in_message text,
      in_release boolean, in_findings jsonb, in_ping_kind text, in_ping_body text, in_ping_true_until timestamptz
    ) returns boolean language plpgsql as $$
    begin
      -- The lease first, as in jobs.claim_run: in the other order the two would wait for each other. Releasing our own
      -- term is right even where the run turns out to be somebody else's by now.
      if in_term is not null and in_release then
        update jobs.leases l set owner = null, run_id = null, expires_at = '-infinity'
        where l.job = in_job and l.lane = '' and l.owner = in_owner and l.term = in_term;
      end if;
      update jobs.runs r set state = in_state::jobs.run_state, final = in_final, finished_at = in_now,
        report = in_report, plan = in_plan, plan_hash = in_plan_hash, error_code = in_error_code, message = in_message,
        effective_slot = case in_state when 'succeeded' then r.effective_slot end
      where r.id = in_run_id and r.state = 'running' and r.attempt = in_attempt and r.term is not distinct from in_term;
      if not found then
        return false;
      end if;
      if in_findings is not null then
        perform jobs.record_finding(f.kind, f.subject, in_job, in_run_id, f.message, f.details, in_now)
        from jsonb_to_recordset(in_findings) as f(kind text, subject text, message text, details jsonb);
      end if;
      if in_ping_kind is not null then
        insert into jobs.heartbeat_pings (job, run_id, kind, body, happened_at, true_until, next_attempt_at)
        values (in_job, in_run_id, in_ping_kind, in_ping_body, in_now, in_ping_true_until, in_now);
      end if;
      return true;
    end $$`.execute(db)
}
