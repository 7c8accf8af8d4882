import t, { type Test } from 'tap'
import type { PaymentAnswer, RowOperation, TransferRow } from '../../src/money/transfer-decisions.ts'
import type { BegunTransfer, TransferAnswer, TransferFacts } from '../../src/money/transfer-facts.ts'
import { mustAsk, planTransfers } from '../../src/money/transfer-plan.ts'
import { kindOf, oddSentences, transferWaitSentences } from '../../src/money/transfer-reasons.ts'

const now = new Date('2026-03-10T12:00:00Z')
const hours = (count: number): Date => new Date(now.getTime() + count * 3_600_000)

/** A row that is due, in every respect as it should be. */
const row = (overrides: Partial<TransferRow> = {}): TransferRow => ({
  paymentTransferId: 7,
  status: 'READY',
  account: 'acct_1',
  currentAccount: 'acct_1',
  accountShared: false,
  amountCents: 8_500,
  currency: 'eur',
  country: 'PT',
  requiresApproval: null,
  approvedBy: null,
  appointmentEndsAt: new Date('2026-03-02T10:00:00Z'),
  transferId: null,
  payoutId: null,
  hasTwin: false,
  hasPayout: false,
  operation: undefined,
  expert: 'user_expert',
  ...overrides,
})

type AnsweredCharge = NonNullable<PaymentAnswer['payment']['charge']>

/** The transfer that Stripe made itself: of the gross amount. */
const ownTransfer = {
  id: 'tr_1',
  destination: 'acct_1',
  amountCents: 10_000,
  currency: 'eur',
  reversedCents: 0,
  chargeId: 'ch_1',
  paymentTransferId: null,
}

const paid = (overrides: Partial<AnsweredCharge> = {}, transfers: PaymentAnswer['transfers'] = []): TransferAnswer => ({
  kind: 'known',
  value: {
    payment: {
      status: 'paid',
      charge: {
        id: 'ch_1',
        paidAt: new Date('2026-03-01T10:00:00Z'),
        amountCents: 10_000,
        currency: 'eur',
        settlementCurrency: 'eur',
        refundedCents: 0,
        disputed: false,
        disputeLost: false,
        feeCents: 1_500,
        transfer: ownTransfer,
        transferGroup: 'group_pi_1',
        ...overrides,
      },
    },
    transfers,
  },
})

const withoutTransfer = { feeCents: null, transfer: undefined }
const unpaid = (status: 'unpaid' | 'settling' | 'canceled'): TransferAnswer => ({
  kind: 'known',
  value: { payment: { status, charge: undefined }, transfers: [] },
})

const operation = (overrides: Partial<RowOperation> = {}): RowOperation => ({
  id: 'op_1',
  state: 'sending',
  reason: null,
  wakeAt: null,
  createdAt: hours(-1),
  ...overrides,
})

const begun = (overrides: Partial<BegunTransfer> = {}): BegunTransfer => ({
  id: 'op_1',
  state: 'sending',
  reason: null,
  wakeAt: null,
  createdAt: hours(-1),
  amountCents: 8_500,
  currency: 'eur',
  account: 'acct_1',
  paymentTransferIds: [7],
  firstSentAt: null,
  changedRows: [],
  experts: ['user_expert'],
  approvedFor: [],
  ...overrides,
})

interface Given extends Partial<Omit<TransferFacts, 'answers' | 'rows'>> {
  readonly row?: Partial<TransferRow>
  readonly answer?: TransferAnswer | undefined
}

/** Nothing beside the rows. */
const none = {
  begun: [],
  foresights: new Map(),
  sentCents: {},
  givenUp: [],
  disputes: [],
  failed: [],
  refunded: [],
  limits: { maxSingleCents: 200_000, maxTotalCents: 2_000_000 },
  attributed: new Set<string>(),
}

/** The plan for one row. */
const planOne = ({ answer, row: overrides, ...facts }: Given) =>
  planTransfers(
    {
      rows: [row(overrides)],
      answers: new Map(answer === undefined ? [] : [[7, answer]]),
      accounts: new Map([['acct_1', { kind: 'known', value: { transfersActive: true, available: {} } }]]),
      ...none,
      cutOver: new Date('2026-01-01T00:00:00Z'),
      left: 0,
      ...facts,
    },
    now,
  )

