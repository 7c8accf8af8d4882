import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import pg from 'pg'
import t, { type Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { createDatabase } from '../../src/database/connection.ts'
import { createRunBatches } from '../../src/database/run-batches.ts'
import { appointmentReminders } from '../../src/jobs/appointment-reminders.ts'
import { findReminders } from '../../src/notices/find-reminders.ts'
import { dayReminder, hourReminder } from '../../src/notices/reminder-rules.ts'
import { isFullRun, testDatabase } from '../support/database.ts'
import { noPayments } from '../support/no-money.ts'
import { addCrowd } from '../support/people-crowd.ts'
import { delivery, testRunner } from '../support/runner.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

t.setTimeout(isFullRun ? 600_000 : 120_000)

const now = new Date('2026-03-10T12:00:30.000Z')
const sizes = isFullRun
  ? ([
      { count: 10_000, due: 200 },
      { count: 100_000, due: 2_000 },
    ] as const)
  : ([
      { count: 2_000, due: 20 },
      { count: 20_000, due: 100 },
    ] as const)

// So short a beginning is a copy: a longer one would keep the whole text in memory.
const beginningLength = 12

interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

t.test('each query that selects appointments uses an index, however many there are', async t => {
  const { db, url } = await testDatabase(t)
  await addCrowd(db, { ...sizes[1], now })
  const own = createDatabase({ connectionString: url, onError: () => {} })
  t.teardown(async () => await own.destroy())
  const recording = record(t)
  for (const rule of [dayReminder, hourReminder]) {
    const bounds = { now, signal: new AbortController().signal }
    await findReminders(own, rule, { ...bounds, pageSize: 50 })
    await findReminders(own, rule, { ...bounds, pageSize: 5, maxDue: 5 })
  }
  const statements = recording.stop().filter(({ text }) => /from meetings/.test(text))
  t.ok(statements.length > 4, `${statements.length} statements`)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(async () => await client.end())
  for (const { text, values } of statements) {
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain ${text}`, [...values])
    const plan = rows.map(row => row['QUERY PLAN']).join('\n')
    t.match(plan, /Scan using "meetings_startTime_idx"|on "meetings_startTime_idx"/)
    t.notMatch(plan, /Seq Scan on (?:meetings|outbox)/)
    if (/outbox/.test(text)) t.match(plan, /Index.* (?:using|on) outbox_kind_subject/)
  }
})

t.test('a run takes a constant number of statements for a hundred reminders, and few beside them', async t => {
  const served = []
  for (const size of sizes) {
    const figures = await serve(t, size)
    served.push({ ...size, ...figures })
    t.comment(JSON.stringify({ ...size, ...figures }))
    t.equal(figures.applied, 2 * size.due)
    t.equal(figures.transactions, Math.ceil((2 * size.due) / 100))
    t.equal(figures.inTransactions, 3 * figures.transactions, 'statements in the transaction of each hundred')
  }
  const [few, many] = served
  // Before each transaction the lease is read.
  const beside = (one = few): number => (one?.outside ?? 0) - (one?.transactions ?? 0)
  t.ok(beside(many) - beside(few) <= 4, 'a page more, and the questions for it')
})

/** One run for all of them, on a database of its own. */
async function serve(t: Test, size: (typeof sizes)[number]) {
  const base = await testDatabase(t)
  await addCrowd(base.db, { ...size, now })
  const db = createDatabase({ connectionString: base.url, onError: () => {} })
  t.teardown(async () => await db.destroy())
  const booking = { status: 'paid', amountCents: 7_000, currency: 'eur', voucher: undefined } as const
  const readBooking = async (paymentIntentId: string) =>
    ({ paymentIntentId, ...booking, guestName: null, locale: 'pt', timeZone: null }) as const
  const { another, clock } = await testRunner(t, {
    providers: {
      site: { check: async () => ({ state: 'up', latencyMs: 1, detail: '' }) },
      qstash: undefined,
      payments: { ...noPayments, readBooking },
      calendarTokens: undefined,
    },
  })
  clock.set(now.toISOString())
  const runner = another({ db, runBatches: createRunBatches(db), owner: uuidv7(), leaseMs: 600_000 })
  const heapBefore = readLiveHeap()
  let peak = heapBefore
  const sampling = setInterval(() => {
    peak = Math.max(peak, readLiveHeap())
  }, 500)
  const recording = record(t, ({ text }) => ({ text: text.trimStart().slice(0, beginningLength), values: [] }))
  const startedAt = performance.now()
  const result = await runner.run(delivery(appointmentReminders))
  const wallMs = Math.round(performance.now() - startedAt)
  clearInterval(sampling)
  const statements = recording.stop()
  await runner.drain(0)
  if (result.kind === 'refused') throw new Error(result.message)
  const { applied = 0 } = (result.answer.body.report ?? {}) as { applied?: number }
  return {
    applied,
    wallMs,
    liveHeapMb: Math.round(peak / 2 ** 20),
    liveGrowthMb: Math.round((peak - heapBefore) / 2 ** 20),
    ...countStatements(statements),
  }
}

/** In bytes, without what nobody needs any more. */
function readLiveHeap(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** Of a runner that does one thing after the other: what is between `begin` and `commit` is inside. */
function countStatements(statements: readonly Statement[]) {
  const counts = { transactions: 0, inTransactions: 0, outside: 0 }
  let open = false
  for (const { text } of statements) {
    if (/^\s*begin/i.test(text)) {
      open = true
      counts.transactions += 1
    } else if (/^\s*(?:commit|rollback)/i.test(text)) open = false
    else if (open) counts.inTransactions += 1
    else if (!text.startsWith('select set_c')) counts.outside += 1
  }
  return counts
}

/** Notes each statement, or what `keep` makes of it. */
function record(t: Test, keep: (statement: Statement) => Statement = statement => statement) {
  const client = pg.Client.prototype as unknown as { query: (this: object, ...args: unknown[]) => unknown }
  const { query } = client
  const statements: Statement[] = []
  const stop = (): readonly Statement[] => {
    client.query = query
    return statements
  }
  client.query = function note(...args) {
    const [first, second] = args
    const { text = '', values = [] } =
      typeof first === 'string'
        ? { text: first, values: (second ?? []) as unknown[] }
        : (first as { text?: string; values?: unknown[] })
    const given = Array.isArray(second) ? (second as unknown[]) : []
    statements.push(keep({ text, values: values.length > 0 ? values : given }))
    return query.apply(this, args)
  }
  t.teardown(stop)
  return { stop }
}
