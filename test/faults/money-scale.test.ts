import t, { type Test } from 'tap'
import { maxCandidates } from '../../src/database/candidate-order.ts'
import { listPayoutCandidates } from '../../src/database/payout-candidates.ts'
import { isFullRun } from '../support/database.ts'
import { countCalls, type Crowd, gatherCrowd, gatherWaiting, serveCrowd } from '../support/money-crowd.ts'
import type { Flow } from '../support/money-dues.ts'
import type { ScaleFigures } from '../support/money-scale-child.ts'

t.setTimeout(isFullRun ? 1_800_000 : 240_000)

const sizes = isFullRun ? [1_000, 10_000] : [20, 60]
/** More than one run would take on, and than it once did. */
const waitingSizes = isFullRun ? [1_000, 100_000] : [500, 5_000]
/** Rows that one run takes on are some 3 kB each, and what a heap holds is not the same twice. */
const heapGrowthMb = 6
/** What Stripe lets through of one endpoint (docs.stripe.com/rate-limits). */
const perSecond = 25
const fastPerSecond = 5_000

interface Served {
  readonly crowd: Crowd
  readonly figures: ScaleFigures
  /** Rows that the run took on. */
  readonly rows: number
  /** Of all rows that are due. */
  readonly accounts: number
  readonly effects: number
}

t.test('payouts of many rows take as many statements as of few, and two short transactions each', async t => {
  const [few, many] = await serveBoth(t, 'payout')
  for (const { crowd, effects, figures, rows } of [few, many]) {
    const paid = crowd.stripe.payouts()
    t.equal(figures.outcome, 'succeeded')
    t.equal(effects, rows / 20, 'one payout for each account')
    t.equal(paid.length, effects)
    t.ok(
      paid.every(({ amount }) => amount === 6000 * 20),
      'of all of its rows',
    )
    t.equal(figures.transactions, 2 * effects)
  }
  compare(t, few, many)
  await serveTheRest(t, many)
})

t.test('where not all rows fit into a run of payouts, it takes whole accounts, and others at another hour', async t => {
  const { db, now } = await gatherCrowd(t, 'payout', 60)
  const first = new Set<string>()
  for (let hour = 0; hour < 24; hour += 1) {
    const by = new Date(now.getTime() + hour * 3_600_000)
    const { left, rows } = await listPayoutCandidates(db, { by, limit: 20 })
    const accounts = new Set(rows.map(({ account }) => account))
    t.match([rows.length, left, accounts.size], [20, 40, 1])
    for (const account of accounts) first.add(account)
  }
  t.equal(first.size, 3, 'each account has its turn')
})

t.test('transfers that exist take one short transaction each', async t => {
  const [few, many] = await serveBoth(t, 'record')
  for (const { effects, figures, rows } of [few, many]) {
    t.equal(figures.outcome, 'succeeded')
    t.equal(effects, rows)
    t.equal(figures.transactions, effects)
  }
  t.equal(few.crowd.stripe.transfers().filter(({ origin }) => origin === 'api').length, 0)
  compare(t, few, many)
})

t.test('transfers that have to be made take two short transactions each', async t => {
  const [few, many] = await serveBoth(t, 'create')
  for (const { crowd, effects, figures, rows } of [few, many]) {
    t.equal(figures.outcome, 'succeeded')
    t.equal(effects, rows)
    t.equal(crowd.stripe.transfers().length, effects)
    t.equal(figures.transactions, 2 * effects)
  }
  compare(t, few, many)
})

t.test('what a run holds and keeps does not grow with the rows that wait', async t => {
  const all: ScaleFigures[] = []
  for (const size of waitingSizes) {
    const crowd = await gatherWaiting(t, size)
    const figures = await serveCrowd(t, crowd, 'payouts', fastPerSecond)
    const taken = Math.min(size, maxCandidates)
    t.match(figures, { outcome: 'succeeded', report: { planned: 0, waiting: taken, left: 0 } })
    const run = await crowd.db.selectFrom('jobs.runs').select('plan').executeTakeFirstOrThrow()
    const { cutWaits, unread, waits } = run.plan as unknown as StoredPlan
    t.equal(unread, size - taken)
    t.equal(waits.length, 200)
    t.same(cutWaits, [
      { reason: 'complaint_window', cut: taken - 200, currency: 'eur', amountCents: (taken - 200) * 6000 },
    ])
    t.ok(JSON.stringify(run.plan).length < 200 * 400, `${JSON.stringify(run.plan).length} characters`)
    all.push(figures)
    t.comment(`${size} rows wait: ${figures.outside} statements, ${describeMemory(figures)}`)
  }
  const [few, many] = all
  t.equal(many?.outside, few?.outside, 'statements')
  t.ok(growthOf(few, many) < heapGrowthMb, `${growthOf(few, many)} MB more for more rows`)
})

interface StoredPlan {
  readonly waits: readonly unknown[]
  readonly cutWaits: readonly unknown[]
  readonly unread: number
}

