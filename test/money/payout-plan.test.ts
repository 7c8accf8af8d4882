import fc from 'fast-check'
import t from 'tap'
import type { State } from '../../src/money/operation-states.ts'
import type { PayoutRow } from '../../src/money/payout-facts.ts'
import { planPayouts, type PayoutEffect } from '../../src/money/payout-plan.ts'
import { stopSentences } from '../../src/money/eligibility.ts'
import {
  atStripe,
  listedPayout,
  openPayout,
  payoutAccount,
  payoutDay,
  payoutFacts,
  payoutPayment,
  payoutRow,
  tell,
  told,
} from '../support/payout-facts.ts'

const nothing = { effects: [], waits: [], findings: [] }
const paidOne = { ...nothing, effects: ['create-payout acct_1 8500 eur: 1'] }
const waiting = (reason: string, ids = [1]) => ({
  ...nothing,
  waits: ids.map(id => `payment_transfers ${id} ${reason}`),
})
const odd = (kind: string, subject = 'payment_transfers 1') => ({ ...nothing, findings: [`${kind} ${subject}`] })
const withBooking = (booking: Partial<PayoutRow['booking']>, id = 1) => {
  const row = payoutRow(id)
  return { ...row, booking: { ...row.booking, ...booking } }
}
const operation = (state: State, more = {}) => ({
  id: 'op-1',
  state,
  reason: null,
  wakeAt: null,
  stripeId: null,
  ...more,
})

t.test('a booking that is due is paid to the account that has its money, and says so like a statement', async t => {
  const plan = planPayouts(payoutFacts(), payoutDay)
  t.same(plan.effects, [
    {
      kind: 'create-payout',
      subject: 'acct_1 eur',
      amountCents: 8_500,
      currency: 'eur',
      destination: 'acct_1',
      experts: ['expert of acct_1'],
      rows: [{ paymentTransferId: 1, amountCents: 8_500, eligibleSince: new Date('2026-03-11T10:00:00.000Z') }],
      availableCents: 100_000,
      reservedCents: 0,
      why: '1 booking is due, and the account has the money for it',
    },
  ])
  t.same([plan.waits, plan.findings, plan.failures, plan.left], [[], [], [], 0])
  t.same(plan.counts, { candidates: 1, accounts: 1, accounts_unread: 0, open_operations: 0 })
  t.same(told({ rows: [] }), nothing)
})

t.test('the complaint window and the age of the payment decide to the millisecond', async t => {
  const endsAt = new Date('2026-03-19T06:00:00.000Z')
  const rows = [withBooking({ appointmentEndsAt: endsAt })]
  t.same(told({ rows }, new Date('2026-03-20T05:59:59.999Z')), waiting('complaint_window'))
  t.same(told({ rows }, new Date('2026-03-20T06:00:00.000Z')), paidOne)
  const payments = new Map([[1, payoutPayment(payoutRow(), { paidAt: new Date('2026-03-13T06:00:00.000Z') })]])
  t.same(told({ payments }, new Date('2026-03-20T05:59:59.999Z')), waiting('payment_age'))
  t.same(told({ payments }, new Date('2026-03-20T06:00:00.000Z')), paidOne)
  const [wait] = planPayouts(payoutFacts({ payments }), new Date('2026-03-15T00:00:00Z')).waits
  t.same(wait, {
    subject: 'payment_transfers 1',
    reason: 'payment_age',
    until: new Date('2026-03-20T06:00:00.000Z'),
    why: "the payment is younger than the delay of the expert's country",
    amountCents: 8_500,
    currency: 'eur',
    destination: 'acct_1',
  })
})

t.test('rows of one account and currency are one payout; currencies and accounts never meet', async t => {
  const rows = [
    payoutRow(1),
    withBooking({ currency: 'usd', amountCents: 2_000 }, 2),
    payoutRow(3, { account: 'acct_2' }),
    withBooking({ amountCents: 1_500 }, 4),
  ]
  const accounts = [
    payoutAccount('acct_1', {
      atStripe: atStripe({ available: { eur: 100_000, usd: 2_000 } }),
      rowSums: [
        { currency: 'eur', status: 'COMPLETED', cents: 100_000 },
        { currency: 'usd', status: 'COMPLETED', cents: 2_000 },
      ],
    }),
    payoutAccount('acct_2'),
  ]
  t.same(told({ rows, accounts }).effects, [
    'create-payout acct_1 10000 eur: 1,4',
    'create-payout acct_1 2000 usd: 2',
    'create-payout acct_2 8500 eur: 3',
  ])
})

t.test('the balance decides how many of the oldest rows are paid, and never a part of one', async t => {
  const rows = [1, 2, 3].map(id => payoutRow(id))
  const withFunds = (eur: number, pending = 0) =>
    told({
      rows,
      accounts: [payoutAccount('acct_1', { atStripe: atStripe({ available: { eur }, pending: { eur: pending } }) })],
    })
  t.same(withFunds(17_000), {
    ...nothing,
    effects: ['create-payout acct_1 17000 eur: 1,2'],
    waits: ['payment_transfers 3 awaiting_funds'],
  })
  t.same(withFunds(16_999).effects, ['create-payout acct_1 8500 eur: 1'])
  t.same(withFunds(300), waiting('awaiting_funds', [1, 2, 3]), 'three euros pay nothing of a row of eighty-five')
  t.same(withFunds(0, 90_000), waiting('awaiting_funds', [1, 2, 3]), 'pending money is not there yet')
  t.same(withFunds(-5_000), waiting('awaiting_funds', [1, 2, 3]))
  t.same(told({ rows, accounts: [payoutAccount('acct_1', { atStripe: atStripe({ available: {} }) })] }).effects, [])
  const wait = planPayouts(
    payoutFacts({ accounts: [payoutAccount('acct_1', { atStripe: atStripe({ available: { eur: 300 } }) })] }),
    payoutDay,
  ).waits[0]
  t.match(wait, { availableCents: 300, reservedCents: 0, why: /does not have the money/ })
})

t.test('less than the smallest payout waits for more', async t => {
  t.same(told({ rows: [withBooking({ amountCents: 99 })] }), waiting('below_minimum'))
  t.same(told({ rows: [withBooking({ amountCents: 100 })] }).effects, ['create-payout acct_1 100 eur: 1'])
})