/** Everything that a plan has, in a word each. */
const outline = ({ effects, failures, findings, waits }: ReturnType<typeof planTransfers>): string[] => [
  ...effects.map(({ kind }) => kind),
  ...waits.map(({ reason }) => `waits: ${reason}`),
  ...findings.map(({ kind }) => `finding: ${kind}`),
  ...failures.map(({ code }) => `failure: ${code}`),
]

/** The plan for one row has exactly these parts; `details` only looks closer at some of them. */
function check(t: Test, given: Given, parts: readonly string[], details: object = {}, name = ''): void {
  const plan = planOne(given)
  t.strictSame(outline(plan), parts, name)
  t.match(plan, details, name)
}

t.test('a due row with the transfer that Stripe made is recorded, and reads like a statement', async t => {
  const plan = planOne({ answer: paid() })
  t.strictSame(plan, {
    effects: [
      {
        kind: 'record-transfer',
        subject: 'payment_transfers 7',
        amountCents: 8_500,
        currency: 'eur',
        destination: 'acct_1',
        experts: ['user_expert'],
        paidAt: new Date('2026-03-01T10:00:00Z'),
        appointmentEndedAt: new Date('2026-03-02T10:00:00Z'),
        eligibleSince: new Date('2026-03-08T10:00:00Z'),
        paymentTransferId: 7,
        expectedStatus: 'READY',
        chargeId: 'ch_1',
        why: 'it is due, and Stripe made its transfer when the client paid',
        transferId: 'tr_1',
        isOld: false,
      },
    ],
    waits: [],
    findings: [],
    failures: [],
    counts: { candidates: 1, asked: 1 },
    left: 0,
  })
})

t.test('what the guest paid before the cut-over is recorded as an old story', async t => {
  const paidAt = new Date('2026-03-01T10:00:00Z')
  const isOld = (cutOver: Date | undefined): unknown => planOne({ cutOver, answer: paid({ paidAt }) }).effects
  t.match(isOld(paidAt), [{ kind: 'record-transfer', isOld: false }])
  t.match(isOld(new Date(paidAt.getTime() + 1)), [{ kind: 'record-transfer', isOld: true }])
  t.match(isOld(undefined), [{ kind: 'record-transfer', isOld: true }], 'without any cut-over each may be')
})

t.test('PENDING, READY and APPROVED are all candidates', async t => {
  for (const status of ['PENDING', 'READY', 'APPROVED'] as const) {
    check(t, { row: { status }, answer: paid() }, ['record-transfer'], { effects: [{ expectedStatus: status }] })
  }
})

t.test('an approval skips neither the complaint window, nor the delay, nor a refund, nor a dispute', async t => {
  const approved = { status: 'APPROVED', requiresApproval: true, approvedBy: 'user_admin' } as const
  const tomorrow = { ...approved, appointmentEndsAt: hours(24) }
  check(t, { row: tomorrow }, ['waits: complaint_window'], { waits: [{ until: hours(48) }] })
  const young = { row: approved, answer: paid({ paidAt: hours(-24) }) }
  check(t, young, ['waits: payment_age'], { waits: [{ until: hours(144) }] })
  check(t, { row: approved, answer: paid({ refundedCents: 1 }) }, ['finding: row-partly-refunded'])
  check(t, { row: approved, answer: paid({ disputed: true }) }, ['waits: disputed'])
  check(t, { row: approved, answer: paid({ disputed: true, disputeLost: true }) }, ['finding: dispute-lost'])
  check(t, { row: approved, answer: paid() }, ['record-transfer'])
})

t.test('a row that needs an approval waits for it, and is told of when it has waited for two days', async t => {
  const needy = { requiresApproval: true }
  const since = (paidAt: Date): Given => ({ row: needy, answer: paid({ paidAt }) })
  check(t, since(hours(-7 * 24 - 48)), ['waits: approval'])
  const late = since(new Date(hours(-7 * 24 - 48).getTime() - 1))
  check(t, late, ['waits: approval', 'finding: transfer-overdue'], {
    waits: [{ why: transferWaitSentences.approval }],
    findings: [{ subject: 'payment_transfers 7', message: /more than 48 hours/ }],
  })
  check(t, { row: needy, answer: unpaid('unpaid') }, ['waits: unpaid'])
})

