import { type Kysely, sql } from 'kysely'

/**
 * What an operation is held for, and what it was approved for, each as a list of reasons with what they are about: an
 * approval covers exactly what the operator was shown.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table jobs.money_operations
      add column holds text[] not null default '{}',
      add column approved_for text[] not null default '{}'`.execute(db)
  // What was approved before this was written down was approved for its reason, which the approval kept.
  await sql`
    update jobs.money_operations set holds = array[reason] where state = 'held' and reason is not null`.execute(db)
  await sql`
    update jobs.money_operations set approved_for = array[reason]
    where state = 'planned' and approved_at is not null and reason is not null`.execute(db)
}