t.test('an account that must not be paid out waits, whatever it holds', async t => {
  const gates = [
    [atStripe({ payoutsEnabled: false, disabledReason: 'requirements.past_due' }), 'payouts_disabled', []],
    [atStripe({ schedule: 'daily' }), 'schedule_not_manual', ['schedule-not-manual acct_1']],
    [atStripe({ bankCurrencies: ['usd'], disabledBankCurrencies: ['eur'] }), 'bank_account_disabled', []],
    [atStripe({ bankCurrencies: ['usd'] }), 'no_bank_account', []],
  ] as const
  for (const [asked, reason, findings] of gates) {
    t.same(told({ accounts: [payoutAccount('acct_1', { atStripe: asked })] }), { ...waiting(reason), findings }, reason)
  }
})

t.test('one operation at a time: while one is open in a lane the next one waits, and other lanes do not', async t => {
  const rows = [payoutRow(1), payoutRow(2, { account: 'acct_2' })]
  for (const state of ['planned', 'sending', 'unknown'] as const) {
    t.same(
      told({ rows, operations: [openPayout('op-1', { state })] }),
      {
        ...nothing,
        effects: ['resume-operation op-1', 'create-payout acct_2 8500 eur: 2'],
        waits: ['payment_transfers 1 operation_open'],
      },
      state,
    )
  }
  const wakeAt = new Date('2026-03-20T06:00:00.001Z')
  const blocked = openPayout('op-1', { state: 'blocked', reason: 'balance_insufficient', wakeAt })
  t.same(told({ operations: [blocked] }), waiting('operation_open'), 'a blocked one sleeps until its moment')
  t.same(planPayouts(payoutFacts({ operations: [blocked] }), payoutDay).waits[0]?.until, wakeAt)
  t.same(told({ operations: [{ ...blocked, wakeAt: payoutDay }] }).effects, ['resume-operation op-1'])
  t.same(told({ operations: [openPayout('op-1', { currency: 'usd' })] }).effects, [
    'resume-operation op-1',
    'create-payout acct_1 8500 eur: 1',
  ])
})

t.test('what is held for its size keeps its own amount, and what is held in doubt keeps nothing', async t => {
  for (const reason of ['above_single_limit', 'above_daily_limit']) {
    const held = openPayout('op-1', { state: 'held', reason, amountCents: 91_500 })
    t.same(told({ operations: [held] }), paidOne, reason)
    t.same(told({ operations: [{ ...held, amountCents: 91_501 }] }), waiting('awaiting_funds'), reason)
    t.same(told({ operations: [{ ...held, amountCents: 91_501, currency: 'usd' }] }), paidOne, reason)
  }
  for (const reason of [
    'before_cut_over',
    'account_shared',
    'account_changed',
    'may_be_paid_already',
    'failed_repeatedly',
    'rejected_before',
  ]) {
    t.same(told({ operations: [openPayout('op-1', { state: 'held', reason, amountCents: 100_000 })] }), paidOne, reason)
  }
})

t.test('a held operation whose rows have changed is given up first, and keeps nothing any more', async t => {
  const state = 'held'
  const held = openPayout('op-1', { state, reason: 'above_single_limit', amountCents: 100_000, changedRows: [7, 9] })
  const plan = planPayouts(payoutFacts({ operations: [held] }), payoutDay)
  t.same(tell(plan).effects, ['release-operation op-1', ...paidOne.effects])
  t.match(plan.effects[0], { destination: 'acct_1', currency: 'eur', why: /payment_transfers 7, 9 changed/ })
  t.notOk('amountCents' in (plan.effects[0] ?? {}), 'giving up moves nothing')
})

t.test('a row in an operation waits for it, and one that was paid by it is told', async t => {
  const told_ = (state: State) => told({ rows: [payoutRow(1, { operation: operation(state, { stripeId: 'po_1' }) })] })
  t.same(told_('held'), waiting('held'))
  for (const [reason, kind] of Object.entries({
    before_cut_over: 'before-cut-over',
    account_changed: 'account-changed',
  })) {
    const held = payoutRow(1, { operation: operation('held', { reason }) })
    const plan = planPayouts(payoutFacts({ rows: [held] }), payoutDay)
    t.same(
      tell(plan),
      { ...waiting('held'), findings: [`${kind} payment_transfers 1`] },
      'a doubt stands while it is held',
    )
    t.match(plan.findings[0]?.details, { operationId: 'op-1' })
  }
  for (const state of ['planned', 'sending', 'unknown', 'blocked'] as const)
    t.same(told_(state), waiting('operation_open'), state)
  for (const state of ['created', 'paid'] as const) t.same(told_(state), odd('row-already-paid'), state)
})

t.test('what Stripe says anew about payouts is settled first, and nothing else is asked about them', async t => {
  const settled = (state: State, vendorStatus: string | null, payout = {}) => {
    const operations = [openPayout('op-9', { state, stripeId: 'po_9', vendorStatus, currency: 'usd' })]
    const payouts = [listedPayout('po_9', { operationId: 'op-9', status: 'pending', ...payout })]
    const owners = { recorded: new Set(['po_9']) }
    return told({
      rows: [],
      operations,
      owners,
      accounts: [payoutAccount('acct_1', { atStripe: atStripe({ payouts }) })],
    }).effects
  }
  t.same(settled('created', 'pending'), [])
  t.same(settled('created', 'pending', { status: 'in_transit' }), ['settle-payout op-9'])
  t.same(settled('created', 'in_transit', { status: 'paid' }), ['settle-payout op-9'])
  t.same(settled('created', 'pending', { status: 'failed', moneyIsBack: true }), ['settle-payout op-9'])
  t.same(settled('created', null), ['settle-payout op-9'])
  t.same(settled('paid', 'paid', { status: 'paid' }), [])
  t.same(settled('paid', 'paid', { status: 'failed' }), ['settle-payout op-9'], 'a paid one that comes back')
  t.same(settled('created', 'pending', { id: 'po_other' }), ['settle-payout op-9'], 'one that is not listed')
})

t.test('a payout that failed goes out again as a new operation that names the old one', async t => {
  const plan = planPayouts(payoutFacts({ rows: [payoutRow(1, { earlier: operation('failed') })] }), payoutDay)
  t.match(plan.effects, [{ kind: 'create-payout', replaces: 'op-1' }])
})

