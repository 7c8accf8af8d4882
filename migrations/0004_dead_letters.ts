import { type Kysely, sql } from 'kysely'

/** Messages that the scheduler gave up on, as its failure callback told us: one row per message, however often it calls. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table jobs.dead_letters (
      message_id text primary key,
      job text,
      dlq_id text,
      schedule_id text,
      status integer,
      retried integer,
      run_id uuid,
      -- The message's run has succeeded meanwhile, so nobody needs to be woken.
      healed boolean not null,
      received_at timestamptz not null
    )`.execute(db)
}
