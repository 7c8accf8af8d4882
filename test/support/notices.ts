import { sql } from 'kysely'
import type { Test } from 'tap'
import { insertNotice } from '../../src/database/outbox.ts'
import type { Db } from '../../src/database/connection.ts'
import type { NoticeKind, Recheck } from '../../src/notices/notice.ts'
import { rechecks } from '../../src/notices/rechecks.ts'
import { transactionIdOf } from '../../src/notices/record.ts'
import { createNoticeSender, type NoticeSenderOptions, type NoticeTally } from '../../src/notices/sender.ts'
import type { Message, Notifications, SendAnswer } from '../../src/providers/notifications.ts'
import { testDatabase } from './database.ts'
import { noPayments } from './no-money.ts'
import { later, noon, recordLog } from './pings.ts'

export interface Owed {
  readonly name?: string
  readonly kind?: NoticeKind
  readonly usefulUntil?: Date | null
  readonly at?: Date
  readonly facts?: Readonly<Record<string, unknown>>
}

export const reader = { language: 'en', locale: 'en-GB', timeZone: 'UTC', email: 'ana@guests.test' }

/** Writes a notice as a job does; returns its id. */
export async function oweNotice(db: Db, owed: Owed = {}): Promise<string> {
  const {
    at = noon,
    facts = { reader },
    kind = 'appointment-reminder-1h',
    name = '1',
    usefulUntil = later(3_600_000),
  } = owed
  const notice = { kind, subject: `meetings ${name} guest`, recipient: 'guest_ana@guests.test', occurrence: 'once' }
  const written = { ...notice, facts, runId: null, at, usefulUntil }
  await insertNotice(db, { ...written, transactionId: transactionIdOf(written) })
  const { id } = await db
    .selectFrom('jobs.outbox')
    .select('id')
    .where('subject', '=', notice.subject)
    .where('kind', '=', kind)
    .executeTakeFirstOrThrow()
  return id
}

/** The row, with its times as text, because `t.match` takes any date for any other. */
export async function readNotice(db: Db, id: string) {
  const row = await db.selectFrom('jobs.outbox').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  return { ...row, next_attempt_at: row.next_attempt_at.toISOString(), finished_at: row.finished_at?.toISOString() }
}

/** As if the sender's process had been gone for long enough. */
export async function letClaimsRunOut(db: Db): Promise<void> {
  await db
    .updateTable('jobs.outbox')
    .set({ claimed_until: new Date(0) })
    .where('claimed_until', 'is not', null)
    .execute()
}

export async function listFindings(db: Db) {
  return await db.selectFrom('jobs.findings').select(['kind', 'subject', 'state', 'message']).orderBy('id').execute()
}

/** Writes so many more like the one there is. */
export async function oweMany(db: Db, count: number): Promise<void> {
  await sql`insert into jobs.outbox (kind, subject, recipient, occurrence, facts, transaction_id, next_attempt_at,
      useful_until, created_at)
    select kind, 'meetings x' || n, recipient, occurrence, facts, 'tx' || n, next_attempt_at, useful_until, created_at
    from jobs.outbox, generate_series(1, ${count}::int) n`.execute(db)
}

/** A pass that found nothing to do. */
export const nothing: NoticeTally = { sent: 0, dropped: 0, poison: 0, unknown: 0, later: 0 }
export const accepted: SendAnswer = { kind: 'accepted' }

export interface FakeVendor extends Notifications {
  /** The names of the messages of each call. */
  readonly calls: readonly (readonly string[])[]
  readonly asked: readonly string[]
  /** What arrived, however often. */
  readonly inbox: readonly Message[]
}

export interface FakeVendorOptions {
  readonly answer?: (message: Message, together: readonly Message[]) => SendAnswer | Promise<SendAnswer>
  readonly isTaken?: (transactionId: string) => boolean | Promise<boolean>
}

/** A vendor that takes what it does not refuse, answers as it is told, and finds what it has taken. */
export function fakeVendor(options: FakeVendorOptions = {}): FakeVendor {
  const { answer = () => accepted } = options
  const calls: string[][] = []
  const asked: string[] = []
  const inbox: Message[] = []
  const isTaken = options.isTaken ?? (id => inbox.some(({ transactionId }) => transactionId === id))
  return {
    calls,
    asked,
    inbox,
    send: async messages => {
      calls.push(messages.map(nameOf))
      const answers = await Promise.all(messages.map(async message => await answer(message, messages)))
      inbox.push(...messages.filter((_, index) => answers[index]?.kind === 'accepted'))
      return answers
    },
    isTaken: async id => {
      asked.push(id)
      return await isTaken(id)
    },
    listWorkflows: async () => [],
    getWorkflows: async () => [],
  }
}

export function nameOf({ payload }: Message): string {
  return String(payload['name'])
}

const always: Recheck = async () => ({ kind: 'send' })

/** A sender on a database of its own, with a clock that stands still, notices that are always true, and plain words. */
export async function testSender(t: Test, options: Partial<NoticeSenderOptions> = {}) {
  const { db, url } = await testDatabase(t)
  const { lines, log, messages } = recordLog()
  const time = { now: noon }
  const vendor = fakeVendor()
  const create = (more: Partial<NoticeSenderOptions> = {}) =>
    createNoticeSender({
      db,
      notifications: vendor,
      payments: noPayments,
      // The test's name of a notice is its occurrence in words.
      render: (kind, facts) => ({ workflow: 'appointment-universal', payload: { name: facts['name'], kind } }),
      rechecks: Object.fromEntries(Object.keys(rechecks).map(kind => [kind, always])) as typeof rechecks,
      clock: () => time.now,
      owner: 'one',
      log,
      random: () => 0,
      ...options,
      ...more,
    })
  const sender = create()
  t.teardown(async () => {
    await sender.close(0)
    if (lines.join('').includes('ana@')) throw new Error('a log line names an address')
  })
  const owe = async (name: string, owed: Owed = {}) =>
    await oweNotice(db, { ...owed, name, facts: owed.facts ?? { name, reader } })
  const wait = (ms: number): void => {
    time.now = new Date(time.now.getTime() + ms)
  }
  return {
    db,
    url,
    log,
    lines,
    messages,
    time,
    vendor,
    sender,
    create,
    owe,
    wait,
    read: async (id: string) => await readNotice(db, id),
  }
}