t.test('after three payouts in a row that came back a person approves the next', async t => {
  const failed = (eur: number) => told({ accounts: [payoutAccount('acct_1', { failedPayouts: { eur } })] })
  t.same(failed(2), paidOne)
  t.same(failed(3), {
    ...odd('payouts-failed-repeatedly', 'acct_1 eur'),
    effects: ['hold-payout acct_1 8500 eur: 1 (failed_repeatedly)'],
  })
  t.same(told({ accounts: [payoutAccount('acct_1', { failedPayouts: { usd: 5 } })] }), paidOne)
  t.same(told({ rows: [payoutRow(1, { earlier: operation('rejected') })] }).effects, [
    'hold-payout acct_1 8500 eur: 1 (rejected_before)',
  ])
})

t.test('a refund, a dispute or an unpaid payment stops a row, to the cent', async t => {
  const row = payoutRow()
  const withCharge = (overrides: object) => told({ payments: new Map([[1, payoutPayment(row, overrides)]]) })
  t.same(withCharge({ refundedCents: 1 }), odd('row-partly-refunded'))
  t.same(withCharge({ refundedCents: 9_775 }), odd('row-refunded'))
  t.same(withCharge({ disputed: true }), waiting('disputed'))
  t.same(withCharge({ disputed: true, disputeLost: true }), odd('dispute-lost'))
  t.same(withCharge({ currency: 'usd' }), odd('row-currency-mismatch'))
  t.same(withCharge({ amountCents: 8_499 }), odd('row-amount-above-payment'))
  const unpaid = (status: 'settling' | 'unpaid' | 'canceled') =>
    told({
      payments: new Map([[1, { kind: 'known', value: { payment: { status, charge: undefined }, transfers: [] } }]]),
    })
  t.same(unpaid('settling'), waiting('settling'))
  t.same(unpaid('unpaid'), waiting('unpaid'))
  t.same(unpaid('canceled'), waiting('payment_canceled'))
  const [finding] = planPayouts(
    payoutFacts({ payments: new Map([[1, payoutPayment(row, { refundedCents: 2_000 })]]) }),
    payoutDay,
  ).findings
  t.same(finding?.details, { account: 'acct_1', amountCents: 8_500, currency: 'eur', refundedCents: 2_000 })
  t.equal(finding?.message, stopSentences.partly_refunded)
})

t.test('amounts that are no money, and appointments that nobody knows, are told and never paid', async t => {
  for (const amountCents of [0, -8_500, 0.5])
    t.same(told({ rows: [withBooking({ amountCents })] }), odd('row-amount-invalid'))
  t.same(told({ rows: [withBooking({ appointmentEndsAt: null })] }), odd('row-appointment-unknown'))
  t.same(told({ rows: [withBooking({ requiresApproval: true })] }), waiting('approval'))
  t.same(told({ rows: [withBooking({ requiresApproval: true, approvedBy: 'admin' })] }), paidOne)
  t.same(told({ rows: [withBooking({ requiresApproval: null })] }), paidOne, 'null means no')
  t.same(told({ rows: [payoutRow(1, { hasTwin: true })] }), odd('payment-shared'))
  t.same(told({ rows: [payoutRow(1, { account: '' })], accounts: [] }), odd('row-account-missing'))
})

t.test('the money of a row must have reached its account, all of it, and still be there', async t => {
  const row = payoutRow()
  const { transfer } = (payoutPayment(row) as { value: { payment: { charge: { transfer: object } } } }).value.payment
    .charge
  const withTransfer = (overrides: object) =>
    told({ payments: new Map([[1, payoutPayment(row, { transfer: { ...transfer, ...overrides } as never })]]) })
  t.same(withTransfer({ reversedCents: 1 }), odd('transfer-reversed'))
  t.same(withTransfer({ destination: 'acct_2' }), odd('transfer-mismatch'))
  t.same(withTransfer({ amountCents: 9_774 }), odd('transfer-mismatch'), 'a cent less after the fee')
  t.same(withTransfer({ id: 'tr_other' }), odd('transfer-mismatch'), 'the row names another one')
  t.same(told({ payments: new Map([[1, payoutPayment(row, { transfer: undefined })]]) }), odd('transfer-missing'))
  t.same(told({ rows: [payoutRow(1, { transferId: null })] }), paidOne, 'the one it has is right')
  const byCall = payoutPayment(row, { transfer: undefined }) as { value: object }
  const transfers = [{ ...transfer, amountCents: 8_500, paymentTransferId: 1 }]
  t.same(told({ payments: new Map([[1, { kind: 'known', value: { ...byCall.value, transfers } as never }]]) }), paidOne)
})

t.test('a row that an old job has paid is never paid again, whichever account it was paid from', async t => {
  const old = listedPayout('po_old', { paymentTransferId: 1, createdAt: new Date('2025-12-30T06:00:00Z') })
  const accounts = [payoutAccount('acct_1', { atStripe: atStripe({ payouts: [old] }) })]
  t.same(told({ accounts }), odd('row-already-paid'))
  const [finding] = planPayouts(payoutFacts({ accounts }), payoutDay).findings
  t.match(finding?.details, {
    paidCents: 8_500,
    payouts: [{ payoutId: 'po_old', account: 'acct_1', amountCents: 8_500 }],
  })
  t.match(finding?.message, /set it to PAID_OUT$/)

  const held = [payoutRow(1, { operation: operation('held') })]
  t.same(told({ rows: held, accounts }), odd('row-already-paid'), 'nor once an operator approves it')

  const part = [payoutAccount('acct_1', { atStripe: atStripe({ payouts: [{ ...old, amountCents: 300 }] }) })]
  t.match(planPayouts(payoutFacts({ accounts: part }), payoutDay).findings[0]?.message, /settle the difference/)

  const elsewhere = [payoutAccount('acct_1'), payoutAccount('acct_new', { atStripe: atStripe({ payouts: [old] }) })]
  t.same(told({ rows: [payoutRow(1, { currentAccount: 'acct_new' })], accounts: elsewhere }), odd('row-already-paid'))
  t.same(told({ accounts: elsewhere }), paidOne, 'whoever has another account can name any row')

  const cameBack = { ...old, status: 'failed', moneyIsBack: true }
  t.same(told({ accounts: [payoutAccount('acct_1', { atStripe: atStripe({ payouts: [cameBack] }) })] }), paidOne)
  const stillGone = { ...cameBack, moneyIsBack: false }
  t.same(
    told({ accounts: [payoutAccount('acct_1', { atStripe: atStripe({ payouts: [stillGone] }) })] }),
    odd('row-already-paid'),
    'its money is not back yet',
  )
})

