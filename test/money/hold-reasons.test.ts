import t from 'tap'
import { type Foresight, tellForesight } from '../../src/money/foresights.ts'
import { explainHold, type HoldEvidence, holdSentences, judgeHold } from '../../src/money/hold-reasons.ts'
import { failuresBeforeHold } from '../../src/money/payout-lanes.ts'
import { noOwners } from '../../src/money/payout-rows.ts'
import { keysOf, listUncovered } from '../../src/money/standing-holds.ts'
import { planPayouts } from '../../src/money/payout-plan.ts'
import {
  listedPayout,
  openPayout,
  payoutAccount,
  payoutDay,
  payoutFacts,
  payoutRow,
  atStripe,
} from '../support/payout-facts.ts'

const payer = { ...listedPayout('po_1'), account: 'acct_1' }
const nothing: HoldEvidence = {
  users: 1,
  strangers: [],
  rejectedRows: [],
  failedPayouts: 0,
  changedRows: [],
  payers: [],
}
const judge = (reason: string, evidence: Partial<HoldEvidence> = {}) =>
  judgeHold('payout', reason, { ...nothing, ...evidence })

t.test('what our own tables can tell is judged anew, to the last case that still holds', async t => {
  const cases: readonly [string, Partial<HoldEvidence>, 'yes' | 'no', RegExp][] = [
    ['account_shared', { users: 2 }, 'yes', /^still so: 2 users have this account$/],
    ['account_shared', { users: 1 }, 'no', /^no longer so: one user has this account$/],
    ['account_shared', { users: 0 }, 'no', /no user has/],
    ['account_changed', { strangers: [7, 9] }, 'yes', /another account: payment_transfers 7, 9$/],
    ['account_changed', {}, 'no', /it is the current account/],
    ['rejected_before', { rejectedRows: [7] }, 'yes', /payment_transfers 7$/],
    ['rejected_before', {}, 'no', /no refusal/],
    ['may_be_paid_already', { payers: [payer, payer] }, 'yes', /rows say what they were for: po_1$/],
    [
      'may_be_paid_already',
      { payers: [payer], owners: { ...noOwners, recorded: new Set(['po_1']) } },
      'no',
      /no longer/,
    ],
    ['failed_repeatedly', { failedPayouts: failuresBeforeHold }, 'yes', /^still so: 3 of the account's payouts/],
    ['failed_repeatedly', { failedPayouts: failuresBeforeHold - 1 }, 'no', /^no longer so: 2 of/],
  ]
  for (const [reason, evidence, stands, today] of cases)
    t.match(judge(reason, evidence), { stands, today, doubts: [] }, reason)
})

t.test('what only Stripe or the limits of that day can tell says so, and what to compare', async t => {
  for (const reason of ['above_single_limit', 'above_daily_limit', 'before_cut_over', 'new_word']) {
    t.match(judge(reason), { stands: 'unknown', today: /decided .*: compare /, doubts: [] }, reason)
  }
})

t.test('a doubt that has come since is told beside the reason, because nobody has decided about it', async t => {
  const evidence = { users: 2, strangers: [7], failedPayouts: 3, changedRows: [8] }
  t.match(judge('above_single_limit', evidence).doubts, [
    /2 users/,
    /payment_transfers 7/,
    /3 of/,
    /changed since.* 8$/,
  ])
  t.match(
    judge('account_shared', evidence).doubts,
    [/payment_transfers 7/, /3 of/, /changed since/],
    'its own reason is no new one',
  )
  t.same(
    judgeHold('transfer', 'above_single_limit', { ...nothing, failedPayouts: 3 }).doubts,
    [],
    'payouts are nothing to a transfer',
  )
})

t.test('an approval covers what was shown: what was decided once, and of the others what stands today', async t => {
  const held = judgeHold('payout', 'account_changed', { ...nothing, strangers: [7], payers: [payer] }, [
    'account_changed 7',
    'account_shared 2 users',
    'above_single_limit',
  ])
  t.same(held.shown, ['above_single_limit', 'may_be_paid_already po_1', 'account_changed 7'])
  t.match(held.doubts, [/held also because .*MONEY_MAX_SINGLE/, /po_1/])
  t.same(judge('before_cut_over').shown, ['before_cut_over'])
  const holds = [
    { reason: 'above_daily_limit', of: [] },
    { reason: 'may_be_paid_already', of: ['po_1', 'po_2'] },
  ] as const
  t.same(keysOf(holds), ['may_be_paid_already po_1', 'may_be_paid_already po_2', 'above_daily_limit'])
  t.same(listUncovered(holds, keysOf(holds)), [])
  t.match(listUncovered(holds, ['may_be_paid_already po_1', 'above_daily_limit']), [{ reason: 'may_be_paid_already' }])
  t.match(
    listUncovered(holds, ['may_be_paid_already']),
    [{ reason: 'may_be_paid_already' }, {}],
    'a word covers no payout',
  )
})

t.test('what is to be resumed is told as the ledger will decide it, to the cent of the limits', t => {
  const limits = { maxSingleCents: 100, maxTotalCents: 150 }
  const ready = { kind: 'sendable', isProvenUnsent: true, isCounted: false, holds: [] } as const
  const tell = (foresight: Foresight | undefined, amountCents = 100, approvedFor: string[] = [], sentCents = 50) =>
    tellForesight(foresight, { amountCents, approvedFor }, sentCents, limits)
  t.same(tell(undefined), { isNew: true }, 'it was not read')
  t.same(tell(ready), { isNew: true })
  t.match(tell(ready, 101, [], 0), { isNew: false, hold: 'above_single_limit', holds: ['above_single_limit'] })
  t.match(tell(ready, 100, [], 51), { isNew: false, hold: 'above_daily_limit' })
  t.same(tell(ready, 100, ['above_daily_limit'], 51), { isNew: true }, 'approved')
  t.same(tell({ ...ready, isCounted: true, isProvenUnsent: false }, 100, [], 51), { isNew: false }, 'it counts already')
  const doubted = { ...ready, holds: [{ reason: 'account_changed', of: ['7', '8'] }] } as const
  t.match(tell(doubted, 100, ['account_changed 7'], 51), {
    hold: 'account_changed',
    holds: ['account_changed 7', 'account_changed 8', 'above_daily_limit'],
    says: `it will be held: ${holdSentences.account_changed}; ${holdSentences.above_daily_limit}`,
  })
  const maybeSent = tell({ ...doubted, isProvenUnsent: false, isCounted: true })
  t.match(maybeSent, { isNew: false, hold: undefined, says: /^it may have been sent already: / })
  t.match(tell({ kind: 'made', stripeIds: ['po_1'] }), { isNew: false, says: 'Stripe has it already (po_1)' })
  t.match(tell({ kind: 'notSent', reason: 'unpaid' }), { isNew: false, says: 'it is not sent now (unpaid)' })
  t.end()
})

t.test('the words of a reason are the same in a plan, of what is to be held and of what is held', async t => {
  t.equal(explainHold('new_word'), 'new_word')
  for (const [reason, sentence] of Object.entries(holdSentences)) {
    const row = payoutRow(7, { operation: { id: 'op-1', state: 'held', reason, wakeAt: null, stripeId: null } })
    const { waits } = planPayouts(payoutFacts({ rows: [row] }), payoutDay)
    t.match(waits, [
      { reason: 'held', operationId: 'op-1', why: `its payout is held until an operator approves it: ${sentence}` },
    ])
  }
})

t.test('a payout names the experts whose money it is, also one that is finished, settled or given up', async t => {
  const experts = ['user_ana']
  const row = payoutRow(7, { expert: 'user_ana' })
  t.match(planPayouts(payoutFacts({ rows: [row] }), payoutDay).effects, [{ kind: 'create-payout', experts }])
  for (const overrides of [
    { state: 'planned' },
    { state: 'held', changedRows: [7] },
    { state: 'created', stripeId: 'po_1' },
  ] as const) {
    const accounts = [payoutAccount('acct_1', { atStripe: atStripe({ payouts: [listedPayout()] }) })]
    const operations = [openPayout('op-1', { ...overrides, experts })]
    const owners = { recorded: new Set(['po_1']) }
    t.match(
      planPayouts(payoutFacts({ rows: [], accounts, operations, owners }), payoutDay).effects,
      [{ experts }],
      overrides.state,
    )
  }
})

t.test('several payouts that nobody explains put MONEY_SINCE in doubt, one does not', async t => {
  const findingsOf = (...ids: string[]) => {
    const payouts = ids.map(id => listedPayout(id))
    const accounts = [payoutAccount('acct_1', { atStripe: atStripe({ payouts }) })]
    return planPayouts(payoutFacts({ accounts }), payoutDay).findings.filter(
      ({ kind }) => kind === 'payout-unexplained',
    )
  }
  const doubt = /or MONEY_SINCE is earlier than the moment the old jobs stopped/
  t.match(findingsOf('po_1', 'po_2'), [{ message: doubt }, { message: doubt }])
  t.notMatch(findingsOf('po_1')[0]?.message, doubt)
})

t.test('what an operator declined waits, whatever else is in order, and is not paid beside it', async t => {
  const rows = [payoutRow(7, { declined: 'op-9' }), payoutRow(8)]
  const { effects, waits } = planPayouts(payoutFacts({ rows }), payoutDay)
  t.match(waits, [
    {
      subject: 'payment_transfers 7',
      reason: 'declined',
      operationId: 'op-9',
      why: /resolves the finding operation-declined/,
    },
  ])
  t.match(effects, [{ kind: 'create-payout', rows: [{ paymentTransferId: 8 }] }])
  t.equal(effects.length, 1)
})
