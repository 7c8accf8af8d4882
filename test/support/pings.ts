import pino from 'pino'
import type { Test } from 'tap'
import type { Db } from '../../src/database/connection.ts'
import type { PingKind } from '../../src/database/tables.ts'
import {
  createHeartbeatSender,
  type HeartbeatPing,
  type HeartbeatSender,
  type SendResult,
} from '../../src/providers/heartbeat.ts'
import { createPings, type PingsOptions } from '../../src/runner/pings.ts'
import { testDatabase } from './database.ts'

export const noon = new Date('2026-11-21T12:00:00Z')

export function later(ms: number): Date {
  return new Date(noon.getTime() + ms)
}

/** Writes a ping as a closed run does; returns its id. */
export async function owePing(
  db: Db,
  ping: { job?: string; kind?: PingKind; body?: string; trueUntil?: Date; nextAttemptAt?: Date } = {},
): Promise<string> {
  const { body = null, job = 'keep-alive', kind = 'success', nextAttemptAt = noon, trueUntil = later(600_000) } = ping
  const { id } = await db
    .insertInto('jobs.heartbeat_pings')
    .values({ job, kind, body, happened_at: noon, true_until: trueUntil, next_attempt_at: nextAttemptAt })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

/** The row, with its times as text, because `t.match` takes any date for any other. */
export async function readPing(db: Db, id: string) {
  const row = await db.selectFrom('jobs.heartbeat_pings').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  return { ...row, next_attempt_at: row.next_attempt_at.toISOString(), finished_at: row.finished_at?.toISOString() }
}

/** As if the sender's process had been gone for long enough. */
export async function letClaimsRunOut(db: Db): Promise<void> {
  await db
    .updateTable('jobs.heartbeat_pings')
    .set({ claimed_until: new Date(0) })
    .where('state', '=', 'sending')
    .execute()
}

/** A log whose lines a test can read. */
export function recordLog() {
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) })
  return { log, lines, messages: () => lines.map(line => (JSON.parse(line) as { msg: string }).msg) }
}

/** A sender that notes what it is given, in order, and answers by what it is told; delivered unless said. */
export function recordSender(answer: (ping: HeartbeatPing) => SendResult | Promise<SendResult> = () => delivered) {
  const real = createHeartbeatSender({ fetch: async () => await Promise.reject(new Error('no network here')) })
  const sent: HeartbeatPing[] = []
  const sender: HeartbeatSender = {
    describe: url => real.describe(url),
    send: async ping => {
      sent.push(ping)
      return await answer(ping)
    },
  }
  return { sender, sent, kinds: () => sent.map(({ kind }) => kind) }
}

export const delivered: SendResult = { outcome: 'delivered' }
export const notNow: SendResult = { outcome: 'retryable', reason: 'status 503', retryAfterMs: null }

export const token = 'k7Qp2XvN8rTz4LmWc9Ya3bUd'
export const jobs = ['keep-alive', 'process-tasks', 'cleanup-blocked-dates']

export function heartbeatsOf(names: readonly string[], timeoutMs = 5_000) {
  return new Map(
    names.map(name => [name, { url: `https://monitor.test/api/v1/heartbeat/${name}/${token}`, timeoutMs }]),
  )
}

/** Pings on a database of their own, with a clock that stands still, and a check that no log line names the token. */
export async function testPings(t: Test, options: Partial<PingsOptions> = {}) {
  const { db, url } = await testDatabase(t)
  const { lines, log, messages } = recordLog()
  const time = { now: noon }
  const pings = createPings({
    db,
    sender: recordSender().sender,
    heartbeats: heartbeatsOf(jobs),
    clock: () => time.now,
    owner: 'one',
    log,
    random: () => 1,
    ...options,
  })
  t.teardown(async () => {
    await pings.close(0)
    if (lines.join('').includes(token)) throw new Error('a log line names the token')
  })
  return { db, url, log, lines, messages, time, pings }
}

/** A clock that moves, for what is tried again within one pass. */
export function movingClock(): () => Date {
  const startedAt = performance.now()
  return () => later(performance.now() - startedAt)
}

/** Waits until a condition holds; the test's own time limit ends a wait in vain. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setTimeout(resolve, 2))
}