t.test('a payout whose money rows account for to the cent is explained, and nothing less explains it', async t => {
  const paid = {
    paymentTransferId: 7,
    account: 'acct_1',
    status: 'PAID_OUT',
    amountCents: 8_500,
    currency: 'eur',
    createdAt: listedPayout().createdAt,
    isPaidOtherwise: false,
  }
  const withRows = (rows: readonly object[], overrides = {}) =>
    told({
      owners: { rows: new Map([['po_x', rows as (typeof paid)[]]]) },
      accounts: [payoutAccount('acct_1', { atStripe: atStripe({ payouts: [listedPayout('po_x', overrides)] }) })],
    })
  t.same(withRows([paid]), paidOne)
  t.same(withRows([paid, { ...paid, paymentTransferId: 8, amountCents: 500 }], { amountCents: 9_000 }), paidOne)
  for (const status of ['REFUNDED', 'DISPUTED']) t.same(withRows([{ ...paid, status }]), paidOne, `${status} since`)
  const frozen = { ...waiting('account_frozen'), findings: ['payout-unexplained po_x'] }
  for (const wrong of [
    { account: 'acct_2' },
    { status: 'COMPLETED' },
    { status: 'FAILED' },
    { amountCents: 8_499 },
    { amountCents: 8_501 },
    { currency: 'usd' },
    { isPaidOtherwise: true },
    { createdAt: new Date(paid.createdAt.getTime() + 1) },
  ]) {
    t.same(withRows([{ ...paid, ...wrong }]), frozen, JSON.stringify(wrong))
  }
  t.same(withRows([]), frozen)
  t.same(withRows([paid], { paymentTransferId: 7 }), frozen, 'the old jobs made it: they still pay')
})

t.test('rows that a resolved payout may have paid are held one by one, until rows say what it paid', async t => {
  const made = new Date('2026-03-15T06:00:00Z')
  const rows = [1, 2, 3].map(id => payoutRow(id))
  const world = (owners = {}, overrides = {}) => ({
    rows,
    payments: new Map([
      [1, payoutPayment(payoutRow(1))],
      [2, payoutPayment(payoutRow(2), { paidAt: new Date(made.getTime() - 1) })],
      [3, payoutPayment(payoutRow(3), { paidAt: new Date(made.getTime() + 1) })],
    ]),
    accounts: [
      payoutAccount('acct_1', {
        atStripe: atStripe({ payouts: [listedPayout('po_x', { createdAt: made, ...overrides })] }),
      }),
    ],
    owners: { resolved: new Set(['po_x']), ...owners },
  })
  const later = new Date('2026-03-27T06:00:00Z')
  t.same(told(world(), later), {
    ...nothing,
    effects: [
      'create-payout acct_1 8500 eur: 3',
      'hold-payout acct_1 8500 eur: 1 (may_be_paid_already)',
      'hold-payout acct_1 8500 eur: 2 (may_be_paid_already)',
    ],
    findings: ['may-be-paid-already payment_transfers 1', 'may-be-paid-already payment_transfers 2'],
  })
  const [finding] = planPayouts(payoutFacts(world()), later).findings
  t.match(finding?.details, {
    account: 'acct_1',
    amountCents: 8_500,
    paidAt: new Date('2026-03-01T10:00:00Z'),
    payouts: [{ payoutId: 'po_x', amountCents: 8_500, currency: 'eur', status: 'paid', createdAt: made }],
  })
  const free = { ...nothing, effects: ['create-payout acct_1 25500 eur: 1,2,3'] }
  const naming = { paymentTransferId: 7, account: 'acct_1', status: 'PAID_OUT', amountCents: 8_500, currency: 'eur' }
  t.same(told(world({ rows: new Map([['po_x', [naming]]]) }), later), free, 'another row says that it was paid by it')
  t.same(
    told(world({ rows: new Map([['po_x', [naming]]]) }, { paymentTransferId: 7 }), later),
    free,
    'and what the old job made is answered for, too',
  )
  t.same(told(world({ recorded: new Set(['po_x']) }), later), free, 'it is ours')
  t.same(told(world({}, { status: 'failed', moneyIsBack: true }), later), free, 'it came back')

  const held = { ...operation('held', { reason: 'may_be_paid_already' }), id: 'op-1' }
  const waitingOne = { ...world(), rows: [payoutRow(1, { operation: held })], payments: new Map() }
  t.same(told(waitingOne).findings, ['may-be-paid-already payment_transfers 1'], 'as long as it is held')
  t.match(planPayouts(payoutFacts(waitingOne), payoutDay).findings[0]?.details, {
    operationId: 'op-1',
    payouts: [{ payoutId: 'po_x' }],
  })
  const elsewhere = [payoutRow(1, { account: 'acct_1', currentAccount: 'acct_2' })]
  const accounts = [
    payoutAccount('acct_1'),
    payoutAccount('acct_2', { atStripe: atStripe({ payouts: [listedPayout('po_x')] }) }),
  ]
  t.same(
    told({ ...world(), rows: elsewhere, accounts }, later).effects,
    ['hold-payout acct_1 8500 eur: 1 (may_be_paid_already)'],
    'the old jobs paid out of the account of that day',
  )
})

t.test('a booking of before the cut-over is told with the payouts that may have paid it', async t => {
  const since = new Date('2026-03-18T00:00:00Z')
  const payouts = [
    listedPayout('po_may', { amountCents: 9_000 }),
    listedPayout('po_ours'),
    listedPayout('po_before', { createdAt: new Date('2026-03-01T09:59:59Z') }),
    listedPayout('po_back', { status: 'failed', moneyIsBack: true }),
  ]
  const accounts = [payoutAccount('acct_1', { atStripe: atStripe({ payouts }) })]
  const [finding] = planPayouts(
    payoutFacts({ since, accounts, owners: { recorded: new Set(['po_ours']) } }),
    payoutDay,
  ).findings
  t.match(finding, { kind: 'before-cut-over' })
  t.same(finding?.details['payouts'], [
    { payoutId: 'po_may', amountCents: 9_000, currency: 'eur', status: 'paid', createdAt: payouts[0]?.createdAt },
  ])
})

