import t from 'tap'
import { planPayouts } from '../../src/money/payout-plan.ts'
import {
  atStripe,
  listedPayout,
  openPayout,
  payoutAccount,
  payoutDay,
  payoutFacts,
  told,
} from '../support/payout-facts.ts'

const dayMs = 24 * 60 * 60_000
const ago = (ms: number): Date => new Date(payoutDay.getTime() - ms)
type Overrides = Parameters<typeof openPayout>[1]

/** The facts of an operation whose payout Stripe lists like that. */
function facts(operation: Overrides, payout: Parameters<typeof listedPayout>[1]) {
  const operations = [openPayout('op-9', { state: 'created', stripeId: 'po_9', ...operation })]
  const payouts = [listedPayout('po_9', { operationId: 'op-9', ...payout })]
  const accounts = [payoutAccount('acct_1', { atStripe: atStripe({ payouts }) })]
  return { rows: [], operations, accounts, owners: { recorded: new Set(['po_9']) } }
}

t.test('a payout whose money is away for three days after it came back is told, to the millisecond', async t => {
  for (const status of ['failed', 'canceled']) {
    for (const state of ['created', 'paid'] as const) {
      const since = (ms: number, payout = {}) =>
        told(facts({ state, vendorStatus: status, updatedAt: ago(ms) }, { status, ...payout }))
      t.same(since(3 * dayMs - 1).findings, [])
      t.same(since(3 * dayMs).findings, ['payout-money-missing op-9'], `${status} after ${state}`)
      t.same(since(9 * dayMs, { moneyIsBack: true }), { effects: ['settle-payout op-9'], waits: [], findings: [] })
    }
  }
  t.same(
    told(facts({ vendorStatus: 'pending', updatedAt: ago(9 * dayMs) }, { status: 'failed' })),
    { effects: ['settle-payout op-9'], waits: [], findings: [] },
    'the days count from when we heard of it',
  )
})

t.test('a payout that has come to nothing that we know for ten days is told, to the millisecond', async t => {
  const since = (ms: number, operation: Overrides = {}, payout = {}) =>
    told(facts({ vendorStatus: 'in_transit', firstSentAt: ago(ms), ...operation }, { status: 'in_transit', ...payout }))
  t.same(since(10 * dayMs).findings, [])
  t.same(since(10 * dayMs + 1).findings, ['payout-unsettled op-9'])
  t.same(since(20 * dayMs, {}, { status: 'paid' }).findings, [], 'this run settles it')
  t.same(since(20 * dayMs, { state: 'paid', vendorStatus: 'paid' }, { status: 'paid' }).findings, [])
  const missing = since(20 * dayMs, { vendorStatus: 'failed', updatedAt: ago(9 * dayMs) }, { status: 'failed' })
  t.same(missing.findings, ['payout-money-missing op-9'], 'one finding says it all')
})

t.test(
  'of an account that is cut off, payouts that are on their way are told, and those that arrived are not',
  async t => {
    const refused = { kind: 'refused', code: 'account_invalid' } as const
    const accounts = [payoutAccount('acct_1', { atStripe: refused })]
    const tell = (operation: Overrides, asked: object = refused) =>
      planPayouts(
        payoutFacts({
          rows: [],
          operations: [openPayout('op-9', { stripeId: 'po_9', ...operation })],
          accounts: [{ ...accounts[0], atStripe: asked } as (typeof accounts)[0]],
        }),
        payoutDay,
      ).findings.map(({ kind, subject }) => `${kind} ${subject}`)
    const unreachable = 'account-unreachable acct_1'
    for (const state of ['created', 'sending', 'unknown'] as const) t.same(tell({ state }), [unreachable], state)
    t.same(tell({ state: 'paid', vendorStatus: 'failed' }), [unreachable], 'its money is not back')
    t.same(tell({ state: 'paid', vendorStatus: 'paid' }), [])
    const old = { state: 'created' as const, firstSentAt: ago(11 * dayMs) }
    t.same(tell(old), ['payout-unsettled op-9', unreachable])
    for (const kind of ['left', 'failed']) t.same(tell(old, { kind, code: 'rate_limit' }), [], `${kind}: it comes back`)
  },
)
