import t, { type Test } from 'tap'
import { isFullRun } from '../support/database.ts'
import { countCalls, type Crowd, gatherCrowd, serveCrowd } from '../support/money-crowd.ts'
import type { Flow } from '../support/money-dues.ts'
import type { ScaleFigures } from '../support/money-scale-child.ts'

t.setTimeout(isFullRun ? 1_800_000 : 240_000)

const sizes = isFullRun ? [1_000, 10_000] : [20, 60]
/** What Stripe lets through of one endpoint (reference/stripe.md section 3.5). */
const perSecond = 25
const fastPerSecond = 5_000

interface Served {
  readonly crowd: Crowd
  readonly figures: ScaleFigures
  readonly effects: number
}

t.test('payouts of many rows take as many statements as of few, and two short transactions each', async t => {
  const [few, many] = await serveBoth(t, 'payout')
  for (const { crowd, effects, figures } of [few, many]) {
    const paid = crowd.stripe.payouts()
    t.equal(figures.outcome, 'succeeded')
    t.equal(paid.length, effects, 'one payout for each account')
    t.equal(
      paid.reduce((sum, { amount }) => sum + amount, 0),
      6000 * 20 * effects,
      'of all of its rows',
    )
    t.equal(figures.transactions, 2 * effects)
  }
  compare(t, few, many)
})

t.test('transfers that exist take one short transaction each', async t => {
  const [few, many] = await serveBoth(t, 'record')
  for (const { effects, figures } of [few, many]) {
    t.equal(figures.outcome, 'succeeded')
    t.equal(figures.transactions, effects)
  }
  t.equal(few.crowd.stripe.transfers().filter(({ origin }) => origin === 'api').length, 0)
  compare(t, few, many)
})

t.test('transfers that have to be made take two short transactions each', async t => {
  const [few, many] = await serveBoth(t, 'create')
  for (const { crowd, effects, figures } of [few, many]) {
    t.equal(figures.outcome, 'succeeded')
    t.equal(crowd.stripe.transfers().length, effects)
    t.equal(figures.transactions, 2 * effects)
  }
  compare(t, few, many)
})

async function serveBoth(t: Test, flow: Flow): Promise<[Served, Served]> {
  const served: Served[] = []
  for (const size of sizes) {
    const crowd = await gatherCrowd(t, flow, size)
    const figures = await serveCrowd(t, crowd, flow === 'payout' ? 'payouts' : 'transfers', fastPerSecond)
    const applied = figures.report?.['applied']
    served.push({ crowd, figures, effects: typeof applied === 'number' ? applied : 0 })
    t.comment(describe(flow, size, served.at(-1)))
  }
  const [few, many] = served
  if (few === undefined || many === undefined) throw new Error('two sizes are needed')
  return [few, many]
}

/** What does not belong to an effect must not grow with the rows, and each effect costs the same. */
function compare(t: Test, few: Served, many: Served): void {
  const growth = (many.figures.outside - few.figures.outside) / (many.effects - few.effects)
  // Our own rows may be read again with the facts, right before something is sent.
  t.ok(growth === 0 || growth === 1, `${growth} statements outside of transactions for each effect`)
  const perEffect = ({ effects, figures }: Served): number => figures.inTransactions / effects
  t.equal(perEffect(many), perEffect(few), 'statements inside, for each effect')
}

function describe(flow: Flow, size: number, served: Served | undefined): string {
  if (served === undefined) return ''
  const { crowd, effects, figures } = served
  const calls = countCalls(crowd)
  const busiest = Math.max(...Object.values(calls))
  const total = Object.values(calls).reduce((sum, count) => sum + count, 0)
  return [
    `${flow}, ${size} rows: ${effects} effects`,
    `${figures.outside} statements outside of transactions`,
    `${figures.transactions} transactions with ${figures.inTransactions / effects} statements for each effect`,
    `${total} calls ${JSON.stringify(calls)}`,
    `${(figures.wallMs / 1000).toFixed(1)} s, and at ${perSecond}/s of an endpoint no less than ${Math.ceil(busiest / perSecond)} s`,
    `peak ${figures.peakRssMb} MB resident, ${figures.peakHeapMb} MB of heap`,
  ].join('; ')
}
