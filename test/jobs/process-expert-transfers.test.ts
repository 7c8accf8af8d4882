import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { KeyRefusedError, PermanentError, RetryLaterError } from '../../src/errors.ts'
import { processExpertTransfers, questionsAtOnce, timeoutMs } from '../../src/jobs/process-expert-transfers.ts'
import { jobs } from '../../src/jobs/index.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { ConnectAccount, Payment, PaymentReads, Transfer } from '../../src/providers/payments.ts'
import type { JobContext } from '../../src/runner/context.ts'
import { startStripe } from '../../src/sandbox/stripe.ts'
import { testApp } from '../support/app.ts'
import { addBooking } from '../support/bookings.ts'
import { readAll } from '../support/builders.ts'
import { testDatabase } from '../support/database.ts'
import { applyAll, planOf, testContext } from '../support/job-context.ts'
import { noLedger, noPayments } from '../support/no-money.ts'
import { stoppedClock } from '../support/runner.ts'
import { requireDescribed, specPath } from '../support/stripe.ts'

const now = '2026-03-10T12:00:30.000Z'
const dayMs = 24 * 60 * 60_000
const posting = { counts: {}, findings: [], amountCents: 0 }

/** A destination charge of 100.00 with a fee of 15.00, paid long ago. */
function payment(paymentIntentId: string, overrides: Partial<NonNullable<Payment['charge']>> = {}): Payment {
  const charge = `ch_${paymentIntentId}`
  const transfer: Transfer = {
    id: `tr_${paymentIntentId}`,
    destination: 'acct_1',
    amountCents: 10_000,
    currency: 'eur',
    reversedCents: 0,
    chargeId: charge,
    group: `group_${paymentIntentId}`,
    operationId: null,
    paymentTransferId: null,
    createdAt: new Date('2026-02-20T10:00:00Z'),
  }
  return {
    paymentIntentId,
    status: 'paid',
    charge: {
      id: charge,
      paidAt: new Date('2026-02-20T10:00:00Z'),
      amountCents: 10_000,
      currency: 'eur',
      settlementCurrency: 'eur',
      refundedCents: 0,
      disputed: false,
      disputeLost: false,
      feeCents: 1_500,
      transfer,
      transferGroup: `group_${paymentIntentId}`,
      isGrouped: true,
      ...overrides,
    },
  }
}

/** An account that can take a transfer. */
const receiving: ConnectAccount = {
  id: 'acct_1',
  payoutsEnabled: true,
  transfersActive: true,
  disabledReason: null,
  schedule: 'manual',
  bankCurrencies: ['eur'],
  disabledBankCurrencies: [],
}

interface World {
  readonly asked: string[]
  readonly orders: (readonly [string, unknown])[]
  readonly context: JobContext
}

/** A run with a ledger that writes down what it is told, and Stripe as a function. */
function openWorld(
  db: Db,
  answer: (id: string) => Payment | Promise<Payment> = payment,
  overrides: { payments?: Partial<PaymentReads>; ledger?: Partial<Ledger>; context?: Partial<JobContext> } = {},
): World {
  const asked: string[] = []
  const orders: (readonly [string, unknown])[] = []
  const note = (verb: string) => async (order: unknown) => {
    orders.push([verb, order])
    return posting
  }
  const ledger: Ledger = {
    ...noLedger,
    limits: { maxSingleCents: 200_000, maxTotalCents: 2_000_000, since: new Date('2026-01-01T00:00:00Z') },
    checkAccount: async () => {},
    recordTransfer: note('record'),
    createTransfer: note('create'),
    resume: note('resume'),
    ...overrides.ledger,
  }
  const payments: PaymentReads = {
    ...noPayments,
    readPayment: async id => {
      asked.push(id)
      return await answer(id)
    },
    ...overrides.payments,
  }
  return { asked, orders, context: testContext(db, now, { ledger, providers: { payments }, ...overrides.context }) }
}