t.test('a payout of nobody freezes its account until a person resolves it', async t => {
  const since = new Date('2026-01-01T00:00:00Z')
  const withPayout = (overrides: object, owners = {}) =>
    told({
      since,
      owners,
      accounts: [payoutAccount('acct_1', { atStripe: atStripe({ payouts: [listedPayout('po_x', overrides)] }) })],
    })
  const frozen = { ...waiting('account_frozen'), findings: ['payout-unexplained po_x'] }
  t.same(withPayout({ createdAt: since }), frozen, 'from the very moment of the cut-over')
  t.same(withPayout({ createdAt: new Date(since.getTime() - 1) }), paidOne)
  for (const status of ['failed', 'canceled']) {
    t.same(withPayout({ status, moneyIsBack: true }), paidOne, `${status}, and nothing is gone`)
    t.same(withPayout({ status, moneyIsBack: false }), frozen, `${status}, and its money is still away`)
  }
  t.same(withPayout({}, { recorded: new Set(['po_x']) }), paidOne)
  t.same(withPayout({ operationId: 'op-1' }, { unsettled: new Map([['op-1', 'acct_1']]) }), paidOne)
  t.same(
    withPayout({ operationId: 'op-1' }, { unsettled: new Map([['op-1', 'acct_2']]) }),
    frozen,
    'of another account',
  )
  t.same(withPayout({ operationId: 'op-1' }), frozen, 'an operation that we do not have: a database from a backup')
  t.same(withPayout({ automatic: true, currency: 'usd' }), frozen, 'all currencies of the account')
  const findings = [{}, { automatic: true }].map(
    overrides =>
      planPayouts(
        payoutFacts({
          accounts: [payoutAccount('acct_1', { atStripe: atStripe({ payouts: [listedPayout('po_x', overrides)] }) })],
        }),
        payoutDay,
      ).findings[0]?.message ?? '',
  )
  t.match(findings[0], /find out who/)
  t.match(findings[1], /set the schedule to manual/)
})

t.test('what was paid before the cut-over is decided row by row, and never takes the money of newer rows', async t => {
  const rows = [1, 2, 3].map(id => payoutRow(id))
  const since = new Date('2026-03-01T10:00:00.000Z')
  const early = (id: number) => payoutPayment(payoutRow(id), { paidAt: new Date(since.getTime() - 1) })
  const payments = new Map([
    [1, early(1)],
    [2, early(2)],
    [3, payoutPayment(payoutRow(3), { paidAt: since })],
  ])
  const findings = ['before-cut-over payment_transfers 1', 'before-cut-over payment_transfers 2']
  t.same(told({ rows, payments, since }), {
    waits: [],
    findings,
    effects: [
      'create-payout acct_1 8500 eur: 3',
      'hold-payout acct_1 8500 eur: 1 (before_cut_over)',
      'hold-payout acct_1 8500 eur: 2 (before_cut_over)',
    ],
  })
  const withFunds = (eur: number) =>
    told({ rows, payments, since, accounts: [payoutAccount('acct_1', { atStripe: atStripe({ available: { eur } }) })] })
  t.same(withFunds(8_500), {
    findings,
    effects: ['create-payout acct_1 8500 eur: 3'],
    waits: ['payment_transfers 1 awaiting_funds', 'payment_transfers 2 awaiting_funds'],
  })
  t.same(
    withFunds(17_000).effects,
    [
      'create-payout acct_1 8500 eur: 3',
      'hold-payout acct_1 8500 eur: 1 (before_cut_over)',
      'hold-payout acct_1 8500 eur: 2 (before_cut_over)',
    ],
    'each is compared with what there is, and none keeps it',
  )
  t.same(withFunds(0).findings, findings, 'also where an old sweep has left nothing')
  const onlyEarly = { rows: rows.slice(0, 2), payments, since }
  const swept = [payoutAccount('acct_1', { atStripe: atStripe({ available: { eur: 0 } }) })]
  const monthLater = new Date('2026-04-20T06:00:00Z')
  t.same(
    told({ ...onlyEarly, accounts: swept }, monthLater).findings,
    findings,
    'and is not told once more for its age',
  )
})

t.test('an account of two users, or one that the expert has left, is paid from only with an approval', async t => {
  const rows = [payoutRow(1, { expert: 'a' }), payoutRow(2, { expert: 'b' }), payoutRow(3, { expert: 'a' })]
  t.same(told({ rows, accounts: [payoutAccount('acct_1', { users: 2 })] }), {
    waits: [],
    findings: ['account-shared acct_1'],
    effects: ['hold-payout acct_1 17000 eur: 1,3 (account_shared)', 'hold-payout acct_1 8500 eur: 2 (account_shared)'],
  })
  const accounts = [payoutAccount('acct_1'), payoutAccount('acct_new')]
  for (const currentAccount of ['acct_new', null]) {
    t.same(told({ rows: [payoutRow(1, { currentAccount })], accounts }), {
      ...odd('account-changed'),
      effects: ['hold-payout acct_1 8500 eur: 1 (account_changed)'],
    })
  }
})

