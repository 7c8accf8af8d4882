import { type Kysely, sql } from 'kysely'

/**
 * jobs.claim_run decides what one delivery may do and records it. Verdicts: `claimed` (run it), `recorded` (this
 * message has its final answer), `busy` (come back after busy_until), `duplicate`, `skipped`, `paused` (recorded now,
 * nothing to do), `replayed` (the token belongs to another message).
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function jobs.claim_run(
      in_run_id uuid, in_job text, in_message_id text, in_trigger text, in_slot timestamptz,
      in_every_slot_counts boolean, in_dry_run boolean, in_operator text, in_owner text, in_lease_ms integer,
      in_now timestamptz, in_deadline_at timestamptz, in_token_hash bytea,
      out verdict text, out run_id uuid, out attempt integer, out term bigint, out slot timestamptz,
      out busy_until timestamptz, out state text, out final boolean, out report jsonb, out plan_hash text,
      out error_code text, out message text
    ) language plpgsql as $$
    #variable_conflict use_column
    declare
      lease jobs.leases;
      run jobs.runs;
      known boolean;
      paused boolean := false;
      slot_taken boolean := false;
      slot_stale boolean := false;
      reason text;
      past jsonb := '[]';
    begin
      -- 0. The usual case, in as few statements as it takes: the lease lies free, the job is not paused, the message is
      -- new. Whatever turns out otherwise is undone and decided below.
      if not in_dry_run and in_slot is null then
        update jobs.leases l set owner = in_owner, run_id = in_run_id, term = l.term + 1,
          expires_at = clock_timestamp() + make_interval(secs => in_lease_ms / 1000.0)
        where l.job = in_job and l.lane = '' and l.run_id is null and not exists (
          select from jobs.job_settings s where s.job = in_job and s.paused_at is not null)
        returning l.term into term;
        if found then
          with token as (
            insert into jobs.delivery_tokens (token_hash, job, message_id, dry_run, seen_at)
            select in_token_hash, in_job, in_message_id, false, in_now where in_token_hash is not null
            on conflict do nothing returning 1
          )
          insert into jobs.runs (id, job, message_id, trigger, attempt, state, final, dry_run, owner, term, deadline_at,
            started_at, operator)
          select in_run_id, in_job, in_message_id, in_trigger::jobs.run_trigger, 1, 'running', false, false, in_owner, claim_run.term,
            in_deadline_at, in_now, in_operator
          where in_token_hash is null or exists (select from token)
          on conflict do nothing;
          if found then
            verdict := 'claimed'; run_id := in_run_id; attempt := 1;
            return;
          end if;
          update jobs.leases l set owner = null, run_id = null, term = l.term - 1, expires_at = '-infinity'
          where l.job = in_job and l.lane = '';
        end if;
        term := null;
      end if;

      -- 1. One claim of a job at a time, so that everything below is decided by one delivery alone.
      if not in_dry_run then
        loop
          select * into lease from jobs.leases l where l.job = in_job and l.lane = '' for update;
          exit when found;
          insert into jobs.leases (job) values (in_job) on conflict do nothing;
        end loop;
      end if;

      -- 2. A token is good for one message of one job.
      if in_token_hash is not null then
        insert into jobs.delivery_tokens (token_hash, job, message_id, dry_run, seen_at)
        values (in_token_hash, in_job, in_message_id, in_dry_run, in_now) on conflict do nothing;
        if not found and not exists (
          select from jobs.delivery_tokens t
          where t.token_hash = in_token_hash and t.job = in_job and t.message_id = in_message_id
            and t.dry_run = in_dry_run
        ) then
          verdict := 'replayed';
          return;
        end if;
      end if;

      -- 3. What this message already came to.
      select * into run from jobs.runs r
      where r.job = in_job and r.message_id = in_message_id and r.dry_run = in_dry_run for update;
      known := found;
      run_id := coalesce(run.id, in_run_id);
      attempt := coalesce(run.attempt, 1);
      slot := case when known then run.slot else in_slot end;
      if known then
        update jobs.runs r set deliveries = r.deliveries + 1 where r.id = run.id;
        if run.final then
          verdict := 'recorded';
          state := run.state; final := run.final; report := run.report; plan_hash := run.plan_hash;
          error_code := run.error_code; message := run.message;
          return;
        end if;
        if run.state = 'running' and (case
          when in_dry_run then run.deadline_at > in_now
          else lease.run_id = run.id and lease.term = run.term and lease.expires_at > clock_timestamp()
        end) then
          verdict := 'busy'; busy_until := run.deadline_at;
          message := 'this message is running elsewhere';
          return;
        end if;
        -- Its last attempt has ended and its code may still be at work: the lease is what says when that is over.
        if lease.run_id = run.id and lease.expires_at > clock_timestamp() then
          verdict := 'busy'; busy_until := in_now + (lease.expires_at - clock_timestamp());
          message := 'the attempt before this one may still be at work';
          return;
        end if;
      end if;

      if not in_dry_run then
        -- 4. The operator's switch.
        select true, 'paused by ' || s.paused_by || ': ' || s.pause_reason into paused, reason
        from jobs.job_settings s where s.job = in_job and s.paused_at is not null;
        paused := coalesce(paused, false);

        -- 5. The slot: taken by another message, or overtaken by a later slot.
        if not paused and slot is not null then
          select
            coalesce(bool_or(r.effective_slot = claim_run.slot and (r.state = 'succeeded' or
              (lease.run_id = r.id and lease.term = r.term and lease.expires_at > clock_timestamp()))), false),
            coalesce(bool_or(r.effective_slot > claim_run.slot and r.state = 'succeeded'), false)
          into slot_taken, slot_stale
          from jobs.runs r
          where r.job = in_job and r.effective_slot >= claim_run.slot and r.id <> claim_run.run_id;
          slot_stale := slot_stale and not in_every_slot_counts;
        end if;
      end if;

      verdict := case
        when paused then 'paused'
        when slot_taken then 'duplicate'
        when slot_stale then 'skipped'
        when not in_dry_run and lease.run_id is not null and lease.expires_at > clock_timestamp() then
          -- A message that has begun is owed its end: only one that has not can be left to a later slot.
          case when slot is not null and not in_every_slot_counts and not known then 'skipped' else 'busy' end
        else 'claimed'
      end;
      message := case
        when verdict = 'paused' then reason
        when verdict = 'duplicate' then 'another message has this slot'
        when verdict = 'skipped' and slot_stale then 'a later slot has already succeeded'
        when verdict = 'skipped' then 'run ' || lease.run_id || ' holds the lease, and a later slot covers this one'
        when verdict = 'busy' then 'run ' || lease.run_id || ' holds the lease'
      end;

      -- 6. The attempt before this one becomes history.
      if known then
        past := run.attempts || jsonb_build_array(jsonb_build_object(
          'attempt', run.attempt,
          'state', case run.state when 'running' then 'abandoned' else run.state end,
          'started_at', run.started_at, 'finished_at', coalesce(run.finished_at, in_now),
          'error_code', case run.state when 'running' then 'lease_expired' else run.error_code end,
          'message', run.message));
        attempt := run.attempt + 1;
      end if;

      if verdict = 'busy' then
        select r.deadline_at into busy_until from jobs.runs r where r.id = lease.run_id;
        -- A slot is found from the first arrival, so a message that must come back has to be remembered.
        if slot is null or known then
          run_id := coalesce(run.id, lease.run_id);
          attempt := coalesce(run.attempt, 1);
          return;
        end if;
        state := 'interrupted'; final := false; error_code := 'busy';
      elsif verdict = 'claimed' then
        state := 'running'; final := false;
        if not in_dry_run then
          -- 7. Take the lease, and close the run that let it expire.
          if lease.run_id is not null and lease.run_id <> run_id then
            update jobs.runs r set state = 'abandoned', effective_slot = null, finished_at = in_now,
              error_code = 'lease_expired', message = 'its process stopped renewing the lease'
            where r.id = lease.run_id and r.state = 'running';
          end if;
          term := lease.term + 1;
          update jobs.leases l set owner = in_owner, term = claim_run.term, run_id = claim_run.run_id,
            expires_at = clock_timestamp() + make_interval(secs => in_lease_ms / 1000.0)
          where l.job = in_job and l.lane = '';
        end if;
      else
        state := verdict; final := true;
      end if;

      -- 8. Record it.
      if known then
        update jobs.runs r set attempt = claim_run.attempt, state = claim_run.state::jobs.run_state, final = claim_run.final,
          effective_slot = case when claim_run.state = 'running' and not in_dry_run then claim_run.slot end,
          owner = in_owner, term = claim_run.term, deadline_at = in_deadline_at, started_at = in_now,
          finished_at = case when claim_run.state = 'running' then null else in_now end,
          report = null, plan = null, plan_hash = null, error_code = null, message = claim_run.message,
          attempts = past
        where r.id = run.id;
      else
        insert into jobs.runs (id, job, message_id, slot, effective_slot, trigger, attempt, state, final, dry_run, owner, term,
          deadline_at, started_at, finished_at, error_code, message, operator)
        values (in_run_id, in_job, in_message_id, claim_run.slot,
          case when claim_run.state = 'running' and not in_dry_run then claim_run.slot end, in_trigger::jobs.run_trigger, 1,
          claim_run.state::jobs.run_state, claim_run.final,
          in_dry_run, in_owner, claim_run.term, in_deadline_at, in_now,
          case when claim_run.state = 'running' then null else in_now end, claim_run.error_code, claim_run.message,
          in_operator)
        on conflict on constraint runs_message do nothing;
        if not found then
          -- Only a dry run can come here (it takes no lease): its twin was a moment faster.
          verdict := 'busy'; busy_until := in_deadline_at; message := 'this message is running elsewhere';
        end if;
      end if;
    end $$`.execute(db)
}