t.test('the run fits into the time that QStash waits, and the next slot makes up for a missed one', async t => {
  t.ok(processExpertTransfers.timeoutMs < 900_000)
  t.equal(processExpertTransfers.everySlotCounts, false)
})

t.test('Stripe is asked once about each row that is over, a few at a time, and about no other', async t => {
  const { db } = await testDatabase(t)
  for (let index = 0; index < 20; index += 1) await addBooking(db, { paymentIntentId: `pi_due_${index}` })
  await addBooking(db, { paymentIntentId: 'pi_young', meetingEndsAt: '2026-03-09T12:00:30.001Z' })
  await addBooking(db, { paymentIntentId: 'pi_odd', transferId: 'tr_odd' })
  await addBooking(db, { paymentIntentId: 'pi_done', status: 'COMPLETED', transferId: 'tr_done' })
  let open = 0
  let most = 0
  const world = openWorld(db, async id => {
    open += 1
    most = Math.max(most, open)
    await new Promise(resolve => setImmediate(resolve))
    open -= 1
    return payment(id)
  })
  const plan = await planOf(processExpertTransfers, world.context)
  t.equal(plan.effects.length, 20)
  t.same(new Set(world.asked).size, 20)
  t.equal(world.asked.length, 20)
  t.notOk(world.asked.some(id => !id.startsWith('pi_due_')))
  t.equal(most, questionsAtOnce)
  t.same(plan.counts, { candidates: 22, asked: 20, waits_complaint_window: 1 })
  t.same(world.orders, [], 'nothing was done yet')
})

t.test('each effect is one order to the ledger', async t => {
  const { db } = await testDatabase(t)
  const recorded = await addBooking(db, { expert: 'user_a', paymentIntentId: 'pi_own', status: 'PENDING' })
  const created = await addBooking(db, {
    expert: 'user_a',
    paymentIntentId: 'pi_none',
    status: 'APPROVED',
    currency: 'EUR',
  })
  const held = await addBooking(db, { paymentIntentId: 'pi_moved', currentAccount: 'acct_2' })
  const withoutTransfer = { feeCents: null, transfer: undefined }
  const lists: object[] = []
  const listTransfers: PaymentReads['listTransfers'] = async query => {
    lists.push(query)
    return []
  }
  const world = openWorld(db, id => payment(id, id === 'pi_own' ? {} : withoutTransfer), {
    payments: {
      listTransfers,
      listTransferGroup: async () => [],
      readAccount: async () => receiving,
      readBalance: async () => ({ available: {}, pending: {} }),
    },
  })
  const plan = await planOf(processExpertTransfers, world.context)
  await applyAll(processExpertTransfers, plan.effects, world.context)
  const order = { amountCents: 8_500, currency: 'eur', account: 'acct_1' }
  t.strictSame(world.orders, [
    [
      'record',
      {
        ...order,
        paymentTransferId: recorded,
        expectedStatus: 'PENDING',
        chargeId: 'ch_pi_own',
        transferId: 'tr_pi_own',
        isOld: false,
      },
    ],
    ['create', { ...order, paymentTransferId: created, expectedStatus: 'APPROVED', chargeId: 'ch_pi_none' }],
    [
      'create',
      {
        ...order,
        paymentTransferId: held,
        expectedStatus: 'READY',
        chargeId: 'ch_pi_moved',
        hold: 'account_changed',
        doubts: [],
      },
    ],
  ])
  t.same(lists, [{ destination: 'acct_1', from: new Date('2026-02-19T10:00:00Z') }], 'one list for an account')
})

