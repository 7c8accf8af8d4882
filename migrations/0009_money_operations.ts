import { type Kysely, sql } from 'kysely'

/**
 * Every movement of money and its whole life: what was decided, what was sent under which key, what came of it, and
 * which rows of the marketplace it pays.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Another key would pay other people's money: the first real run writes this row, every later one compares.
  await sql`
    create table jobs.stripe_account (
      only_row boolean primary key default true check (only_row),
      account text not null,
      live boolean not null,
      pinned_at timestamptz not null
    )`.execute(db)

  await sql`
    create table jobs.money_operations (
      id uuid primary key,
      kind text not null check (kind in ('transfer', 'payout')),
      subject text not null,
      state text not null check (state in ('planned', 'held', 'sending', 'unknown', 'blocked', 'created', 'paid', 'failed',
        'canceled', 'rejected')),
      origin text not null check (origin in ('sent', 'recorded')),
      generation integer not null default 1 check (generation > 0),
      idempotency_key text not null,
      amount bigint not null check (amount > 0),
      currency text not null check (currency ~ '^[a-z]{3}$'),
      account text not null,
      stripe_id text,
      replaces uuid references jobs.money_operations (id),
      request jsonb not null,
      request_hash text not null,
      reason text,
      wake_at timestamptz,
      first_sent_at timestamptz,
      last_sent_at timestamptz,
      sends integer not null default 0,
      answer_stored boolean not null default false,
      clean_lookup_at timestamptz,
      blocked_since timestamptz,
      vendor_status text,
      run_id uuid not null,
      approved_by text,
      approved_at timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      finished_at timestamptz,
      -- Never recomputed, and still always the same: whoever retries sends exactly this.
      check (idempotency_key = kind || ':' || id || ':g' || generation),
      check (state not in ('created', 'paid') or stripe_id is not null),
      check (state not in ('sending', 'unknown') or first_sent_at is not null),
      check (state not in ('held', 'blocked') or reason is not null),
      check ((state = 'blocked') = (wake_at is not null)),
      check ((first_sent_at is null) = (sends = 0)),
      check ((approved_by is null) = (approved_at is null)),
      check ((state in ('paid', 'failed', 'canceled', 'rejected')) <= (finished_at is not null))
    )`.execute(db)
  // Decides between two who finish the same object, and makes an object at Stripe the receipt of one operation only.
  await sql`
    create unique index money_operations_stripe_id on jobs.money_operations (stripe_id)
    where stripe_id is not null`.execute(db)
  // Decides between two who want to pay out of one balance at once.
  await sql`
    create unique index money_operations_payout_lane on jobs.money_operations (account, currency)
    where kind = 'payout' and state in ('planned', 'sending', 'unknown')`.execute(db)
  await sql`
    create index money_operations_open on jobs.money_operations (kind, created_at)
    where state in ('planned', 'held', 'sending', 'unknown', 'blocked')`.execute(db)
  // With the next two: the payouts that every run lists, whatever has been paid in all the years before.
  await sql`
    create index money_operations_unsettled on jobs.money_operations (created_at)
    where kind = 'payout' and state in ('planned', 'held', 'sending', 'unknown', 'blocked', 'created')`.execute(db)
  await sql`
    create index money_operations_paid on jobs.money_operations (finished_at)
    where kind = 'payout' and state = 'paid'`.execute(db)
  await sql`
    create index money_operations_odd on jobs.money_operations (created_at)
    where kind = 'payout' and state = 'paid' and vendor_status <> 'paid'`.execute(db)
  await sql`
    create index money_operations_sent on jobs.money_operations (currency, first_sent_at)
    where origin = 'sent' and first_sent_at is not null`.execute(db)
  // An account's payouts of all years: how many failed since one arrived.
  await sql`create index money_operations_account on jobs.money_operations (kind, account)`.execute(db)
  // Purging an operation asks whether another replaces it, and so does the reference itself.
  await sql`
    create index money_operations_replaces on jobs.money_operations (replaces) where replaces is not null`.execute(db)
  await sql`create index money_operations_run on jobs.money_operations (run_id)`.execute(db)

  await sql`
    create table jobs.money_operation_items (
      operation_id uuid not null references jobs.money_operations (id),
      kind text not null,
      payment_transfer_id integer not null,
      payment_intent_id text not null,
      amount bigint not null check (amount > 0),
      live boolean not null,
      primary key (operation_id, payment_transfer_id)
    )`.execute(db)
  // Decides between two operations that would pay the same row: the first line of defence against paying twice.
  await sql`
    create unique index money_operation_items_live on jobs.money_operation_items (kind, payment_transfer_id)
    where live`.execute(db)
  // The second one: a row that was deleted and written again has another id, and is paid by the same payment.
  await sql`
    create unique index money_operation_items_payment on jobs.money_operation_items (kind, payment_intent_id)
    where live`.execute(db)
  await sql`
    create index money_operation_items_of_payment on jobs.money_operation_items (payment_intent_id)`.execute(db)
  await sql`
    create index money_operation_items_row on jobs.money_operation_items (payment_transfer_id)`.execute(db)

  // What was decided is sent as it was decided, whatever a later version of the code believes.
  await sql`
    create function jobs.refuse_thaw() returns trigger language plpgsql as $$
    begin
      raise exception 'operation % is frozen: its request, amount and account never change', old.id
        using errcode = 'check_violation';
    end $$`.execute(db)
  await sql`
    create trigger money_operations_frozen before update on jobs.money_operations
    for each row when (
      (old.kind, old.origin, old.amount, old.currency, old.account, old.request_hash, old.request)
        is distinct from (new.kind, new.origin, new.amount, new.currency, new.account, new.request_hash, new.request)
      or new.generation < old.generation or (old.stripe_id is not null and new.stripe_id is distinct from old.stripe_id))
    execute function jobs.refuse_thaw()`.execute(db)

  // Items live exactly as long as their operation may have moved money, or still may.
  await sql`
    create function jobs.keep_items_live() returns trigger language plpgsql as $$
    begin
      update jobs.money_operation_items i
      set live = new.state not in ('failed', 'canceled', 'rejected')
      where i.operation_id = new.id;
      return null;
    end $$`.execute(db)
  await sql`
    create trigger money_operations_items_live after update of state on jobs.money_operations
    for each row when ((old.state in ('failed', 'canceled', 'rejected')) <> (new.state in ('failed', 'canceled', 'rejected')))
    execute function jobs.keep_items_live()`.execute(db)

  // An operation pays exactly its rows, checked when the transaction that writes it commits.
  await sql`
    create function jobs.check_operation_sum() returns trigger language plpgsql as $$
    declare
      operation uuid := coalesce(to_jsonb(new) ->> 'operation_id', to_jsonb(new) ->> 'id');
    begin
      if (select o.amount from jobs.money_operations o where o.id = operation) is distinct from
         (select sum(i.amount) from jobs.money_operation_items i where i.operation_id = operation) then
        raise exception 'operation % does not equal the sum of its rows', operation using errcode = 'check_violation';
      end if;
      return null;
    end $$`.execute(db)
  await sql`
    create constraint trigger money_operations_sum after insert or update of amount on jobs.money_operations
    deferrable initially deferred for each row execute function jobs.check_operation_sum()`.execute(db)
  await sql`
    create constraint trigger money_operation_items_sum after insert or update of amount on jobs.money_operation_items
    deferrable initially deferred for each row execute function jobs.check_operation_sum()`.execute(db)
}
