import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import type { DeliveredMessage } from './novu.ts'

/** People of one kind who were told one kind of thing in one language. */
export interface ToldLine {
  readonly kind: string
  readonly who: 'guest' | 'expert' | 'operator'
  readonly language: string
  readonly count: number
}

/** Notices that did not go out, by kind, state and reason. */
export interface UntoldLine {
  readonly kind: string
  readonly state: string
  readonly reason: string
  readonly count: number
}

export interface PeopleReport {
  readonly told: readonly ToldLine[]
  readonly untold: readonly UntoldLine[]
  /** What a healthy demo does not have: notices that were neither delivered nor rightly dropped, and messages twice. */
  readonly troubles: readonly string[]
}

const longestWaitMs = 30_000

/** Waits until every notice is delivered or dropped, and no longer than half a minute. */
export async function waitForNotices(db: Db): Promise<void> {
  const until = Date.now() + longestWaitMs
  while ((await countOpen(db)) > 0 && Date.now() < until) await sleep(50)
}

/** What the outbox says was sent, against what arrived; nobody's name or address is in it. */
export async function readPeopleReport(db: Db, inbox: readonly DeliveredMessage[]): Promise<PeopleReport> {
  const { rows } = await sql<NoticeRow>`
    select kind, recipient, state, coalesce(note, '') as note, transaction_id from jobs.outbox order by id`.execute(db)
  const arrived = Map.groupBy(inbox, ({ transactionId }) => transactionId)
  const dropped = rows.filter(({ state }) => state !== 'sent')
  return {
    told: count(
      rows
        .filter(({ state }) => state === 'sent')
        .map(({ kind, recipient, transaction_id: id }) => {
          return { kind, who: whoIs(recipient), language: arrived.get(id)?.[0]?.language ?? 'nothing arrived' }
        }),
    ),
    untold: count(dropped.map(({ kind, note, state }) => ({ kind, state, reason: note }))),
    troubles: [...listTroubles(rows, arrived), ...listStrays(rows, arrived)],
  }
}

interface NoticeRow {
  readonly kind: string
  readonly recipient: string
  readonly state: string
  readonly note: string
  readonly transaction_id: string
}

type Arrived = ReadonlyMap<string, readonly DeliveredMessage[]>

function listTroubles(rows: readonly NoticeRow[], arrived: Arrived): string[] {
  return rows.flatMap(({ kind, note, state, transaction_id: id }) => {
    const times = arrived.get(id)?.length ?? 0
    if (state === 'dropped' ? times === 0 : state === 'sent' && times === 1) return []
    return [`${kind} is ${state}${note === '' ? '' : ` (${note})`} and arrived ${times} times`]
  })
}

function listStrays(rows: readonly NoticeRow[], arrived: Arrived): string[] {
  const known = new Set(rows.map(({ transaction_id: id }) => id))
  return [...arrived.keys()]
    .filter(id => !known.has(id))
    .map(id => `a message arrived under ${id}, and no notice is of it`)
}

/** The form of a recipient is in notices/recipients.ts: guests by address, experts by their Clerk ids. */
function whoIs(recipient: string): ToldLine['who'] {
  if (recipient.startsWith('guest_')) return 'guest'
  return recipient.startsWith('user_') ? 'expert' : 'operator'
}

function count<Line extends Readonly<Record<string, string>>>(lines: readonly Line[]): Array<Line & { count: number }> {
  const groups = Map.groupBy(lines, line => JSON.stringify(line))
  return [...groups]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .flatMap(([, [line, ...more]]) => {
      return line === undefined ? [] : [{ ...line, count: more.length + 1 }]
    })
}

async function countOpen(db: Db): Promise<number> {
  const { rows } = await sql<{ open: number }>`
    select count(*)::integer as open from jobs.outbox where state in ('pending', 'sending', 'unknown')`.execute(db)
  return rows[0]?.open ?? 0
}