t.test('the circuit breaker counts what this very plan sends, per currency', async t => {
  const rows = [payoutRow(1), payoutRow(2, { account: 'acct_2' }), payoutRow(3, { account: 'acct_3' })]
  const limits = { maxSingleCents: 8_500, maxTotalCents: 17_000 }
  t.same(told({ rows, limits }).effects, [
    'create-payout acct_1 8500 eur: 1',
    'create-payout acct_2 8500 eur: 2',
    'hold-payout acct_3 8500 eur: 3 (above_daily_limit)',
  ])
  t.same(told({ rows, limits, sentCents: { eur: 8_500 } }).effects, [
    'create-payout acct_1 8500 eur: 1',
    'hold-payout acct_2 8500 eur: 2 (above_daily_limit)',
    'hold-payout acct_3 8500 eur: 3 (above_daily_limit)',
  ])
  t.same(told({ limits, sentCents: { usd: 1_000_000 } }), paidOne)
  t.same(told({ limits: { ...limits, maxSingleCents: 8_499 } }).effects, [
    'hold-payout acct_1 8500 eur: 1 (above_single_limit)',
  ])
  const withApproved = (amountCents: number) =>
    told({ limits, operations: [openPayout('op-1', { state: 'planned', account: 'acct_9', amountCents })] }).effects
  t.same(withApproved(8_500), ['resume-operation op-1', 'create-payout acct_1 8500 eur: 1'])
  t.same(withApproved(8_501), ['resume-operation op-1', 'hold-payout acct_1 8500 eur: 1 (above_daily_limit)'])
})

t.test('a balance beyond its rows is told with its cents and never paid', async t => {
  const sums = [
    { currency: 'eur', status: 'PENDING', cents: 1_000 },
    { currency: 'eur', status: 'DISPUTED', cents: 1_000 },
    { currency: 'eur', status: 'REFUNDED', cents: 7_000 },
    { currency: 'eur', status: 'PAID_OUT', cents: 9_000 },
  ]
  const withBalance = (available: Record<string, number>, pending: Record<string, number> = {}) =>
    payoutFacts({
      rows: [],
      accounts: [payoutAccount('acct_1', { rowSums: sums, atStripe: atStripe({ available, pending }) })],
    })
  t.same(planPayouts(withBalance({ eur: 1_500 }, { eur: 500 }), payoutDay).findings, [])
  const plan = planPayouts(withBalance({ eur: 1_500, usd: 1 }, { eur: 501 }), payoutDay)
  t.same(plan.effects, [], 'no sweeping, ever')
  t.match(plan.findings, [
    {
      kind: 'balance-unexplained',
      subject: 'acct_1 eur',
      details: {
        availableCents: 1_500,
        pendingCents: 501,
        explainedCents: 2_000,
        unexplainedCents: 1,
        rowCentsByStatus: { PENDING: 1_000, DISPUTED: 1_000, REFUNDED: 7_000, PAID_OUT: 9_000 },
      },
    },
    { kind: 'balance-unexplained', subject: 'acct_1 usd', details: { unexplainedCents: 1 } },
  ])
  t.same(planPayouts(withBalance({ eur: -100 }, { eur: 2_100 }), payoutDay).findings, [])
})

t.test('the money of a payout that has just come back is explained before its rows are open again', async t => {
  const payouts = [listedPayout('po_9', { status: 'failed', moneyIsBack: true, operationId: 'op-9' })]
  const operations = [openPayout('op-9', { state: 'created', stripeId: 'po_9', vendorStatus: 'pending' })]
  const accounts = [
    payoutAccount('acct_1', { rowSums: [], atStripe: atStripe({ available: { eur: 8_500 }, payouts }) }),
  ]
  const owners = { recorded: new Set(['po_9']) }
  t.same(told({ rows: [], accounts, operations, owners }), { ...nothing, effects: ['settle-payout op-9'] })
})

t.test('money that waits for longer than it may be held is told once per account and currency', async t => {
  const accounts = [payoutAccount('acct_1', { atStripe: atStripe({ available: { eur: 0 } }) })]
  const rows = [payoutRow(1), payoutRow(2)]
  const fourteenDays = new Date('2026-03-25T10:00:00.000Z')
  t.same(told({ rows, accounts }, fourteenDays).findings, [])
  const plan = planPayouts(payoutFacts({ rows, accounts }), new Date(fourteenDays.getTime() + 1))
  t.match(plan.findings, [
    {
      kind: 'hold-age',
      subject: 'acct_1 eur',
      message: /more than 14 days .*awaiting_funds.* within 90 days/,
      details: {
        waitingSince: new Date('2026-03-11T10:00:00.000Z'),
        stripeLimitAt: new Date('2026-06-09T10:00:00.000Z'),
        cents: 17_000,
        paymentTransferIds: [1, 2],
      },
    },
  ])
  t.equal(plan.findings.length, 1)
  const disabled = [payoutAccount('acct_1', { atStripe: atStripe({ payoutsEnabled: false }) })]
  t.same(told({ accounts: disabled }, new Date('2026-04-01T06:00:00Z')).findings, ['hold-age acct_1 eur'])
})

t.test('money that waits for too long is told whatever keeps it, unless that is told already', async t => {
  const afterEnd = (ms: number): Date => new Date(new Date('2026-03-11T10:00:00Z').getTime() + 14 * 24 * 3_600_000 + ms)
  const approval = withBooking({ requiresApproval: true })
  t.same(told({ rows: [approval] }, afterEnd(0)).findings, [])
  t.same(told({ rows: [approval] }, afterEnd(1)).findings, ['hold-age acct_1 eur'])
  const disputed = new Map([[1, payoutPayment(payoutRow(), { disputed: true })]])
  t.same(told({ payments: disputed }, afterEnd(1)).findings, ['hold-age acct_1 eur'])
  const open = payoutRow(1, { operation: operation('blocked') })
  t.same(told({ rows: [open] }, afterEnd(1)).findings, ['hold-age acct_1 eur'])
  const held = payoutRow(1, { operation: operation('held', { reason: 'above_single_limit' }) })
  t.same(told({ rows: [held] }, afterEnd(0)).findings, [])
  t.same(told({ rows: [held] }, afterEnd(1)).findings, ['hold-age acct_1 eur'], 'also when nobody approves it')
  const rows = [approval, payoutRow(2)]
  const accounts = [payoutAccount('acct_1', { atStripe: atStripe({ available: { eur: 0 } }) })]
  const [finding, ...others] = planPayouts(payoutFacts({ rows, accounts }), afterEnd(1)).findings
  t.same(others, [], 'one for an account and currency')
  t.match(finding?.details, { reasons: ['approval', 'awaiting_funds'], paymentTransferIds: [1, 2], cents: 17_000 })

  const young = new Map([[1, payoutPayment(payoutRow(), { paidAt: afterEnd(-86_400_000) })]])
  t.same(told({ payments: young }, afterEnd(1)), waiting('payment_age'), 'a late payment ages like any other')
  const moved = withBooking({ appointmentEndsAt: afterEnd(0) })
  t.same(told({ rows: [moved] }, afterEnd(1)), waiting('complaint_window'))
})