t.test('no question is begun in the second half of the deadline, and what was not asked about is left', async t => {
  const { db } = await testDatabase(t)
  for (let index = 0; index < 30; index += 1) await addBooking(db)
  let elapsedMs = 0
  const clock = (): Date => new Date(Date.parse(now) + elapsedMs)
  const world = openWorld(
    db,
    id => {
      if (world.asked.length === 12) elapsedMs = timeoutMs / 2
      return payment(id)
    },
    { context: { clock } },
  )
  const plan = await planOf(processExpertTransfers, world.context)
  t.ok(world.asked.length >= 12 && world.asked.length < 12 + questionsAtOnce, `${world.asked.length} were asked`)
  t.equal(plan.effects.length, world.asked.length)
  t.equal(plan.left, 30 - world.asked.length)
  t.same(plan.failures, [])
})

t.test('one payment that cannot be read fails alone, one that Stripe does not know is a finding', async t => {
  const { db } = await testDatabase(t)
  const broken = await addBooking(db, { paymentIntentId: 'pi_broken' })
  const unknown = await addBooking(db, { paymentIntentId: 'pi_unknown' })
  const fine = await addBooking(db, { paymentIntentId: 'pi_fine' })
  const world = openWorld(db, id => {
    if (id === 'pi_broken') throw Object.assign(new Error('secret words of a vendor'), { code: 'rate_limit' })
    if (id === 'pi_unknown') throw new PermanentError('no such payment', { code: 'resource_missing' })
    return payment(id)
  })
  const plan = await planOf(processExpertTransfers, world.context)
  t.same(
    plan.effects.map(({ subject }) => subject),
    [`payment_transfers ${fine}`],
  )
  t.match(plan.failures, [{ subject: `payment_transfers ${broken}`, code: 'rate_limit' }])
  t.equal(plan.failures?.length, 1)
  t.match(plan.findings, [{ kind: 'payment-missing', subject: `payment_transfers ${unknown}` }])
  t.equal(plan.findings?.length, 1)
  t.notMatch(JSON.stringify(plan), /secret words/)
})

t.test('a list of transfers that cannot be read makes no transfer', async t => {
  const { db } = await testDatabase(t)
  await addBooking(db)
  const fails = async (): Promise<never> => {
    throw new Error('no answer')
  }
  const isEmpty = async () => []
  for (const payments of [
    { listTransfers: fails, listTransferGroup: isEmpty },
    { listTransfers: isEmpty, listTransferGroup: fails },
  ]) {
    const readBalance = async () => ({ available: {}, pending: {} })
    const world = openWorld(db, id => payment(id, { feeCents: null, transfer: undefined }), {
      payments: { ...payments, readAccount: async () => receiving, readBalance },
    })
    const plan = await planOf(processExpertTransfers, world.context)
    t.same(plan.effects, [])
    t.equal(plan.failures?.length, 1)
  }
})

t.test('an account is asked about only where a transfer has to be made, and without an answer none is', async t => {
  const { db } = await testDatabase(t)
  const withoutTransfer = (id: string): Payment =>
    payment(id, id === 'pi_owed' ? { feeCents: null, transfer: undefined } : {})
  await addBooking(db, { account: 'acct_1', paymentIntentId: 'pi_1' })
  const id = await addBooking(db, { account: 'acct_1', paymentIntentId: 'pi_owed' })
  const questions: string[] = []
  const listTransfers = async () => []
  const readBalance = async () => ({ available: {}, pending: {} })
  const planned = async (readAccount: PaymentReads['readAccount']) => {
    const asking: PaymentReads['readAccount'] = async (account, signal) => {
      questions.push(account)
      return await readAccount(account, signal)
    }
    const payments = { listTransfers, listTransferGroup: listTransfers, readAccount: asking, readBalance }
    const world = openWorld(db, withoutTransfer, { payments })
    return await planOf(processExpertTransfers, world.context)
  }
  const subject = `payment_transfers ${id}`
  const failing = await planned(async () => {
    throw Object.assign(new Error('no'), { code: 'api_error' })
  })
  t.match(failing.failures, [{ subject, code: 'api_error' }])
  t.same(
    failing.effects.map(({ kind }) => kind),
    ['record-transfer'],
  )
  const refused = await planned(async () => {
    throw new PermanentError('no', { code: 'account_invalid' })
  })
  t.match(refused.waits, [{ subject, reason: 'account_unreachable' }])
  t.same(questions, ['acct_1', 'acct_1'], 'one question for each plan')
})

