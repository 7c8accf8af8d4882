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
  const { isOld, key } = records[rule.subject]
  // What a subject has in brackets says which of its table's records it means.
  const [name = ''] = rule.subject.split(' ')
  const [table, column] = [sql.table(name), sql.ref(key)]
  const { numAffectedRows } = await sql`
    delete from ${table} where ${column} in (
      select ${column} from ${table} where ${isOld(rule)} order by ${column} limit ${limit}
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

interface Records {
  /** The primary key; where it grows with time, old records are found without reading the others. */
  readonly key: string
  readonly isOld: (rule: PurgeRule) => RawBuilder<unknown>
}

// A run that is going on has no finished_at, an owed ping neither, and an open finding no closed_at (their tables check
// it), so that no condition below is ever true of them.
const records: Readonly<Record<Purged, Records>> = {
  'jobs.runs': {
    key: 'id',
    isOld: ({ before, moneyJobs }) => sql`finished_at < ${before} and ${uneventful} and not ${isOf(moneyJobs)}`,
  },
  'jobs.runs (failed or money)': {
    key: 'id',
    isOld: ({ before, moneyJobs }) => sql`finished_at < ${before} and (not ${uneventful} or ${isOf(moneyJobs)})`,
  },
  'jobs.delivery_tokens': { key: 'token_hash', isOld: ({ before }) => sql`seen_at < ${before}` },
  'jobs.heartbeat_pings': { key: 'id', isOld: ({ before }) => sql`finished_at < ${before}` },
  'jobs.findings': { key: 'id', isOld: ({ before }) => sql`closed_at < ${before} and not ${explainsPayout}` },
  'jobs.findings (payouts)': { key: 'id', isOld: ({ before }) => sql`closed_at < ${before} and ${explainsPayout}` },
  'jobs.dead_letters': { key: 'message_id', isOld: ({ before }) => sql`received_at < ${before}` },
  'jobs.audit_entries': { key: 'id', isOld: ({ before }) => sql`at < ${before}` },
  'jobs.token_refreshes': {
    key: 'clerk_user_id',
    isOld: ({ before }) => sql`refreshed_at < ${before}
      and not exists (select from profiles p where p."clerkUserId" = token_refreshes.clerk_user_id)`,
  },
  'jobs.outbox': { key: 'id', isOld: ({ before }) => sql`created_at < ${before} and state in ('sent', 'dropped')` },
  'jobs.outbox (unknown or poison)': {
    key: 'id',
    isOld: ({ before }) => sql`created_at < ${before} and state in ('unknown', 'poison')`,
  },
  'jobs.money_operation_items': {
    key: 'operation_id',
    isOld: ({ before }) => sql`operation_id in (select o.id from jobs.money_operations o where ${isThrough(before)})`,
  },
  // Its rows have gone before it, and so has whatever replaced it.
  'jobs.money_operations': {
    key: 'id',
    isOld: ({ before }) => sql`id in (select o.id from jobs.money_operations o where ${isThrough(before)}
      and not exists (select from jobs.money_operation_items i where i.operation_id = o.id)
      and not exists (select from jobs.money_operations n where n.replaces = o.id))`,
  },
}

const uneventful = sql`state in ('succeeded', 'skipped', 'paused', 'duplicate', 'interrupted')`
// Somebody has explained a payout that is not ours, or decided about a refund after one: without it the account would be
// frozen, and the decision asked for, once more. A decline holds as long as no person has ended it.
const explainsPayout = sql`kind in ('payout-unexplained', 'refunded-after-payout', 'operation-declined')`

function isOf(jobs: readonly string[]): RawBuilder<unknown> {
  return sql`job = any(${jobs}::text[])`
}

/** What may still move money, or come back, is never old; a transfer is through when it is made. */
function isThrough(before: Date): RawBuilder<unknown> {
  return sql`o.updated_at < ${before} and (o.state in ('paid', 'failed', 'canceled', 'rejected')
    or (o.state = 'created' and o.kind = 'transfer'))`
}