t.test('what could not be read is a failure that the run comes back for, and pays nobody', async t => {
  const failed = { kind: 'failed', code: 'rate_limit' } as const
  const rows = [payoutRow(1), payoutRow(2, { account: 'acct_2' })]
  const plan = planPayouts(
    payoutFacts({
      rows,
      accounts: [payoutAccount('acct_1', { atStripe: failed }), payoutAccount('acct_2')],
      payments: new Map([[2, failed]]),
    }),
    payoutDay,
  )
  t.same(plan.effects, [])
  t.same(plan.failures, [
    { subject: 'acct_1', code: 'rate_limit', message: 'Stripe did not tell about this account (rate_limit)' },
    {
      subject: 'payment_transfers 2',
      code: 'rate_limit',
      message: 'Stripe did not tell about the payment of this row (rate_limit)',
    },
  ])
  t.same(
    plan.waits.map(({ reason }) => reason),
    ['account_unread', 'payment_unread'],
  )
  const otherAccount = [payoutAccount('acct_1'), payoutAccount('acct_new', { atStripe: failed })]
  t.same(
    told({ rows: [payoutRow(1, { currentAccount: 'acct_new' })], accounts: otherAccount }),
    waiting('account_unread'),
    'the old jobs may have paid it from the account that could not be read',
  )
})

t.test('what Stripe will never tell is a finding', async t => {
  const refused = { kind: 'refused', code: 'account_invalid' } as const
  t.same(told({ accounts: [payoutAccount('acct_1', { atStripe: refused })] }), {
    ...waiting('account_unreachable'),
    findings: ['account-unreachable acct_1'],
  })
  t.same(told({ payments: new Map([[1, { kind: 'refused', code: 'resource_missing' }]]) }), odd('payment-missing'))
  t.same(told({ rows: [], accounts: [payoutAccount('acct_1', { atStripe: refused })] }), nothing, 'nothing hangs on it')
})

t.test('when every account is refused it is our own fault, and the run must not end well', async t => {
  const failuresOf = (...kinds: readonly (readonly [string, object])[]) => {
    const accounts = kinds.map(([id, atStripe]) => payoutAccount(id, { atStripe: atStripe as never }))
    return planPayouts(payoutFacts({ rows: [], accounts }), payoutDay).failures.map(({ code, subject }) => [
      subject,
      code,
    ])
  }
  const refused = { kind: 'refused', code: 'account_invalid' }
  const left = { kind: 'left' }
  const failed = { kind: 'failed', code: 'http_500' }
  t.same(failuresOf(['acct_1', refused], ['acct_2', refused]), [], 'two may be an accident')
  t.same(
    failuresOf(['acct_1', refused], ['acct_2', refused], ['acct_3', refused], ['acct_4', left]),
    [1, 2, 3].map(n => [`acct_${n}`, 'account_invalid']),
  )
  t.same(failuresOf(['acct_1', refused], ['acct_2', refused], ['acct_3', refused], ['acct_4', failed]), [
    ['acct_4', 'http_500'],
  ])
  const known = payoutAccount('acct_4').atStripe
  t.same(failuresOf(['acct_1', refused], ['acct_2', refused], ['acct_3', refused], ['acct_4', known]), [])
})

t.test('what there was no time for is left for the next run', async t => {
  const leftOf = (given: Parameters<typeof payoutFacts>[0]) => planPayouts(payoutFacts(given), payoutDay).left
  t.equal(leftOf({ accounts: [payoutAccount('acct_1', { atStripe: { kind: 'left' } })] }), 1)
  t.equal(leftOf({ payments: new Map([[1, { kind: 'left' }]]) }), 1)
  t.equal(leftOf({ payments: new Map() }), 1, 'a row that nobody asked about is not paid')
  t.equal(leftOf({ left: 40 }), 40)
  t.equal(leftOf({ rows: [], operations: [openPayout('op-1', { state: 'created', account: 'acct_2' })] }), 1)
  const plan = planPayouts(payoutFacts({ payments: new Map(), accountsLeft: 3 }), payoutDay)
  t.same([plan.effects, plan.counts['accounts_unread']], [[], 3])
})

t.test(
  'a database as the old code leaves it: what was paid is not paid again, and a person is told what to decide',
  async t => {
    const since = new Date('2026-03-18T00:00:00Z')
    const rows = [
      // Swept: its money is gone, nobody wrote it down.
      payoutRow(1, { account: 'acct_swept' }),
      // Paid by an old job that died before it wrote PAID_OUT.
      payoutRow(2, { account: 'acct_crashed' }),
      // A part of the payment was refunded, which the old code did not look at.
      payoutRow(3, { account: 'acct_refunded' }),
      // Two users have one account.
      payoutRow(4, { account: 'acct_shared', expert: 'a' }),
      payoutRow(5, { account: 'acct_shared', expert: 'b' }),
      // The expert has a new account since.
      payoutRow(6, { account: 'acct_left', currentAccount: 'acct_new' }),
    ]
    const paidInMarch = (id: number, overrides = {}) => payoutPayment(rows[id - 1] as PayoutRow, overrides)
    const accounts = [
      payoutAccount('acct_swept', {
        atStripe: atStripe({ available: { eur: 0 }, payouts: [listedPayout('po_sweep', { amountCents: 8_500 })] }),
      }),
      payoutAccount('acct_crashed', {
        atStripe: atStripe({ payouts: [listedPayout('po_row', { paymentTransferId: 2 })] }),
      }),
      payoutAccount('acct_refunded'),
      payoutAccount('acct_shared', { users: 2 }),
      payoutAccount('acct_left', { users: 0 }),
      payoutAccount('acct_new'),
      // A pack sale: money without any row.
      payoutAccount('acct_pack', { rowSums: [], atStripe: atStripe({ available: { eur: 40_000 } }) }),
      // The old sweep ran once more after we took over.
      payoutAccount('acct_late', {
        atStripe: atStripe({ available: { eur: 0 }, payouts: [listedPayout('po_late', { createdAt: since })] }),
      }),
    ]
    const payments = new Map(rows.map((_, index) => [index + 1, paidInMarch(index + 1)]))
    payments.set(3, paidInMarch(3, { refundedCents: 2_500 }))
    const plan = planPayouts(payoutFacts({ rows, accounts, payments, since }), payoutDay)
    t.same(
      plan.effects.filter(({ kind }) => kind !== 'hold-payout'),
      [],
      'nothing leaves',
    )
    const { effects, findings, waits } = told({ rows, accounts, payments, since })
    t.same(effects, [
      'hold-payout acct_shared 8500 eur: 4 (before_cut_over)',
      'hold-payout acct_shared 8500 eur: 5 (before_cut_over)',
      'hold-payout acct_left 8500 eur: 6 (before_cut_over)',
    ])
    t.same(waits, ['payment_transfers 1 awaiting_funds'])
    t.same(findings, [
      'payout-unexplained po_late',
      'before-cut-over payment_transfers 1',
      'row-already-paid payment_transfers 2',
      'row-partly-refunded payment_transfers 3',
      'before-cut-over payment_transfers 4',
      'before-cut-over payment_transfers 5',
      'before-cut-over payment_transfers 6',
      'account-shared acct_shared',
      'balance-unexplained acct_pack eur',
    ])
    for (const { details, message } of plan.findings) {
      t.match(message, /:|set|find|ask/i, 'it says what to do')
      t.notMatch(JSON.stringify(details), /expert of|"a"|"b"/, 'and names nobody')
    }
  },
)