t.test('a payment that has not arrived waits silently and is never a failure', async t => {
  for (const [status, reason] of [
    ['unpaid', 'unpaid'],
    ['settling', 'settling'],
    ['canceled', 'payment_canceled'],
  ] as const) {
    check(t, { answer: unpaid(status) }, [`waits: ${reason}`], {
      waits: [{ amountCents: 8_500, currency: 'eur', destination: 'acct_1' }],
    })
    check(t, { row: { appointmentEndsAt: null }, answer: unpaid(status) }, [`waits: ${reason}`], {}, 'without an end')
  }
})

t.test('a voucher is aged from its payment, whenever its row was made', async t => {
  const due = new Date(now.getTime() + 1)
  const almost = paid({ paidAt: new Date(hours(-7 * 24).getTime() + 1) })
  check(t, { answer: almost }, ['waits: payment_age'], { waits: [{ until: due }] })
  check(t, { answer: paid({ paidAt: hours(-7 * 24) }) }, ['record-transfer'], {}, 'to the millisecond')
})

t.test('what is not over by our own rows is not asked about', async t => {
  const ask = (overrides: Partial<TransferRow>): boolean =>
    mustAsk(row(overrides), { cutOver: undefined, limits: { maxSingleCents: 0, maxTotalCents: 0 } }, now)
  t.equal(ask({ appointmentEndsAt: new Date(hours(-24).getTime() + 1) }), false)
  t.equal(ask({ appointmentEndsAt: hours(-24) }), true)
  t.equal(ask({ appointmentEndsAt: null }), true, 'only Stripe can say that it is unpaid')
  t.equal(ask({ requiresApproval: true }), true, 'so that the statement tells what is paid')
  const decided = [
    { transferId: 'tr_1' },
    { payoutId: 'po_1' },
    { hasPayout: true },
    { hasTwin: true },
    { amountCents: 0 },
  ]
  for (const overrides of [...decided, { operation: operation() }]) t.equal(ask(overrides), false)
  for (const state of ['failed', 'canceled', 'rejected'] as const) {
    t.equal(ask({ operation: operation({ state }) }), true, `${state} is over`)
  }
})

t.test('a row that contradicts itself is a finding with its evidence, and nothing is done', async t => {
  const cases: readonly (readonly [Partial<TransferRow>, object])[] = [
    [{ payoutId: 'po_1' }, { payoutId: 'po_1' }],
    [
      { payoutId: 'po_1', transferId: 'tr_1' },
      { payoutId: 'po_1', transferId: 'tr_1' },
    ],
    [{ transferId: 'tr_1' }, { transferId: 'tr_1' }],
    [{ hasPayout: true }, { status: 'READY' }],
    [{ operation: operation({ state: 'created' }) }, { operationId: 'op_1' }],
    [{ operation: operation({ state: 'paid' }) }, { operationId: 'op_1' }],
  ]
  for (const [overrides, details] of cases) {
    check(t, { row: overrides, answer: paid() }, ['finding: row-contradicts-itself'], {
      findings: [{ subject: 'payment_transfers 7', details }],
    })
  }
  check(t, { row: { hasTwin: true }, answer: paid() }, ['finding: payment-shared'])
})

t.test('a wrong transfer is never adopted: account, amount, currency, charge, reversal, number', async t => {
  const cases: readonly (readonly [Partial<typeof ownTransfer>, string, object])[] = [
    [{ destination: 'acct_2' }, 'transfer-mismatch', { kind: 'destination', expected: 'acct_1', actual: 'acct_2' }],
    [{ amountCents: 8_500 }, 'transfer-mismatch', { kind: 'amount', expectedCents: 8_500, actualCents: 7_000 }],
    [{ amountCents: 10_001 }, 'transfer-mismatch', { kind: 'amount', actualCents: 8_501 }],
    [{ amountCents: 9_999 }, 'transfer-mismatch', { kind: 'amount', actualCents: 8_499 }],
    [{ currency: 'usd' }, 'transfer-mismatch', { kind: 'currency', actual: 'usd' }],
    [{ chargeId: 'ch_2' }, 'transfer-mismatch', { kind: 'charge', actual: 'ch_2' }],
    [{ reversedCents: 1 }, 'transfer-reversed', { kind: 'reversed', reversedCents: 1 }],
  ]
  for (const [overrides, kind, mismatch] of cases) {
    check(t, { answer: paid({ transfer: { ...ownTransfer, ...overrides } }) }, [`finding: ${kind}`], {
      findings: [{ details: { mismatches: [mismatch], transferIds: ['tr_1'], chargeId: 'ch_1' } }],
    })
  }
  const both = { ...ownTransfer, destination: 'acct_2', reversedCents: 10_000 }
  const message = `${oddSentences.destination}; ${oddSentences.reversed}`
  check(t, { answer: paid({ transfer: both }) }, ['finding: transfer-mismatch'], { findings: [{ message }] })
})