t.test('a refused key, a vendor that asks to come later and a wrong account end the run', async t => {
  const { db } = await testDatabase(t)
  for (let index = 0; index < 3; index += 1) await addBooking(db)
  for (const err of [new KeyRefusedError('refused'), new RetryLaterError('later', 30)]) {
    const world = openWorld(db, () => {
      throw err
    })
    await t.rejects(planOf(processExpertTransfers, world.context), err)
  }
  const other = new PermanentError('another account', { code: 'stripe_account_changed' })
  const world = openWorld(db, payment, {
    ledger: {
      checkAccount: async () => {
        throw other
      },
    },
  })
  await t.rejects(planOf(processExpertTransfers, world.context), other)
  t.same(world.asked, [], 'before anything else is asked')
  const aborted = openWorld(db, payment, { context: { signal: AbortSignal.abort(new Error('the deadline')) } })
  await t.rejects(planOf(processExpertTransfers, aborted.context), /the deadline/)
})

/** The real job in the real application, with a Stripe on loopback. */
async function openApp(t: Test, env: Readonly<Record<string, string>> = {}) {
  const clock = stoppedClock(now)
  const stripe = await startStripe({ clock, specPath })
  requireDescribed(t, stripe)
  t.teardown(async () => await stripe.close())
  const app = await testApp(t, {
    jobs,
    clock,
    env: {
      STRIPE_API_BASE_URL: stripe.url,
      STRIPE_SECRET_KEY: stripe.secretKey,
      MONEY_SINCE: '2026-01-01',
      ...env,
    },
  })
  const account = stripe.addAccount({})
  const paidAt = new Date(Date.parse(now) - 18 * dayMs)
  const pay = (destination: string | null = account, feeCents: number | null = 1_500) =>
    stripe.pay({ amountCents: 10_000, feeCents, destination, paidAt, availableAt: paidAt })
  return { ...app, stripe, account, pay }
}

const readRows = async (db: Db) => (await sql`select * from payment_transfers order by id`.execute(db)).rows

t.test('a booking that is due is recorded once, whatever is delivered again, and nothing moves', async t => {
  const { account, db, deliver, pay, stripe } = await openApp(t)
  const { paymentIntentId, transferId } = pay()
  const id = await addBooking(db, { account, paymentIntentId })
  const before = stripe.snapshot()
  const message = { messageId: 'msg_1', scheduleId: 'jobs.process-expert-transfers' }
  const first = await deliver('/jobs/process-expert-transfers', message)
  t.match(first.json, { outcome: 'succeeded', report: { planned: 1, applied: 1, failed: 0, findings: 0 } })
  t.notOk((first.json['report'] as { sums?: object }).sums, 'no money moved')
  t.match(await readAll(db, 'payment_transfers'), [
    { id, status: 'COMPLETED', transfer_id: transferId, payout_id: null },
  ])
  t.match((await deliver('/jobs/process-expert-transfers', message)).json, { outcome: 'duplicate' })
  const second = await deliver('/jobs/process-expert-transfers')
  t.match(second.json, { outcome: 'succeeded', report: { planned: 0, applied: 0 } })
  t.match(await readAll(db, 'jobs.money_operations'), [{ origin: 'recorded', state: 'created', stripe_id: transferId }])
  t.equal((await readAll(db, 'jobs.money_operations')).length, 1)
  t.same(stripe.snapshot(), before, 'Stripe was only read')
  t.same(stripe.invalid(), [])
})

