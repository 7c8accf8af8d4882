import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** The code of a workflow that takes other fields than are sent: the vendor accepts its messages, and swallows them. */
export const differs = 'differs'

const unreadyKind = 'novu-workflow-unready'

/**
 * Closes what was wrong at the vendor and is well now: our key, and these workflows, of which it took a message. What it may
 * swallow is not closed by that.
 */
export async function resolveVendorFindings(db: Db, workflows: readonly string[], now: Date): Promise<void> {
  await sql`
    update jobs.findings set state = 'resolved', closed_at = ${now}, closed_by = 'eleva-jobs',
      note = concat_ws('; ', note, 'Novu took a message')
    where state <> 'resolved' and (kind = 'novu-key-refused'
      or (kind = 'novu-in-trouble' and cardinality(${[...workflows]}::text[]) > 0)
      or (kind = ${unreadyKind} and subject = any(${[...workflows]}::text[]) and details ->> 'code' is distinct from ${differs}))`.execute(
    db,
  )
}

export interface VendorTrouble {
  readonly kind: 'novu-in-trouble' | 'novu-key-refused' | 'novu-workflow-unready'
  readonly subject: string
  readonly seenAt: Date
}

/** What is wrong at the vendor, as it was last met by whichever process. */
export async function listVendorTroubles(db: Db): Promise<readonly VendorTrouble[]> {
  const { rows } = await sql<VendorTrouble>`
    select kind, subject, last_seen_at as "seenAt" from jobs.findings
    where kind in ('novu-in-trouble', 'novu-key-refused', ${unreadyKind}) and state <> 'resolved'
    order by kind, subject`.execute(db)
  return rows
}

/** Workflows of which an open finding says that the vendor swallows messages. */
export async function listSwallowing(db: Db): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ subject: string }>`
    select subject from jobs.findings
    where kind = ${unreadyKind} and state <> 'resolved' and details ->> 'code' = ${differs}`.execute(db)
  return new Set(rows.map(({ subject }) => subject))
}

/** Closes what was told of our key before it was used at `askedAt`, and worked. */
export async function resolveKeyRefused(trx: Db, askedAt: Date): Promise<void> {
  await sql`
    update jobs.findings set state = 'resolved', closed_at = ${askedAt}, closed_by = 'eleva-jobs',
      note = concat_ws('; ', note, 'Novu took our key')
    where kind = 'novu-key-refused' and state <> 'resolved' and last_seen_at < ${askedAt}`.execute(trx)
}

/** Closes what was told, before `askedAt`, of workflows that were then as they should be. Gives those of which something was. */
export async function resolveReady(trx: Db, workflows: readonly string[], askedAt: Date): Promise<readonly string[]> {
  const { rows } = await sql<{ subject: string }>`
    update jobs.findings set state = 'resolved', closed_at = ${askedAt}, closed_by = 'eleva-jobs',
      note = concat_ws('; ', note, 'it is as it should be again')
    where kind = ${unreadyKind} and state <> 'resolved' and subject = any(${[...workflows]}::text[])
      and last_seen_at < ${askedAt}
    returning subject`.execute(trx)
  return rows.map(({ subject }) => subject)
}

export interface OverdueKind {
  readonly kind: string
  readonly count: number
  readonly oldest: Date
}

/**
 * Notices that were written before this moment, stay useful or may have been sent, and are still on their way; and those
 * of any age that went out this often and were never found. By kind.
 */
export async function listOverdueKinds(db: Db, before: Date, tries: number): Promise<OverdueKind[]> {
  const { rows } = await sql<OverdueKind>`
    select kind, count(*)::int as count, min(created_at) as oldest from jobs.outbox
    where state in ('pending', 'sending', 'unknown') and (
      (created_at < ${before} and (useful_until is null or state = 'unknown'))
      or (attempts >= ${tries} and (state = 'unknown' or note = 'absent')))
    group by kind order by kind`.execute(db)
  return rows
}

/** How many notices of this kind an open finding of lost ones tells of already. */
export async function countToldLost(trx: Db, kind: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select (details ->> 'count')::integer as count from jobs.findings
    where kind = 'notice-lost' and subject = ${kind} and state <> 'resolved' for update`.execute(trx)
  return rows[0]?.count ?? 0
}

/** Closes the findings about kinds of which nothing is overdue any more. */
export async function resolveDelivered(db: Db, overdueKinds: readonly string[], now: Date): Promise<void> {
  await sql`
    update jobs.findings set state = 'resolved', closed_at = ${now}, closed_by = 'eleva-jobs',
      note = concat_ws('; ', note, 'none of them waits any more')
    where kind = 'notice-undelivered' and state <> 'resolved'
      and not subject = any(${[...overdueKinds]}::text[])`.execute(db)
}

export const poisonKind = 'notice-poison'

/**
 * Brings what is told of notices that were set aside up to date: each finding counts those that still are, and one that has
 * none left is closed by whoever ended them. Belongs into the transaction that retries or drops any of them, at its end.
 */
export async function settlePoison(trx: Db, by: string, now: Date, note?: string): Promise<void> {
  // In one order, so that of two who do this one waits for the other.
  await sql`select from jobs.findings where kind = ${poisonKind} and state <> 'resolved' order by subject for update`.execute(
    trx,
  )
  await countPoison(trx)
  await sql`
    update jobs.findings set state = 'resolved', closed_at = ${now}, closed_by = ${by},
      note = nullif(concat_ws('; ', note, ${note ?? null}::text), '')
    where kind = ${poisonKind} and state <> 'resolved' and details -> 'count' = '0'`.execute(trx)
}

/** Counts anew what these findings, or all open ones, are about. Holds their rows already, so that nobody's count is lost. */
export async function countPoison(trx: Db, subjects?: readonly string[]): Promise<void> {
  const these = subjects === undefined ? sql`true` : sql`f.subject = any(${[...subjects]}::text[])`
  await sql`
    update jobs.findings f set message = regexp_replace(f.message, '^\\d+', still.count::text),
      details = jsonb_set(f.details, '{count}', to_jsonb(still.count))
    from jobs.findings g
    cross join lateral (
      select count(*)::int as count from jobs.outbox o
      where o.state = 'poison' and o.note = g.details ->> 'reason'
        and o.kind in (select jsonb_array_elements_text(g.details -> 'kinds'))
    ) still
    where g.id = f.id and f.kind = ${poisonKind} and f.state <> 'resolved' and f.details ? 'kinds' and ${these}
      and f.details -> 'count' is distinct from to_jsonb(still.count)`.execute(trx)
}
