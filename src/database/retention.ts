import { type RawBuilder, sql } from 'kysely'
import type { Db } from './connection.ts'

/** A kind of record that is not kept for ever, named by its table. */
export type Purged =
  | 'jobs.runs'
  | 'jobs.runs (failed or money)'
  | 'jobs.delivery_tokens'
  | 'jobs.heartbeat_pings'
  | 'jobs.findings'
  | 'jobs.findings (payouts)'
  | 'jobs.dead_letters'
  | 'jobs.audit_entries'
  | 'jobs.token_refreshes'
  | 'jobs.outbox'
  | 'jobs.outbox (unknown or poison)'
  | 'jobs.money_operation_items'
  | 'jobs.money_operations'

export interface PurgeRule {
  readonly subject: Purged
  /** Records from before this moment go. */
  readonly before: Date
  /** Jobs whose runs are kept as long as failed ones. */
  readonly moneyJobs: readonly string[]
}

/** Deletes at most `limit` of the records that the rule is about, oldest first, and returns how many went. */
export async function deleteOldRecords(db: Db, rule: PurgeRule, limit: number): Promise<number> {
  const { condition, key, table } = selectOld(rule)
  const { numAffectedRows } = await sql`
    delete from ${sql.table(table)} where ${sql.ref(key)} in (
      select ${sql.ref(key)} from ${sql.table(table)} where ${condition} order by ${sql.ref(key)} limit ${limit}
    )`.execute(db)
  return Number(numAffectedRows ?? 0n)
}

/** How many heartbeat pings from before this moment are still not delivered. */
export async function countOwedPings(db: Db, before: Date): Promise<number> {
  const { owed } = await db
    .selectFrom('jobs.heartbeat_pings')
    .select(({ fn }) => fn.countAll<string>().as('owed'))
    .where('state', 'in', ['pending', 'sending'])
    .where('happened_at', '<', before)
    .executeTakeFirstOrThrow()
  return Number(owed)
}

interface OldRecords {
  readonly table: string
  /** The primary key; where it grows with time, old records are found without reading the others. */
  readonly key: string
  readonly condition: RawBuilder<unknown>
}

// A run that is going on has no finished_at, an owed ping neither, and an open finding no closed_at (their tables check
// it), so that no condition below is ever true of them.
const uneventful = sql`state in ('succeeded', 'skipped', 'paused', 'duplicate', 'interrupted')`
// Somebody has explained a payout that is not ours, or decided about a refund after one: without it the account would be
// frozen, and the decision asked for, once more.
const explainsPayout = sql`kind in ('payout-unexplained', 'refunded-after-payout')`

function selectOld({ before, moneyJobs, subject }: PurgeRule): OldRecords {
  const isMoney = sql`job = any(${moneyJobs}::text[])`
  // What may still move money, or come back, is never old; a transfer is through when it is made.
  const isThrough = sql`o.updated_at < ${before} and (o.state in ('paid', 'failed', 'canceled', 'rejected')
    or (o.state = 'created' and o.kind = 'transfer'))`
  switch (subject) {
    case 'jobs.runs':
      return { table: subject, key: 'id', condition: sql`finished_at < ${before} and ${uneventful} and not ${isMoney}` }
    case 'jobs.runs (failed or money)':
      return {
        table: 'jobs.runs',
        key: 'id',
        condition: sql`finished_at < ${before} and (not ${uneventful} or ${isMoney})`,
      }
    case 'jobs.delivery_tokens':
      return { table: subject, key: 'token_hash', condition: sql`seen_at < ${before}` }
    case 'jobs.heartbeat_pings':
      return { table: subject, key: 'id', condition: sql`finished_at < ${before}` }
    case 'jobs.findings':
      return { table: subject, key: 'id', condition: sql`closed_at < ${before} and not ${explainsPayout}` }
    case 'jobs.findings (payouts)':
      return { table: 'jobs.findings', key: 'id', condition: sql`closed_at < ${before} and ${explainsPayout}` }
    case 'jobs.dead_letters':
      return { table: subject, key: 'message_id', condition: sql`received_at < ${before}` }
    case 'jobs.audit_entries':
      return { table: subject, key: 'id', condition: sql`at < ${before}` }
    case 'jobs.token_refreshes':
      return {
        table: subject,
        key: 'clerk_user_id',
        condition: sql`refreshed_at < ${before}
          and not exists (select from profiles p where p."clerkUserId" = token_refreshes.clerk_user_id)`,
      }
    case 'jobs.outbox':
      return { table: subject, key: 'id', condition: sql`created_at < ${before} and state in ('sent', 'dropped')` }
    case 'jobs.outbox (unknown or poison)':
      return {
        table: 'jobs.outbox',
        key: 'id',
        condition: sql`created_at < ${before} and state in ('unknown', 'poison')`,
      }
    case 'jobs.money_operation_items':
      return {
        table: subject,
        key: 'operation_id',
        condition: sql`operation_id in (select o.id from jobs.money_operations o where ${isThrough})`,
      }
    case 'jobs.money_operations':
      // Its rows have gone before it, and so has whatever replaced it.
      return {
        table: subject,
        key: 'id',
        condition: sql`id in (select o.id from jobs.money_operations o where ${isThrough}
          and not exists (select from jobs.money_operation_items i where i.operation_id = o.id)
          and not exists (select from jobs.money_operations n where n.replaces = o.id))`,
      }
  }
}
