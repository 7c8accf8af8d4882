import { sql } from 'kysely'
import { recordAudit } from './audit.ts'
import type { Db } from './connection.ts'
import { recipientsOf, subjectsAbout } from './outbox-filters.ts'
import { settlePoison } from './outbox-findings.ts'
import type { OutboxState } from './tables.ts'

export interface NoticeFilter {
  readonly state?: OutboxState | undefined
  readonly kind?: string | undefined
  /** The id of a meeting, a hold, a payment, a row of payment_transfers or an operation: all that belongs to its booking. */
  readonly about?: string | undefined
  /** A person's id at the vendor, or an address, of a guest or of an expert. */
  readonly to?: string | undefined
  /** Only notices older than this one. */
  readonly before?: string | undefined
  readonly limit: number
}

// Without the facts, which are about people.
const columns = [
  'id',
  'kind',
  'subject',
  'recipient',
  'occurrence',
  'transaction_id',
  'state',
  'attempts',
  'next_attempt_at',
  'useful_until',
  'claimed_by',
  'claimed_until',
  'tried_at',
  'lookups',
  'run_id',
  'created_at',
  'finished_at',
  'note',
] as const

export type ListedNotice = Awaited<ReturnType<typeof listNotices>>[number]

/** Notices without what they say, newest first; at most `limit`. Their recipients may be addresses: mask them. */
export async function listNotices(db: Db, { about, before, kind, limit, state, to }: NoticeFilter) {
  let query = db.selectFrom('jobs.outbox').select(columns).orderBy('id', 'desc').limit(limit)
  if (about !== undefined) query = query.where('subject', 'in', subjectsAbout(about))
  if (to !== undefined) query = query.where('recipient', 'in', recipientsOf(to))
  if (state !== undefined) query = query.where('state', '=', state)
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (before !== undefined) query = query.where('id', '<', before)
  return await query.execute()
}

/** One notice and who did what to it. Undefined when there is none. */
export async function findNotice(db: Db, id: string) {
  const notice = await db.selectFrom('jobs.outbox').select(columns).where('id', '=', id).executeTakeFirst()
  if (notice === undefined) return undefined
  const audit = await db
    .selectFrom('jobs.audit_entries')
    .select(['at', 'actor', 'action', 'details'])
    .where('subject', '=', subjectOf(id))
    .where('action', 'like', 'notice.%')
    .orderBy('at')
    .execute()
  return { ...notice, audit }
}

export interface NoticeChange {
  readonly id: string
  readonly operator: string
  readonly note: string | undefined
  readonly now: Date
}

/** The note of a notice that an operator dropped: nothing but this can be taken back. */
export const droppedByOperator = 'by_operator'

/** What an operator's change came to: done, or the state in which nothing can be changed; undefined when there is none. */
export type NoticeChanged = 'changed' | OutboxState | undefined

// Of one that was tried, nobody knows whether it arrived: a vendor is asked by its id before it goes again.
const lookedUpFirst = sql<boolean>`state = 'dropped' and tried_at is not null`
const again = sql<OutboxState>`case when ${lookedUpFirst} then 'unknown' else 'pending' end`

/**
 * Tries a notice again at once: one that was set aside, that waits, or that an operator dropped. One that was dropped after
 * a try becomes `unknown`, and is looked up first.
 */
export async function retryNotice(db: Db, change: NoticeChange): Promise<NoticeChanged> {
  return await changeNotice(db, 'notice.retry', change, async trx => {
    return await trx
      .updateTable('jobs.outbox')
      .set({
        state: again,
        next_attempt_at: change.now,
        finished_at: null,
        lookups: 0,
        note: sql`case when state = 'dropped' then null else note end`,
      })
      .where('id', '=', change.id)
      .where(sql<boolean>`(state in ('poison', 'pending') or (state = 'dropped' and note = ${droppedByOperator}))`)
      .returning('id')
      .executeTakeFirst()
  })
}

/** Gives up a notice that nobody sends at this moment. One that may have been sent may arrive all the same. */
export async function dropNotice(db: Db, change: NoticeChange): Promise<NoticeChanged> {
  return await changeNotice(db, 'notice.drop', change, async trx => {
    return await trx
      .updateTable('jobs.outbox')
      .set({
        state: 'dropped',
        finished_at: change.now,
        note: droppedByOperator,
        claimed_by: null,
        claimed_until: null,
      })
      .where('id', '=', change.id)
      .where('state', 'in', ['poison', 'pending', 'unknown'])
      .where(sql<boolean>`(claimed_until is null or claimed_until <= clock_timestamp())`)
      .returning('id')
      .executeTakeFirst()
  })
}

/** Changes, audits, and closes the finding that asked for it, in one transaction. */
async function changeNotice(
  db: Db,
  action: string,
  { id, note, now, operator }: NoticeChange,
  update: (trx: Db) => Promise<unknown>,
): Promise<NoticeChanged> {
  return await db.transaction().execute(async trx => {
    const changed = await update(trx)
    if (changed === undefined) {
      const found = await trx.selectFrom('jobs.outbox').select('state').where('id', '=', id).executeTakeFirst()
      return found?.state
    }
    const details = note === undefined ? null : { note }
    await recordAudit(trx, { at: now, actor: operator, action, subject: subjectOf(id), details })
    await settlePoison(trx, operator, now, note)
    return 'changed'
  })
}

/** What the audit says of a notice is about. */
export function subjectOf(id: string): string {
  return `outbox ${id}`
}