t.test('a charge without any transfer gets one, and one that the old job made is adopted instead', async t => {
  check(t, { answer: paid(withoutTransfer) }, ['create-transfer'], {
    effects: [{ amountCents: 8_500, destination: 'acct_1', chargeId: 'ch_1', why: /no transfer/ }],
  })
  const made = { ...ownTransfer, id: 'tr_old', amountCents: 8_500, chargeId: null, paymentTransferId: 7 }
  check(t, { answer: paid(withoutTransfer, [made]) }, ['record-transfer'], { effects: [{ transferId: 'tr_old' }] })
  const twice = [made, { ...made, id: 'tr_older' }]
  check(t, { answer: paid(withoutTransfer, twice) }, ['finding: transfer-mismatch'], {
    findings: [{ details: { transferIds: ['tr_old', 'tr_older'] } }],
  })
  check(t, { answer: paid({ ...withoutTransfer, settlementCurrency: 'usd' }) }, ['finding: transfer-mismatch'], {
    findings: [{ details: { settlementCurrency: 'usd' } }],
  })
})

t.test('a transfer that a person must approve first is held, with the reason', async t => {
  const cutOver = new Date('2026-03-01T10:00:00.000Z')
  const cases: readonly (readonly [Given, string])[] = [
    [{ cutOver: new Date(cutOver.getTime() + 1) }, 'before_cut_over'],
    [{ cutOver: undefined }, 'before_cut_over'],
    [{ row: { accountShared: true } }, 'account_shared'],
    [{ row: { currentAccount: 'acct_2' } }, 'account_changed'],
    [{ row: { currentAccount: null } }, 'account_changed'],
    [{ row: { operation: operation({ state: 'rejected' }) } }, 'rejected_before'],
    [{ limits: { maxSingleCents: 8_499, maxTotalCents: 2_000_000 } }, 'above_single_limit'],
    [{ limits: { maxSingleCents: 8_500, maxTotalCents: 8_499 } }, 'above_daily_limit'],
  ]
  for (const [given, hold] of cases) {
    check(t, { ...given, answer: paid(withoutTransfer) }, ['hold-transfer'], {
      effects: [{ hold, why: /its charge has no transfer, and somebody has to approve it/, experts: ['user_expert'] }],
    })
    check(t, { ...given, answer: paid() }, ['record-transfer'], {}, 'recording moves nothing')
  }
  check(t, { cutOver, answer: paid(withoutTransfer) }, ['create-transfer'], {}, 'inclusive')
  for (const state of ['failed', 'canceled'] as const) {
    const due = { operation: operation({ state }), appointmentEndsAt: hours(-25) }
    const given = { row: due, answer: paid(withoutTransfer) }
    check(t, given, ['create-transfer'], {}, `${state} moved nothing`)
  }
})

t.test(
  'what a person must put right is a finding that says what to do, with evidence and nothing personal',
  async t => {
    const cases: readonly (readonly [Given, string, object])[] = [
      [{ answer: paid({ refundedCents: 1 }) }, 'row-partly-refunded', { refundedCents: 1, paidCents: 10_000 }],
      [{ answer: paid({ refundedCents: 10_000 }) }, 'row-refunded', { refundedCents: 10_000 }],
      [{ answer: paid(), row: { appointmentEndsAt: null } }, 'row-appointment-unknown', { chargeId: 'ch_1' }],
      [{ answer: paid(), row: { currency: 'usd' } }, 'row-currency-mismatch', { paidCurrency: 'eur', currency: 'usd' }],
      [{ answer: paid(), row: { amountCents: 10_001 } }, 'row-amount-above-payment', { amountCents: 10_001 }],
      [{ row: { amountCents: 0 } }, 'row-amount-invalid', { amountCents: 0 }],
      [{ row: { amountCents: -1 } }, 'row-amount-invalid', { amountCents: -1 }],
      [{ answer: { kind: 'refused', code: 'resource_missing' } }, 'payment-missing', { code: 'resource_missing' }],
    ]
    for (const [given, kind, details] of cases) {
      check(t, given, [`finding: ${kind}`], {
        findings: [{ subject: 'payment_transfers 7', details: { account: 'acct_1', ...details } }],
      })
    }
  },
)