async function serveBoth(t: Test, flow: Flow): Promise<[Served, Served]> {
  const served: Served[] = []
  for (const size of sizes) {
    const crowd = await gatherCrowd(t, flow, size)
    const figures = await serveCrowd(t, crowd, flow === 'payout' ? 'payouts' : 'transfers', fastPerSecond)
    const rows = Math.min(size, maxCandidates)
    t.equal(figures.report?.['left'], size - rows, 'the others are reported as left')
    served.push({ crowd, figures, rows, accounts: size / 20, effects: Number(figures.report?.['applied']) })
    t.comment(describe(flow, size, served.at(-1)))
  }
  const [few, many] = served
  if (few === undefined || many === undefined) throw new Error('two sizes are needed')
  return [few, many]
}

/** What one run leaves the next ones take on, account by account: nobody is paid in pieces, and nobody twice. */
async function serveTheRest(t: Test, { crowd, figures }: Served): Promise<void> {
  const runs = [figures]
  while (Number(runs.at(-1)?.report?.['left']) > 0) {
    runs.push(await serveCrowd(t, crowd, 'payouts', fastPerSecond))
  }
  t.comment(describeAll(runs, crowd))
  const paid = crowd.stripe.payouts()
  t.equal(paid.length, (sizes.at(-1) ?? 0) / 20)
  t.ok(
    paid.every(({ amount }) => amount === 6000 * 20),
    'each account once, all of its rows',
  )
}

/** What does not belong to an effect must not grow with the rows, and each effect costs the same. */
function compare(t: Test, few: Served, many: Served): void {
  const growth = (many.figures.outside - few.figures.outside) / (many.effects - few.effects)
  // Our own tables are read again with the facts, right before something is sent: bookings, and what would hold them.
  t.ok(Number.isInteger(growth) && growth <= 3, `${growth} statements outside of transactions for each effect`)
  const perEffect = ({ effects, figures }: Served): number => figures.inTransactions / effects
  t.equal(perEffect(many), perEffect(few), 'statements inside, for each effect')
  const perRow = ({ crowd, rows }: Served) => (countCalls(crowd)['GET payment_intents'] ?? 0) / rows
  t.equal(perRow(many), perRow(few), 'questions about a payment, for each row')
  for (const { accounts, crowd, rows } of [few, many]) {
    // Two for each row, and one for each account.
    const most = 2 * rows + accounts
    for (const [lane, calls] of Object.entries(countCalls(crowd))) t.ok(calls <= most, `${calls} calls ${lane}`)
  }
  t.ok(growthOf(few.figures, many.figures) < heapGrowthMb, `${growthOf(few.figures, many.figures)} MB more held`)
}

function growthOf(few: ScaleFigures | undefined, many: ScaleFigures | undefined): number {
  return Number(((many?.heldHeapMb ?? Number.NaN) - (few?.heldHeapMb ?? Number.NaN)).toFixed(1))
}

function describe(flow: Flow, size: number, served: Served | undefined): string {
  if (served === undefined) return ''
  const { crowd, effects, figures, rows } = served
  return [
    `${flow}, ${size} rows due, ${rows} of them in one run: ${effects} effects`,
    `${figures.outside} statements outside of transactions`,
    `${figures.transactions} transactions with ${figures.inTransactions / effects} statements for each effect`,
    describeCalls(crowd, figures.wallMs),
    describeMemory(figures),
  ].join('; ')
}

/** What it takes until nothing is left. */
function describeAll(runs: readonly ScaleFigures[], crowd: Crowd): string {
  const sum = (of: (figures: ScaleFigures) => number): number => runs.reduce((total, run) => total + of(run), 0)
  return [
    `payout, all rows in ${runs.length} runs: ${crowd.stripe.payouts().length} effects`,
    `${sum(({ outside }) => outside)} statements outside of transactions`,
    `${sum(({ transactions }) => transactions)} transactions with ${sum(({ inTransactions }) => inTransactions)} statements`,
    describeCalls(
      crowd,
      sum(({ wallMs }) => wallMs),
    ),
  ].join('; ')
}

/** Calls by endpoint, and the time that they took here beside what the limiter alone would make of it. */
function describeCalls(crowd: Crowd, wallMs: number): string {
  const calls = countCalls(crowd)
  const total = Object.values(calls).reduce((sum, count) => sum + count, 0)
  const floor = Math.ceil(Math.max(...Object.values(calls)) / perSecond)
  return (
    `${total} calls ${JSON.stringify(calls)}; ${(wallMs / 1000).toFixed(1)} s of our own at ${fastPerSecond} calls a second, ` +
    `and at Stripe's ${perSecond} for an endpoint no less than ${floor} s`
  )
}

function describeMemory({ heldHeapMb, peakHeapMb, peakRssMb }: ScaleFigures): string {
  return `held ${heldHeapMb.toFixed(1)} MB of heap, with garbage ${peakHeapMb} MB, and ${peakRssMb} MB resident`
}
