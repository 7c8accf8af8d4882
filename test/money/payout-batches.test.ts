import fc from 'fast-check'
import t from 'tap'
import { type Funds, groupByLane, type PayableRow, planBatch } from '../../src/money/payout-batches.ts'

const row = (paymentTransferId: number, amountCents: number, overrides: Partial<PayableRow> = {}): PayableRow => ({
  paymentTransferId,
  account: 'acct_1',
  currency: 'eur',
  amountCents,
  eligibleSince: new Date(Date.UTC(2026, 2, paymentTransferId)),
  ...overrides,
})

const funds = (availableCents: number, overrides: Partial<Funds> = {}): Funds => ({
  availableCents,
  reservedCents: 0,
  minimumCents: 100,
  ...overrides,
})

const idsOf = (rows: readonly PayableRow[]): number[] => rows.map(({ paymentTransferId }) => paymentTransferId)
const waitsOf = (rows: readonly PayableRow[], with_: Funds): string[] =>
  planBatch(rows, with_).waits.map(wait => `${wait.row.paymentTransferId} ${wait.reason}`)

t.test('the funds reach a row to the cent, and one cent less does not', async t => {
  const rows = [row(1, 6_000), row(2, 4_000)]
  t.same(idsOf(planBatch(rows, funds(10_000)).rows), [1, 2])
  t.same(idsOf(planBatch(rows, funds(9_999)).rows), [1])
  t.same(waitsOf(rows, funds(9_999)), ['2 awaiting_funds'])
  t.same(planBatch(rows, funds(5_999)).rows, [], 'a younger row does not overtake the one that waits')
  t.same(waitsOf(rows, funds(5_999)), ['1 awaiting_funds', '2 awaiting_funds'])
})

t.test('what other operations may still take is not there', async t => {
  const rows = [row(1, 6_000)]
  t.equal(planBatch(rows, funds(10_000, { reservedCents: 4_000 })).amountCents, 6_000)
  t.equal(planBatch(rows, funds(10_000, { reservedCents: 4_001 })).amountCents, 0)
})

t.test('a payout has the minimum, to the cent, and waits for it otherwise', async t => {
  t.equal(planBatch([row(1, 60), row(2, 40)], funds(1_000)).amountCents, 100)
  t.same(waitsOf([row(1, 60), row(2, 39)], funds(1_000)), ['1 below_minimum', '2 below_minimum'])
  t.same(waitsOf([row(1, 60), row(2, 5_000)], funds(1_000)), ['1 below_minimum', '2 awaiting_funds'])
})

t.test('nothing comes of a balance that is negative or unknown, and of amounts that are no money', async t => {
  for (const available of [0, -1, -5_000, Number.NaN]) {
    t.same(waitsOf([row(1, 500)], funds(available)), ['1 awaiting_funds'])
  }
  for (const amount of [0, -500, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    const batch = planBatch([row(1, amount), row(2, 500)], funds(10_000))
    t.same([batch.rows, batch.amountCents], [[], 0], String(amount))
  }
  t.same(planBatch([], funds(10_000, { minimumCents: 0 })), { rows: [], amountCents: 0, waits: [] })
})

t.test('the oldest eligible row is first, and the id decides between equals', async t => {
  const since = new Date('2026-03-08T10:00:00.000Z')
  const later = new Date('2026-03-08T10:00:00.001Z')
  const rows = [
    row(3, 200, { eligibleSince: later }),
    row(9, 200, { eligibleSince: since }),
    row(4, 200, { eligibleSince: since }),
  ]
  t.same(idsOf(planBatch(rows, funds(10_000)).rows), [4, 9, 3])
})

t.test('two accounts or currencies never meet in one payout', async t => {
  const rows = [row(1, 500), row(2, 500, { currency: 'usd' }), row(3, 500, { account: 'acct_2' })]
  t.throws(() => planBatch(rows.slice(0, 2), funds(10_000)), /two accounts or currencies/)
  t.throws(() => planBatch([rows[0], rows[2]] as PayableRow[], funds(10_000)), /two accounts or currencies/)
  t.same([...groupByLane(rows).keys()], ['acct_1 eur', 'acct_1 usd', 'acct_2 eur'])
})

const someRows = fc.array(
  fc.record({
    paymentTransferId: fc.integer({ min: 1, max: 40 }),
    account: fc.constantFrom('acct_1', 'acct_2'),
    currency: fc.constantFrom('eur', 'usd'),
    amountCents: fc.integer({ min: 1, max: 20_000 }),
    eligibleSince: fc.date({ min: new Date(0), max: new Date(86_400_000), noInvalidDate: true }),
  }),
  { maxLength: 30 },
)
const someFunds = fc.record({
  availableCents: fc.integer({ min: -5_000, max: 120_000 }),
  reservedCents: fc.integer({ min: 0, max: 30_000 }),
  minimumCents: fc.constantFrom(0, 1, 100, 5_000),
})

t.test(
  'whatever the rows and the funds: a payout is the sum of its rows, within the funds, and of each row once',
  async () => {
    fc.assert(
      fc.property(someRows, someFunds, (rows, with_) => {
        const lanes = [...groupByLane(rows).values()]
        return lanes.every(lane => {
          const { amountCents, rows: paid, waits } = planBatch(lane, with_)
          const ids = [...idsOf(paid), ...waits.map(wait => wait.row.paymentTransferId)]
          return (
            amountCents === paid.reduce((sum, { amountCents: cents }) => sum + cents, 0) &&
            (paid.length === 0 || amountCents <= with_.availableCents - with_.reservedCents) &&
            (paid.length === 0 || amountCents >= with_.minimumCents) &&
            new Set(paid.map(({ account, currency }) => `${account} ${currency}`)).size <= 1 &&
            new Set(ids).size === ids.length &&
            ids.length === new Set(idsOf(lane)).size
          )
        })
      }),
    )
  },
)

const uniqueRows = someRows.map(rows =>
  [...new Map(rows.map(each => [each.paymentTransferId, each])).values()].map(each => ({
    ...each,
    account: 'acct_1',
    currency: 'eur',
  })),
)

t.test('whatever the order of the rows, the payout is the same', async () => {
  const shuffled = uniqueRows.chain(rows =>
    fc.tuple(fc.constant(rows), fc.shuffledSubarray(rows, { minLength: rows.length })),
  )
  fc.assert(
    fc.property(shuffled, someFunds, ([rows, others], with_) => {
      const [one, other] = [planBatch(rows, with_), planBatch(others, with_)]
      return JSON.stringify(one) === JSON.stringify(other)
    }),
  )
})

t.test('more funds never pay less, and never take a row out of the payout', async () => {
  fc.assert(
    fc.property(uniqueRows, someFunds, fc.nat(50_000), (rows, with_, moreCents) => {
      const less = planBatch(rows, with_)
      const more = planBatch(rows, { ...with_, availableCents: with_.availableCents + moreCents })
      const paid = new Set(idsOf(more.rows))
      return more.amountCents >= less.amountCents && idsOf(less.rows).every(id => paid.has(id))
    }),
  )
})

t.test('what is paid now and what waits now is all paid once the funds are there', async () => {
  fc.assert(
    fc.property(uniqueRows, rows => {
      const total = rows.reduce((sum, { amountCents }) => sum + amountCents, 0)
      return planBatch(rows, funds(total, { minimumCents: 0 })).amountCents === total
    }),
  )
})
