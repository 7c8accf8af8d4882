/** One run of a money job in a process of its own, which counts its statements and its memory. */
import pg from 'pg'
import { pino } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import { createDatabase } from '../../src/database/connection.ts'
import { createRunBatches } from '../../src/database/run-batches.ts'
import { processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'
import { createLedger } from '../../src/ledger/create-ledger.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createStripe } from '../../src/providers/stripe.ts'
import { createRunner } from '../../src/runner/run-job.ts'
import { delivery } from './runner.ts'

export interface ScaleFigures {
  /** Statements, without BEGIN, COMMIT and the renewals of the lease, which go by time. */
  readonly inTransactions: number
  readonly outside: number
  readonly transactions: number
  readonly wallMs: number
  readonly peakRssMb: number
  readonly peakHeapMb: number
  /** The most that was held, garbage not counted, at the named moments of the run. */
  readonly heldHeapMb: number
  readonly outcome: string
  readonly report: Readonly<Record<string, unknown>> | null
}

const env = process.env
const figures = { inTransactions: 0, outside: 0, transactions: 0, peakRssMb: 0, peakHeapMb: 0, heldHeapMb: 0 }
let applied = 0
const open = new WeakSet<object>()

countStatements()
const db = createDatabase({ connectionString: env['DATABASE_URL'] ?? '', onError: () => {} })
const http = createHttp()
const stripe = createStripe({
  secretKey: env['STRIPE_SECRET_KEY'] ?? '',
  url: env['STRIPE_API_BASE_URL'],
  fetch: http.fetch,
  requestsPerSecond: Number(env['REQUESTS_PER_SECOND']),
})
const clock = (): Date => new Date(env['CHILD_NOW'] ?? '')
const limits = { maxSingleCents: 1e9, maxTotalCents: 1e12, since: new Date('2020-01-01T00:00:00Z') }
const runner = createRunner({
  db,
  clock,
  runBatches: createRunBatches(db),
  providers: {
    site: { check: async () => ({ state: 'up', latencyMs: 1, detail: '' }) },
    qstash: undefined,
    payments: stripe.reads,
    calendarTokens: undefined,
  },
  ledger: createLedger({ db, payments: stripe.reads, writes: stripe.writes, limits, newId: () => uuidv7() }),
  log: pino({ level: 'error' }, pino.destination(2)),
  newId: () => uuidv7(),
  owner: uuidv7(),
  leaseMs: 30_000,
  jobsWithHeartbeat: new Set(),
  sendOwedPings: async () => ({ delivered: 0, dropped: 0, owed: 0 }),
  sendDueNotices: async () => {},
  onStep: step => {
    if (step === 'applied') applied += 1
    if (['gathered', 'planned', 'closing'].includes(step) || (step === 'applied' && applied % 500 === 0)) noteHeld()
  },
})
const sampling = setInterval(noteMemory, 50)
const startedAt = performance.now()
const result = await runner.run(
  delivery(env['CHILD_JOB'] === 'payouts' ? processPendingPayouts : processExpertTransfers),
)
const wallMs = Math.round(performance.now() - startedAt)
clearInterval(sampling)
noteMemory()
const answer = result.kind === 'answered' ? result.answer.body : { outcome: result.reason, report: null }
const { outcome, report } = answer
process.send?.({ ...figures, wallMs, outcome, report } satisfies ScaleFigures)
await runner.drain(0)
await http.close()
await db.destroy()
process.disconnect()

function countStatements(): void {
  const client = pg.Client.prototype as { query: (this: object, ...args: unknown[]) => unknown }
  const { query } = client
  client.query = function count(...args) {
    const [first] = args
    const text = typeof first === 'string' ? first : ((first as { text?: string } | undefined)?.text ?? '')
    if (/^\s*begin/i.test(text)) {
      open.add(this)
      figures.transactions += 1
    } else if (/^\s*(?:commit|rollback)/i.test(text)) open.delete(this)
    else if (open.has(this)) figures.inTransactions += 1
    else if (!/update jobs\.leases|set_config/.test(text)) figures.outside += 1
    return query.apply(this, args)
  }
}

function noteMemory(): void {
  const { heapUsed, rss } = process.memoryUsage()
  figures.peakRssMb = Math.max(figures.peakRssMb, Math.round(rss / 2 ** 20))
  figures.peakHeapMb = Math.max(figures.peakHeapMb, Math.round(heapUsed / 2 ** 20))
}

function noteHeld(): void {
  globalThis.gc?.()
  figures.heldHeapMb = Math.max(figures.heldHeapMb, process.memoryUsage().heapUsed / 2 ** 20)
}