const someRow = fc.record({
  account: fc.constantFrom('acct_1', 'acct_2'),
  amountCents: fc.integer({ min: -10, max: 30_000 }),
  currency: fc.constantFrom('eur', 'usd'),
  refundedCents: fc.constantFrom(0, 0, 0, 0, 1),
  paidAt: fc.constantFrom(new Date('2026-02-01T00:00:00Z'), new Date('2026-03-15T00:00:00Z')),
  hasTwin: fc.constantFrom(false, false, false, true),
})
const someAccount = fc.record({
  eur: fc.integer({ min: -1_000, max: 60_000 }),
  usd: fc.integer({ min: -1_000, max: 60_000 }),
  users: fc.constantFrom(1, 1, 2),
  payoutsEnabled: fc.constantFrom(true, true, true, false),
  heldCents: fc.constantFrom(0, 5_000),
})

const isDoubtful = (effect: PayoutEffect): boolean =>
  effect.kind === 'hold-payout' && !['above_single_limit', 'above_daily_limit'].includes(effect.hold)

t.test(
  'whatever the facts: no row twice, never above what is there, no currency mixed, nothing that is doubtful is sent',
  async () => {
    fc.assert(
      fc.property(fc.array(someRow, { maxLength: 25 }), someAccount, someAccount, (some, first, second) => {
        const rows = some.map((each, index) => {
          const row = payoutRow(index + 1, { account: each.account, hasTwin: each.hasTwin })
          return { ...row, booking: { ...row.booking, amountCents: each.amountCents, currency: each.currency } }
        })
        const payments = new Map(
          rows.map((row, index) => {
            const { paidAt = new Date(0), refundedCents = 0 } = some[index] ?? {}
            return [row.paymentTransferId, payoutPayment(row, { paidAt, refundedCents })]
          }),
        )
        const held = new Map([
          ['acct_1', first],
          ['acct_2', second],
        ])
        const accounts = [...held].map(([id, { eur, payoutsEnabled, usd, users }]) =>
          payoutAccount(id, { users, atStripe: atStripe({ available: { eur, usd }, payoutsEnabled }) }),
        )
        const operations = [...held].map(([account, { heldCents }]) =>
          openPayout(`op-${account}`, { account, state: 'held', reason: 'above_single_limit', amountCents: heldCents }),
        )
        const since = new Date('2026-02-15T00:00:00Z')
        const limits = { maxSingleCents: 50_000, maxTotalCents: 70_000 }
        const { effects, waits } = planPayouts(
          payoutFacts({ rows, accounts, payments, operations, since, limits }),
          payoutDay,
        )
        const paying = effects.filter(effect => effect.kind === 'create-payout' || effect.kind === 'hold-payout')
        const ids = paying.flatMap(effect => effect.rows.map(row => row.paymentTransferId))
        const created = paying.filter(({ kind }) => kind === 'create-payout')
        const lanes = created.map(({ subject }) => subject)
        return (
          new Set(ids).size === ids.length &&
          ids.every(id => !waits.some(({ subject }) => subject === `payment_transfers ${id}`)) &&
          new Set(lanes).size === lanes.length &&
          paying.every(
            ({ amountCents, currency, destination, rows: parts }) =>
              amountCents === parts.reduce((sum, part) => sum + part.amountCents, 0) &&
              parts.every(part => {
                const row = rows[part.paymentTransferId - 1]
                return (
                  row?.account === destination &&
                  row.booking.currency === currency &&
                  row.booking.amountCents === part.amountCents &&
                  some[part.paymentTransferId - 1]?.refundedCents === 0 &&
                  !row.hasTwin
                )
              }),
          ) &&
          [...held].every(([account, { heldCents, payoutsEnabled, ...available }]) =>
            (['eur', 'usd'] as const).every(currency => {
              const ofLane = paying.filter(effect => effect.destination === account && effect.currency === currency)
              // What is held in doubt is compared with what there is, and keeps nothing from the next one.
              const [doubtful, sure] = [ofLane.filter(isDoubtful), ofLane.filter(effect => !isDoubtful(effect))]
              const sum = sure.reduce((total, { amountCents }) => total + amountCents, 0)
              const most = Math.max(0, ...doubtful.map(({ amountCents }) => amountCents))
              const left = available[currency] - (currency === 'eur' ? heldCents : 0)
              return ofLane.length === 0 || (payoutsEnabled && sum + most <= left)
            }),
          ) &&
          created.every(
            ({ destination, rows: parts }) =>
              held.get(destination)?.users === 1 &&
              parts.every(part => (some[part.paymentTransferId - 1]?.paidAt ?? 0) >= since),
          ) &&
          created.filter(({ currency }) => currency === 'eur').reduce((sum, { amountCents }) => sum + amountCents, 0) <=
            70_000
        )
      }),
    )
  },
)
