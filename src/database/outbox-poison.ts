import { sql } from 'kysely'
import { recordAudit } from './audit.ts'
import type { Db } from './connection.ts'
import { settlePoison } from './outbox-findings.ts'
import { type NoticeChange, subjectOf } from './outbox-queries.ts'

export interface PoisonChange extends Omit<NoticeChange, 'id'> {
  readonly kind: string
  /** How many are to be tried: where there are others by now, nothing is changed. */
  readonly count: number
}

/** How many notices of a kind were set aside. */
export async function countSetAside(db: Db, kind: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from jobs.outbox where kind = ${kind} and state = 'poison'`.execute(db)
  return rows[0]?.count ?? 0
}

/**
 * Tries all notices of a kind again that were set aside, with an audit entry for each, in one transaction. Gives how many
 * there were; unless that is `count`, nothing was changed.
 */
export async function retryPoison(db: Db, { count, kind, note, now, operator }: PoisonChange): Promise<number> {
  return await db.transaction().execute(async trx => {
    const locked = sql`select id from jobs.outbox where kind = ${kind} and state = 'poison' order by id for update`
    const { rows } = await sql<{ id: string }>`${locked}`.execute(trx)
    if (rows.length !== count || count === 0) return rows.length
    const ids = rows.map(({ id }) => id)
    await sql`update jobs.outbox set state = 'pending', next_attempt_at = ${now}, finished_at = null, lookups = 0
      where id = any(${ids}::bigint[])`.execute(trx)
    const details = note === undefined ? null : { note }
    for (const id of ids) {
      await recordAudit(trx, { at: now, actor: operator, action: 'notice.retry', subject: subjectOf(id), details })
    }
    await settlePoison(trx, operator, now, note)
    return count
  })
}