t.test('a row whose payment could not be read fails alone, and one that was not asked about is left', async t => {
  check(t, { answer: { kind: 'failed', code: 'rate_limit' } }, ['failure: rate_limit'], {
    failures: [{ subject: 'payment_transfers 7' }],
    left: 0,
  })
  check(t, { answer: { kind: 'left' }, left: 3 }, [], { left: 4, counts: { asked: 0 } })
  check(t, {}, [], { left: 1 }, 'nothing is decided about a payment that nobody has read')
})

t.test('what was begun is finished first, whatever its row says, and its row is not begun again', async t => {
  for (const state of ['planned', 'sending', 'unknown'] as const) {
    const row = { operation: operation({ state }) }
    check(t, { row, begun: [begun({ state })], answer: paid(withoutTransfer) }, ['resume-transfer'], {
      effects: [{ subject: 'op_1', amountCents: 8_500, currency: 'eur', destination: 'acct_1' }],
    })
  }
  const orphan = { row: { paymentTransferId: 8, appointmentEndsAt: now }, begun: [begun()] }
  check(t, orphan, ['resume-transfer', 'waits: complaint_window'], {}, 'its row may have been refunded meanwhile')
})

t.test('a blocked transfer sleeps until its moment, and a held one until it is approved', async t => {
  const wakingAt = (wakeAt: Date): Given => ({
    row: { operation: operation({ state: 'blocked', wakeAt }) },
    begun: [begun({ state: 'blocked', wakeAt })],
  })
  check(t, wakingAt(now), ['resume-transfer'])
  const later = new Date(now.getTime() + 1)
  check(t, wakingAt(later), ['waits: blocked'], { waits: [{ until: later, operationId: 'op_1' }] })
  check(t, { row: { operation: operation({ state: 'held' }) }, answer: paid(withoutTransfer) }, ['waits: held'])
  const changed = begun({ state: 'held', changedRows: [7] })
  const givenUp = { row: { operation: operation({ state: 'held' }) }, begun: [changed] }
  check(t, givenUp, ['release-operation'], {
    effects: [{ subject: 'op_1', destination: 'acct_1', amountCents: undefined, why: /payment_transfers 7 changed/ }],
  })
})

t.test('a transfer that is stuck for more than 48 hours is a finding', async t => {
  for (const state of ['held', 'blocked', 'unknown'] as const) {
    const stuckSince = (createdAt: Date): Given => ({
      row: { operation: operation({ state, createdAt, wakeAt: hours(1), reason: 'why' }) },
    })
    const reason = state === 'unknown' ? 'operation_open' : state
    check(t, stuckSince(hours(-48)), [`waits: ${reason}`])
    const stuck = stuckSince(new Date(hours(-48).getTime() - 1))
    check(t, stuck, [`waits: ${reason}`, 'finding: transfer-overdue'], {
      findings: [{ details: { operationId: 'op_1', reason: 'why' } }],
    })
  }
})

t.test('rows that an old job gave up are findings', async t => {
  const givenUp = [
    { paymentTransferId: 3, retryCount: 3, errorCode: 'no_charge', amountCents: 1, currency: 'eur', account: 'acct_3' },
  ]
  check(t, { answer: paid(), givenUp }, ['record-transfer', 'finding: row-given-up'], {
    findings: [{ subject: 'payment_transfers 3', message: /set it to PENDING/, details: { errorCode: 'no_charge' } }],
  })
})

t.test('rows keep their order, and each is counted once', async t => {
  const rows = [1, 2, 3, 4].map(paymentTransferId => row({ paymentTransferId }))
  const answers = new Map<number, TransferAnswer>([
    [1, paid()],
    [2, unpaid('unpaid')],
    [3, { kind: 'left' }],
    [4, paid({ transfer: { ...ownTransfer, id: 'tr_4' } })],
  ])
  const plan = planTransfers({ ...none, rows, answers, accounts: new Map(), cutOver: now, left: 5 }, now)
  t.same(
    plan.effects.map(effect => effect.subject),
    ['payment_transfers 1', 'payment_transfers 4'],
  )
  t.same(plan.counts, { candidates: 4, asked: 3, waits_unpaid: 1 })
  t.equal(plan.left, 6)
})

