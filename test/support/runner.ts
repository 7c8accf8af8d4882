import type { FastifyBaseLogger } from 'fastify'
import type { Test } from 'tap'
import { pino } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../../src/database/connection.ts'
import { createRunBatches } from '../../src/database/run-batches.ts'
import type { Applied, Effect, Job, Plan } from '../../src/runner/define-job.ts'
import { defineJob } from '../../src/runner/define-job.ts'
import type { JobContext } from '../../src/runner/context.ts'
import type { Delivery } from '../../src/runner/delivery.ts'
import type { Answer } from '../../src/runner/outcomes.ts'
import type { RunnerParts } from '../../src/runner/parts.ts'
import { createRunner, type Runner } from '../../src/runner/run-job.ts'
import { testDatabase } from './database.ts'
import { neverAsked, noLedger, noPayments } from './no-money.ts'

/** A clock that stands still until a test moves it. */
export function stoppedClock(at = '2026-03-10T12:00:30.000Z') {
  let now = new Date(at)
  const clock = (): Date => now
  return Object.assign(clock, {
    set: (to: string) => {
      now = new Date(to)
    },
    advance: (ms: number) => {
      now = new Date(now.getTime() + ms)
    },
  })
}

export type StoppedClock = ReturnType<typeof stoppedClock>

interface TestJobOptions extends Partial<Omit<Job, 'gather' | 'plan' | 'apply'>> {
  readonly gather?: (context: JobContext) => Promise<unknown>
  readonly plan?: (facts: unknown, now: Date) => Plan
  readonly apply?: (effect: Effect, context: JobContext) => Promise<Applied | void>
}

/** A job that plans one effect and applies it, unless told otherwise. */
export function testJob(options: TestJobOptions = {}): Job {
  return defineJob({
    name: 'test-job',
    summary: 'Does what a test wants.',
    class: 'operational',
    priority: 'medium',
    cron: '*/10 * * * *',
    timeZone: 'UTC',
    timeoutMs: 20_000,
    retries: 3,
    movesMoney: false,
    heartbeat: 'TEST_HEARTBEAT',
    parse: () => undefined,
    gather: async () => undefined,
    plan: () => ({ effects: [{ kind: 'touch', subject: 'row-1' }] }),
    apply: async () => undefined,
    ...options,
  })
}

let messages = 0

/** A message of its own, unscheduled, unsigned and on its last attempt, unless told otherwise. */
export function delivery(job: Job, overrides: Partial<Delivery> = {}): Delivery {
  messages += 1
  return {
    job,
    messageId: `msg_${messages}_${Math.random().toString(36).slice(2)}`,
    trigger: 'message',
    scheduled: false,
    lastAttempt: true,
    dryRun: false,
    body: undefined,
    tokenHash: null,
    operator: null,
    planHash: undefined,
    pingAsked: false,
    ...overrides,
  }
}

export interface TestRunner {
  readonly runner: Runner
  readonly db: Db
  readonly url: string
  readonly clock: StoppedClock
  readonly log: FastifyBaseLogger
  readonly logs: () => Record<string, unknown>[]
  /** Runs a delivery and expects it to be answered, not refused. */
  readonly answer: (wanted: Delivery) => Promise<Answer>
  /** Another process on the same database. */
  readonly another: (overrides?: Partial<RunnerParts>) => Runner
}

/** A runner on a database of its own, with a stopped clock and its log lines at hand. */
export async function testRunner(t: Test, overrides: Partial<RunnerParts> = {}): Promise<TestRunner> {
  const { db, url } = await testDatabase(t)
  const clock = stoppedClock()
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: line => lines.push(line) })
  const create = (more: Partial<RunnerParts> = {}): Runner =>
    createRunner({
      db,
      runBatches: createRunBatches(more.db ?? overrides.db ?? db),
      providers: {
        site: { check: neverAsked },
        qstash: undefined,
        payments: noPayments,
        calendarTokens: undefined,
      },
      ledger: noLedger,
      log,
      clock,
      newId: () => uuidv7(),
      owner: uuidv7(),
      leaseMs: 10_000,
      jobsWithHeartbeat: new Set(['test-job']),
      sendOwedPings: async () => ({ delivered: 0, dropped: 0, owed: 0 }),
      sendDueNotices: async () => {},
      ...overrides,
      ...more,
    })
  const runner = create()
  t.teardown(async () => {
    await runner.drain(0)
  })
  return {
    runner,
    db,
    url,
    clock,
    log,
    logs: () => lines.map(line => JSON.parse(line) as Record<string, unknown>),
    another: create,
    answer: async wanted => await answerOf(runner, wanted),
  }
}

/** Runs a delivery and expects it to be answered, not refused. */
export async function answerOf(runner: Runner, wanted: Delivery): Promise<Answer> {
  const result = await runner.run(wanted)
  if (result.kind === 'refused') throw new Error(`refused: ${result.reason} ${result.message}`)
  return result.answer
}
