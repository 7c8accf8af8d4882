import { sql } from 'kysely'
import type { Db } from './connection.ts'

export interface NoticeClaiming {
  /** Tells this claim apart from every other, of the same process too. */
  readonly claim: string
  readonly limit: number
  /** How long nobody else may touch what was claimed. Longer than checking, sending or looking up takes. */
  readonly claimMs: number
  /** How long after a try the vendor can be asked about it. */
  readonly lookUpAfterMs: number
  readonly now: Date
}

/** A notice in our hands: to be sent, or of one that may have been sent already, to be looked up. */
export interface ClaimedNotice {
  readonly id: string
  readonly kind: string
  readonly subject: string
  readonly recipient: string
  readonly occurrence: string
  readonly facts: Readonly<Record<string, unknown>>
  readonly transactionId: string
  readonly usefulUntil: Date | null
  readonly createdAt: Date
  /** Tries that were made before. */
  readonly attempts: number
  /** Look-ups since the newest try that found nothing. */
  readonly lookups: number
  /** Checks in a row that failed, before it went. */
  readonly checks: number
  /** What the last try or look-up came to; null when there was none. */
  readonly note: string | null
}

export interface NoticeClaims {
  readonly toSend: readonly ClaimedNotice[]
  readonly toLookUp: readonly ClaimedNotice[]
  /** Those that came too late, by kind; they are dropped now. */
  readonly dropped: readonly { readonly id: string; readonly kind: string }[]
  /** Whether there may be more than could be claimed. */
  readonly full: boolean
}

/**
 * Claims what is due, oldest first, past what others hold. At the same time what helps nobody any more is dropped, and
 * what a vanished sender had begun to send becomes `unknown`; what it had only claimed is sent like any other.
 *
 * What is due is measured by `now`, the clock that wrote those times. A claim ends by the database's clock, as leases do:
 * two processes must agree on its end, or the one whose clock is ahead would send a second time.
 */
export async function claimNotices(db: Db, claiming: NoticeClaiming): Promise<NoticeClaims> {
  const { claim, claimMs, limit, lookUpAfterMs, now } = claiming
  const { rows } = await sql<ClaimedRow>`
    with due as materialized (${selectDue(now, limit)}),
    judged as (
      select id, next_attempt_at as due_at, case
        when state = 'unknown' then 'look up'
        when state = 'sending' and tried_at is not null then 'lost'
        when useful_until < ${now} then 'drop'
        else 'send' end as verdict
      from due
    )
    update jobs.outbox o set
      state = case j.verdict when 'send' then 'sending' when 'drop' then 'dropped' else 'unknown' end,
      claimed_by = case when j.verdict in ('send', 'look up') then ${claim}::text end,
      claimed_until = case when j.verdict in ('send', 'look up') then ${until(claimMs)} end,
      tried_at = case when j.verdict <> 'send' then o.tried_at end,
      lookups = case when j.verdict = 'look up' then o.lookups else 0 end,
      next_attempt_at = case when j.verdict = 'lost'
        then o.tried_at + make_interval(secs => ${lookUpAfterMs}::double precision / 1000) else o.next_attempt_at end,
      finished_at = case when j.verdict = 'drop' then ${now}::timestamptz end,
      note = case j.verdict when 'drop' then 'too_late' when 'lost' then 'its sender vanished' else o.note end
    from judged j where o.id = j.id
    returning j.verdict, j.due_at, o.*`.execute(db)
  // An UPDATE returns its rows in any order.
  rows.sort((a, b) => a.due_at.getTime() - b.due_at.getTime() || Number(a.id) - Number(b.id))
  const of = (verdict: Verdict): ClaimedRow[] => rows.filter(row => row.verdict === verdict)
  return {
    toSend: of('send').map(toClaimed),
    toLookUp: of('look up').map(toClaimed),
    dropped: of('drop'),
    full: rows.length === limit,
  }
}

/** The rows a claim takes; what decides about them is not in here, so that the index alone finds them. */
export function selectDue(now: Date, limit: number) {
  return sql`
    select id, state, useful_until, tried_at, next_attempt_at from jobs.outbox
    where state in ('pending', 'sending', 'unknown') and next_attempt_at <= ${now}
      and (claimed_until is null or claimed_until <= clock_timestamp())
    order by next_attempt_at limit ${limit} for update skip locked`
}

/**
 * Notes that notices go out now, and extends their claim. Gives those that may be sent: not one whose claim has run out or
 * was taken over. Commit it before the socket opens.
 */
export async function beginTries(
  db: Db,
  ids: readonly string[],
  { claim, claimMs, now }: Pick<NoticeClaiming, 'claim' | 'claimMs' | 'now'>,
): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ id: string }>`
    update jobs.outbox set tried_at = ${now}, attempts = attempts + 1, claimed_until = ${until(claimMs)}
    where id = any(${[...ids]}::bigint[]) and state = 'sending' and claimed_by = ${claim}
      and claimed_until > clock_timestamp()
    returning id`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

type Verdict = 'send' | 'look up' | 'lost' | 'drop'

interface ClaimedRow {
  id: string
  verdict: Verdict
  due_at: Date
  kind: string
  subject: string
  recipient: string
  occurrence: string
  facts: Record<string, unknown>
  transaction_id: string
  useful_until: Date | null
  created_at: Date
  attempts: number
  lookups: number
  checks: number
  note: string | null
}

function until(claimMs: number) {
  return sql`clock_timestamp() + make_interval(secs => ${claimMs}::double precision / 1000)`
}

function toClaimed(row: ClaimedRow): ClaimedNotice {
  const { attempts, checks, facts, id, kind, lookups, note, occurrence, recipient, subject } = row
  const { created_at: createdAt, transaction_id: transactionId, useful_until: usefulUntil } = row
  const what = { id, kind, subject, recipient, occurrence, facts, transactionId }
  return { ...what, usefulUntil, createdAt, attempts, lookups, checks, note }
}