t.test('each reason has a sentence, and each oddity a kind of finding', async t => {
  for (const sentences of [transferWaitSentences, oddSentences]) {
    for (const text of Object.values(sentences)) t.match(text, /^[a-z].{15,}[^.]$/s)
  }
  for (const oddity of Object.keys(oddSentences))
    t.match(kindOf(oddity as 'amount'), /^(?:row|transfer|payment|dispute)-[a-z-]+$/)
})

t.test('a transfer to an account that cannot take it waits, and is overdue after two days', async t => {
  const owed = paid(withoutTransfer)
  const open = { transfersActive: true, available: { usd: -1 } }
  const withAccount = (value: object, hoursDue: number): Given => ({
    answer: owed,
    row: { appointmentEndsAt: hours(-24 - hoursDue) },
    accounts: new Map([['acct_1', { kind: 'known', value: { ...open, ...value } }]]),
  })
  check(t, withAccount({}, 49), ['create-transfer'], {}, 'a debt in another currency is none')
  for (const [reason, value] of [
    ['transfers_inactive', { transfersActive: false }],
    ['negative_balance', { available: { eur: -1 } }],
  ] as const) {
    check(t, withAccount(value, 48), [`waits: ${reason}`])
    check(t, withAccount(value, 49), [`waits: ${reason}`, 'finding: transfer-overdue'])
  }
  const refused: Given = { answer: owed, accounts: new Map([['acct_1', { kind: 'refused', code: 'account_invalid' }]]) }
  check(t, refused, ['waits: account_unreachable', 'finding: transfer-overdue'])
  check(t, { answer: owed, accounts: new Map([['acct_1', { kind: 'failed', code: 'api_error' }]]) }, [
    'failure: api_error',
  ])
  check(t, { answer: owed, accounts: new Map() }, [], { left: 1 })
})

t.test('a transfer that is given up again and again is a finding once it is overdue', async t => {
  const canceled = operation({ state: 'canceled', reason: 'facts_unread' })
  const due = (hoursDue: number): Given => ({
    answer: paid(withoutTransfer),
    row: { operation: canceled, appointmentEndsAt: hours(-24 - hoursDue) },
  })
  check(t, due(48), ['create-transfer'])
  check(t, due(49), ['create-transfer', 'finding: transfer-overdue'], {
    findings: [{ message: /given up.*facts_unread/ }],
  })
})

t.test('a transfer that is taken up names its row, and one whose row changed is planned as given up', async t => {
  for (const state of ['planned', 'sending', 'unknown', 'blocked'] as const) {
    check(t, { row: { operation: operation({ state }) }, begun: [begun({ state })] }, ['resume-transfer'], {
      effects: [{ rows: [{ paymentTransferId: 7, amountCents: 8_500 }], experts: ['user_expert'] }],
    })
    const isSent = state === 'sending' || state === 'unknown'
    const changed = begun({ state, changedRows: [7], firstSentAt: isSent ? hours(-1) : null })
    check(t, { row: { operation: operation({ state }) }, begun: [changed] }, [
      isSent ? 'resume-transfer' : 'release-operation',
    ])
  }
  const sentOnce = begun({ state: 'planned', changedRows: [7], firstSentAt: hours(-1) })
  check(t, { row: { operation: operation({ state: 'planned' }) }, begun: [sentOnce] }, ['resume-transfer'])
})

t.test('a held transfer says why, and one that was declined waits for a person without being overdue', async t => {
  const held = operation({ state: 'held', reason: 'account_shared' })
  check(t, { row: { operation: held } }, ['waits: held'], { waits: [{ why: /: two experts share this account/ }] })
  const canceled = operation({ state: 'canceled', reason: 'declined', createdAt: hours(-100) })
  const row = { operation: canceled, declined: 'op_1' }
  for (const answer of [undefined, paid(), paid(withoutTransfer)]) {
    check(t, { row, answer }, ['waits: declined'], { waits: [{ operationId: 'op_1', why: /operation-declined/ }] })
  }
  check(t, { row: { operation: canceled }, answer: paid(withoutTransfer) }, [
    'create-transfer',
    'finding: transfer-overdue',
  ])
})