t.test('a row that was written again under another id is a finding, and its transfer is recorded once', async t => {
  const { account, db, deliver, pay } = await openApp(t)
  const id = await addBooking(db, { account, paymentIntentId: pay().paymentIntentId })
  await deliver('/jobs/process-expert-transfers')
  await sql`update payment_transfers set id = id + 1000, status = 'READY', transfer_id = null`.execute(db)
  t.match((await deliver('/jobs/process-expert-transfers')).json, { outcome: 'succeeded', report: { planned: 0 } })
  t.match(await readAll(db, 'jobs.findings'), [
    { kind: 'row-contradicts-itself', subject: `payment_transfers ${id + 1000}`, message: /recorded a transfer/ },
  ])
  t.equal((await readAll(db, 'jobs.money_operations')).length, 1)
})

t.test('a charge without a transfer gets exactly one, of the net amount, made out of that charge', async t => {
  const { account, db, deliver, pay, stripe } = await openApp(t)
  const { chargeId, paymentIntentId } = pay(null, null)
  const id = await addBooking(db, { account, paymentIntentId })
  const reply = await deliver('/jobs/process-expert-transfers')
  t.match(reply.json, { outcome: 'succeeded', report: { applied: 1, sums: { eur: 8_500 } } })
  await deliver('/jobs/process-expert-transfers')
  t.match(stripe.transfers(), [{ amount: 8_500, sourceChargeId: chargeId, destination: account }])
  t.equal(stripe.transfers().length, 1)
  t.match(await readAll(db, 'payment_transfers'), [{ id, status: 'COMPLETED', transfer_id: stripe.transfers()[0]?.id }])
})

t.test(
  'an account that cannot take a transfer gets no operation, a person hears of it, and it is paid once it can',
  async t => {
    const causes = {
      transfers_inactive: [{ transfers: 'inactive' }, 0],
      negative_balance: [{}, -1],
    } as const
    for (const [reason, [settings, cents]] of Object.entries(causes)) {
      const { account, clock, db, deliver, pay, stripe } = await openApp(t)
      stripe.setAccount(account, settings)
      if (cents !== 0) stripe.credit(account, cents)
      const id = await addBooking(db, { account, paymentIntentId: pay(null, null).paymentIntentId })
      const wait = { subject: `payment_transfers ${id}`, reason, amountCents: 8_500, destination: account }
      const dry = await deliver('/jobs/process-expert-transfers?dryRun=true')
      t.match(dry.json, { plan: { effects: [], waits: [wait] } })
      for (let run = 0; run < 3; run += 1) {
        t.match((await deliver('/jobs/process-expert-transfers')).json, {
          outcome: 'succeeded',
          report: { planned: 0 },
        })
        clock.advance(dayMs)
      }
      t.same(await readAll(db, 'jobs.money_operations'), [])
      const message = /overdue for more than 48 hours: the account/
      t.match(await readAll(db, 'jobs.findings'), [{ kind: 'transfer-overdue', subject: wait.subject, message }])
      stripe.setAccount(account, { transfers: 'active' })
      if (cents !== 0) stripe.credit(account, -cents)
      t.match((await deliver('/jobs/process-expert-transfers')).json, { report: { sums: { eur: 8_500 } } })
      t.same(stripe.outflow().transfers, { [account]: { eur: 8_500 } })
    }
  },
)

t.test('rows that are not due keep every column, and each says what it waits for', async t => {
  const { account, db, deliver, pay, stripe } = await openApp(t)
  const booked = (overrides: object) => addBooking(db, { account, ...overrides })
  await booked({ paymentIntentId: pay().paymentIntentId, meetingEndsAt: '2026-03-09T12:00:30.001Z' })
  const voucher = stripe.issueVoucher({ amountCents: 10_000, feeCents: 1_500, destination: account })
  await booked({ paymentIntentId: voucher.paymentIntentId, status: 'PENDING' })
  const young = stripe.pay({
    amountCents: 10_000,
    feeCents: 1_500,
    destination: account,
    paidAt: new Date('2026-03-05'),
  })
  await booked({ paymentIntentId: young.paymentIntentId })
  await booked({ paymentIntentId: pay().paymentIntentId, requiresApproval: true })
  await booked({ paymentIntentId: 'pi_of_nobody' })
  await booked({ paymentIntentId: pay().paymentIntentId, amountCents: 8_499 })
  const before = [await readRows(db), stripe.snapshot()]
  const reply = await deliver('/jobs/process-expert-transfers')
  t.match(reply.json, {
    outcome: 'succeeded',
    report: {
      planned: 0,
      waiting: 4,
      findings: 3,
      counts: {
        candidates: 6,
        asked: 5,
        waits_complaint_window: 1,
        waits_unpaid: 1,
        waits_payment_age: 1,
        waits_approval: 1,
      },
    },
  })
  t.same([await readRows(db), stripe.snapshot()], before)
  const findings = await readAll(db, 'jobs.findings')
  t.same(findings.map(({ kind }) => kind).toSorted(), ['payment-missing', 'transfer-mismatch', 'transfer-overdue'])
  await deliver('/jobs/process-expert-transfers')
  t.equal((await readAll(db, 'jobs.findings')).length, 3, 'a finding that is seen again is counted up')
})

t.test('a refund that only Stripe knows of stops the row for a person', async t => {
  const { account, db, deliver, pay, stripe } = await openApp(t)
  const { chargeId, paymentIntentId } = pay()
  await addBooking(db, { account, paymentIntentId })
  const body = new URLSearchParams({ charge: chargeId, amount: '1' })
  const answer = await fetch(`${stripe.url}/v1/refunds`, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${stripe.secretKey}` },
  })
  t.equal(answer.status, 200)
  const before = await readRows(db)
  t.match((await deliver('/jobs/process-expert-transfers')).json, { outcome: 'succeeded', report: { planned: 0 } })
  t.same(await readRows(db), before)
  t.match(await readAll(db, 'jobs.findings'), [{ kind: 'row-partly-refunded', details: { refundedCents: 1 } }])
})

t.test('a dry run tells everything and changes nothing; a plan that has changed since is not carried out', async t => {
  const { account, db, deliver, operate, pay, stripe } = await openApp(t)
  await addBooking(db, { account, paymentIntentId: pay().paymentIntentId })
  const before = [await readRows(db), stripe.snapshot(), await readAll(db, 'jobs.stripe_account')]
  const { json } = await deliver('/jobs/process-expert-transfers?dryRun=true')
  t.match(json, {
    outcome: 'succeeded',
    dryRun: true,
    plan: {
      effects: [{ kind: 'record-transfer', amountCents: 8_500, why: /due/, eligibleSince: '2026-02-27T12:00:30.000Z' }],
    },
  })
  t.same([await readRows(db), stripe.snapshot(), await readAll(db, 'jobs.stripe_account')], before)
  for (const table of ['jobs.money_operations', 'jobs.outbox', 'jobs.findings', 'jobs.audit_entries'] as const) {
    t.same(await readAll(db, table), [], table)
  }
  await addBooking(db, { account, paymentIntentId: pay().paymentIntentId })
  const stale = await operate('POST', '/runs', { job: 'process-expert-transfers', planHash: json['planHash'] })
  t.equal(stale.statusCode, 409)
  t.same(await readAll(db, 'jobs.money_operations'), [])
})

t.test('a refused key fails the run at once, and nothing moves', async t => {
  const { account, db, deliver, pay, stripe } = await openApp(t)
  for (let index = 0; index < 3; index += 1) await addBooking(db, { account, paymentIntentId: pay().paymentIntentId })
  stripe.inject({ kind: 'unauthorized', times: 1_000 })
  const refused = await deliver('/jobs/process-expert-transfers')
  t.match(refused.json, { outcome: 'failed', message: /STRIPE_SECRET_KEY/ })
  t.equal(refused.statusCode, 500)
  t.same(await readAll(db, 'jobs.money_operations'), [])
})
