import { sql } from 'kysely'
import t from 'tap'
import { listPayoutCandidates } from '../../src/database/payout-candidates.ts'
import { processPendingPayouts, timeoutMs } from '../../src/jobs/process-pending-payouts.ts'
import type { PayoutPlan } from '../../src/money/payout-plan.ts'
import type { PaymentReads } from '../../src/providers/payments.ts'
import { addUser } from '../support/bookings.ts'
import { readAll } from '../support/builders.ts'
import { testDatabase } from '../support/database.ts'
import { planOf, testContext } from '../support/job-context.ts'
import { neverAsked, noLedger, noPayments } from '../support/no-money.ts'
import { tell } from '../support/payout-facts.ts'
import { addOperation } from '../support/operations.ts'
import { until } from '../support/pings.ts'
import { addRow, path, payoutWorld, type PayoutWorld } from '../support/payout-world.ts'

interface Report {
  readonly applied: number
  readonly counts: Record<string, number>
  readonly left: number
}

const reportOf = (reply: { readonly json: Record<string, unknown> }): Report => reply.json['report'] as Report
const hourMs = 60 * 60_000

t.test('a due booking is paid once, however often the day is delivered', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  const { id } = await world.addBooking(account, { expert: 'ana' })
  const first = await world.pay('msg_1')
  t.equal(first.statusCode, 200)
  t.match(reportOf(first), { planned: 1, applied: 1, findings: 0, left: 0, sums: { eur: 8_500 } })
  const [payout] = world.stripe.payouts()
  t.same(await world.rows(), [{ id, status: 'PAID_OUT', payout_id: payout?.id }])
  t.same(world.outflow(), { [account]: 8_500 })

  t.match(await world.pay('msg_1'), { statusCode: 200, json: { outcome: 'duplicate' } })
  t.match(reportOf(await world.pay('msg_2')), { planned: 0, findings: 0 }, 'the next run explains its own payout')
  t.same(world.outflow(), { [account]: 8_500 })
})

t.test('a row that was deleted and written again is not paid twice, with or without a twin', async t => {
  for (const hasTwin of [false, true]) {
    const world = await payoutWorld(t)
    if (hasTwin) {
      await sql`alter table payment_transfers drop constraint payment_transfers_payment_intent_unique`.execute(world.db)
    }
    const account = await world.addExpert('ana')
    const { id, paymentIntentId } = await world.addBooking(account, { expert: 'ana' })
    // Money that a second payout would take.
    await world.addBooking(account, { expert: 'ana', endsAt: new Date('2026-05-10T11:00:00Z') })
    await world.pay()
    const again = async () =>
      await sql`insert into payment_transfers (payment_intent_id, checkout_session_id, event_id,
          expert_connect_account_id, expert_clerk_user_id, amount, currency, platform_fee, session_start_time,
          scheduled_transfer_time, status, created)
        select ${paymentIntentId}, 'cs_again', event_id, expert_connect_account_id, expert_clerk_user_id, amount, currency,
          platform_fee, '2026-03-05 10:00', scheduled_transfer_time, 'COMPLETED', created
        from payment_transfers limit 1`.execute(world.db)
    if (hasTwin) {
      await again()
      world.clock.advance(24 * hourMs)
      t.match(reportOf(await world.pay()), { counts: { 'create-payout': undefined }, findings: 1 })
      const [finding] = await readAll(world.db, 'jobs.findings')
      t.match(finding, { kind: 'payment-shared', message: /keep both rows/ })
      await sql`delete from payment_transfers where id = ${id}`.execute(world.db)
    } else {
      await sql`delete from payment_transfers where id = ${id}`.execute(world.db)
      await again()
    }
    world.clock.advance(24 * hourMs)
    t.match(reportOf(await world.pay()), { counts: { 'create-payout': undefined }, findings: 1 })
    t.same(world.outflow(), { [account]: 8_500 })
    const findings = await readAll(world.db, 'jobs.findings')
    t.match(findings.at(-1), { kind: 'row-already-paid', details: { payoutId: world.stripe.payouts()[0]?.id } })
  }
})

t.test('two deliveries at once pay once', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  await world.addBooking(account, { expert: 'ana' })
  // Money that a second payout would take.
  await world.addBooking(account, { expert: 'ana', status: 'PENDING', endsAt: new Date('2026-04-01T10:00:00Z') })
  const replies = await Promise.all([world.pay('msg_1'), world.pay('msg_2'), world.pay('msg_1')])
  t.ok(replies.some(({ statusCode }) => statusCode === 200))
  await world.pay('msg_3')
  t.same(world.outflow(), { [account]: 8_500 })
  t.equal(world.stripe.payouts().length, 1)
})

t.test('a dry run reads like a statement, and changes nothing here or there', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  const due = await world.addBooking(account, { expert: 'ana' })
  const young = await world.addBooking(account, { expert: 'ana', endsAt: new Date('2026-03-10T11:00:00Z') })
  const countRows = async (): Promise<number[]> =>
    await Promise.all(
      (
        ['jobs.money_operations', 'jobs.findings', 'jobs.audit_entries', 'jobs.outbox', 'jobs.stripe_account'] as const
      ).map(async table => (await readAll(world.db, table)).length),
    )
  const before = {
    stripe: world.stripe.snapshot(),
    rows: await readAll(world.db, 'payment_transfers'),
    counts: await countRows(),
  }
  const reply = await world.deliver(`${path}?dryRun=true`)
  t.match(reply, { statusCode: 200, json: { dryRun: true } })
  t.match(reply.json['plan'], {
    effects: [
      {
        kind: 'create-payout',
        subject: `${account} eur`,
        amountCents: 8_500,
        destination: account,
        rows: [{ paymentTransferId: due.id, eligibleSince: '2026-03-08T10:00:00.000Z' }],
        availableCents: 17_000,
        reservedCents: 0,
        why: '1 booking is due, and the account has the money for it',
      },
    ],
    waits: [
      {
        subject: `payment_transfers ${young.id}`,
        reason: 'complaint_window',
        until: '2026-03-11T11:00:00.000Z',
        why: /may complain/,
      },
    ],
  })
  t.notMatch(reply.text, /Planted/)
  t.same(
    { stripe: world.stripe.snapshot(), rows: await readAll(world.db, 'payment_transfers'), counts: await countRows() },
    before,
  )

  await world.addBooking(account, { expert: 'ana' })
  const stale = await world.operate('POST', '/runs', {
    job: 'process-pending-payouts',
    planHash: reply.json['planHash'],
  })
  t.equal(stale.statusCode, 409, 'the approved plan is not the plan of now')
  t.same(world.outflow(), {})
})

t.test('what does not fit into the balance waits whole, and is paid when the money is there', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  const first = await world.addBooking(account, { expert: 'ana' })
  const late = new Date('2026-03-11T00:00:00Z')
  const second = await world.addBooking(account, {
    expert: 'ana',
    availableAt: late,
    endsAt: new Date('2026-03-06T11:00:00Z'),
  })
  const plan = (await world.deliver(`${path}?dryRun=true`)).json['plan'] as PayoutPlan
  t.same(plan.waits[0]?.reason, 'awaiting_funds')
  await world.pay()
  t.match(await world.rows(), [
    { id: first.id, status: 'PAID_OUT' },
    { id: second.id, status: 'COMPLETED', payout_id: null },
  ])
  world.clock.set('2026-03-11T06:00:00Z')
  await world.pay()
  t.same(world.outflow(), { [account]: 17_000 })
  t.match(await world.rows(), [{ status: 'PAID_OUT' }, { status: 'PAID_OUT' }])
})

t.test('a payout whose answer was lost is found again and not made twice', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  await world.addBooking(account, { expert: 'ana' })
  await world.addBooking(account, { expert: 'ana', endsAt: new Date('2026-03-10T11:00:00Z') })
  world.stripe.inject({ kind: 'drop', executed: true, method: 'POST', times: 1_000 })
  const broken = await world.pay('msg_1')
  t.match(broken, { statusCode: 500 })
  t.same(world.outflow(), { [account]: 8_500 })
  world.stripe.clearFaults()
  world.clock.advance(25 * hourMs)
  await world.pay('msg_2')
  t.same(world.outflow(), { [account]: 8_500 })
  t.match(await world.rows(), [{ status: 'PAID_OUT' }, { status: 'COMPLETED' }])
})

t.test('a payout that came back makes its rows payable, and the next one names it', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  await world.addBooking(account, { expert: 'ana' })
  await world.pay()
  const [payout] = world.stripe.payouts()
  world.stripe.setPayout(payout?.id ?? '', 'failed', { code: 'could_not_process' })
  const settled = await world.pay()
  t.match(reportOf(settled).counts, { 'settle-payout': 1, failed: 1 })
  t.match(await world.rows(), [{ status: 'COMPLETED', payout_id: null }])
  t.notMatch(await world.findings(), ['balance-unexplained'])
  t.match(reportOf(settled), { findings: 1 })
  const [told] = await readAll(world.db, 'jobs.findings')
  t.match(told, { kind: 'payout-failed', occurrences: 1 }, 'one payout came back, and nobody is told of two')
  world.stripe.replaceBank(account)
  await world.pay()
  t.match(await world.rows(), [{ status: 'PAID_OUT' }])
  t.same(world.outflow(), { [account]: 8_500 })
  const operations = await readAll(world.db, 'jobs.money_operations')
  t.match(operations, [{ state: 'failed' }, { state: 'created', replaces: operations[0]?.id }])
})

t.test('an operation above the limit is held, and goes out once it is approved', async t => {
  const world = await payoutWorld(t, { MONEY_MAX_SINGLE: '8499' })
  const account = await world.addExpert('ana')
  const { id } = await world.addBooking(account, { expert: 'ana' })
  t.match(reportOf(await world.pay()), { findings: 1 })
  t.same(world.outflow(), {})
  const [held] = await readAll(world.db, 'jobs.money_operations')
  t.match(held, { state: 'held', reason: 'above_single_limit' })
  const findings = await readAll(world.db, 'jobs.findings')
  t.match(findings, [{ kind: 'operation-held', subject: held?.id, occurrences: 1 }], 'told once, and counted once')
  t.equal(findings.length, 1)
  const plan = (await world.deliver(`${path}?dryRun=true`)).json['plan'] as PayoutPlan
  t.match(plan.waits, [{ subject: `payment_transfers ${id}`, reason: 'held', operationId: held?.id }])
  t.equal((await world.operate('POST', `/operations/${held?.id}/approve`, { note: 'seen' })).statusCode, 200)
  t.match(reportOf(await world.pay()), { counts: { 'resume-operation': 1 }, sums: { eur: 8_500 } })
  t.same(world.outflow(), { [account]: 8_500 })
})

t.test('a doubtful booking keeps no honest one from its money, and its operation ends with the doubt', async t => {
  const world = await payoutWorld(t, { MONEY_SINCE: '2026-03-01T00:00:00Z' })
  const account = await world.addExpert('ana')
  const swept = await world.addBooking(account, { expert: 'ana', paidAt: new Date('2026-02-01T10:00:00Z') })
  world.stripe.payOutAsOldCode({ account, amountCents: 8_500, at: new Date('2026-02-20T06:00:00Z') })
  const honest = await world.addBooking(account, { expert: 'ana', endsAt: new Date('2026-03-10T11:00:00Z') })
  await world.pay()
  t.match(await readAll(world.db, 'jobs.money_operations'), [{ state: 'held', reason: 'before_cut_over' }])

  world.clock.advance(24 * hourMs)
  await world.pay()
  t.same(world.outflow(), { [account]: 17_000 }, 'the old sweep, and the honest booking')
  t.match(await world.rows(), [
    { id: swept.id, status: 'COMPLETED' },
    { id: honest.id, status: 'PAID_OUT' },
  ])

  world.clock.advance(24 * hourMs)
  await world.pay()
  await sql`update payment_transfers set status = 'PAID_OUT', payout_id = 'po_found_by_a_person' where id = ${swept.id}`.execute(
    world.db,
  )
  world.clock.advance(24 * hourMs)
  t.match(reportOf(await world.pay()), { counts: { 'release-operation': 1, canceled: 1 } })
  const findings = await readAll(world.db, 'jobs.findings')
  t.match(
    findings.find(({ kind }) => kind === 'operation-held'),
    { state: 'resolved', closed_by: 'eleva-jobs/process-pending-payouts' },
  )
  const cutOver = async () =>
    await world.db.selectFrom('jobs.findings').selectAll().where('kind', '=', 'before-cut-over').executeTakeFirst()
  t.match(await cutOver(), { state: 'open', occurrences: 3 }, 'the doubt was there for as long as it was held')
  world.clock.advance(24 * hourMs)
  t.match(reportOf(await world.pay()), { planned: 0 })
  await until(async () => (await cutOver())?.state === 'resolved')
  t.match(await cutOver(), { closed_by: 'eleva-jobs', note: /two complete runs/ })
})

t.test('a job that was paused pays nothing', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  await world.addBooking(account, { expert: 'ana' })
  t.equal((await world.operate('POST', `${path}/pause`, { reason: 'looking' })).statusCode, 200)
  t.match(await world.pay(), { statusCode: 200, json: { outcome: 'paused' } })
  t.same(world.outflow(), {})
})

t.test('an account that cannot be read keeps nobody else from being paid, and the run comes back', async t => {
  const world = await payoutWorld(t)
  const [broken, well] = [await world.addExpert('ana'), await world.addExpert('rui')]
  await world.addBooking(broken, { expert: 'ana' })
  await world.addBooking(well, { expert: 'rui' })
  world.stripe.inject({
    kind: 'error',
    executed: false,
    stored: false,
    shouldRetry: false,
    path: `/v1/accounts/${broken}`,
    times: 1_000,
  })
  const reply = await world.pay()
  t.match(reply, { statusCode: 500, json: { outcome: 'incomplete' } })
  t.match(reportOf(reply), { applied: 1, failures: [{ subject: broken }] })
  t.same(world.outflow(), { [well]: 8_500 })
})

t.test('a refused key ends the run at once', async t => {
  const world = await payoutWorld(t)
  for (const expert of ['ana', 'rui', 'eva']) await world.addBooking(await world.addExpert(expert), { expert })
  world.stripe.inject({ kind: 'unauthorized', times: 1_000 })
  t.match(await world.pay(), { statusCode: 500, json: { outcome: 'failed', message: /key/ } })
  t.same(world.outflow(), {})
  t.same(await readAll(world.db, 'jobs.money_operations'), [])
})

t.test('an account that we may not touch is its own matter, and all of them together are ours', async t => {
  const world = await payoutWorld(t)
  const accounts: string[] = []
  for (const expert of ['ana', 'ben', 'eva']) {
    const account = await world.addExpert(expert)
    await world.addBooking(account, { expert })
    accounts.push(account)
  }
  const [ana = '', ben = '', eva = ''] = accounts
  world.stripe.setAccount(ana, { isDeauthorized: true })
  world.stripe.setAccount(ben, { isDeauthorized: true })
  t.match(await world.pay(), { statusCode: 200, json: { outcome: 'succeeded' } })
  t.same(world.outflow(), { [eva]: 8_500 })
  t.same(await world.findings(), [`account-unreachable ${ana}`, `account-unreachable ${ben}`])

  world.stripe.setAccount(eva, { isDeauthorized: true })
  const loud = await world.pay()
  t.match(loud, { statusCode: 500, json: { outcome: 'failed', message: /none of the accounts/ } })
  t.match(loud.json['report'], { failed: 3 })
  t.same(world.outflow(), { [eva]: 8_500 })
})

t.test('a payout of nobody freezes its account alone, until somebody resolves the finding', async t => {
  const world = await payoutWorld(t)
  const [frozen, well] = [await world.addExpert('ana'), await world.addExpert('rui')]
  for (const [account, expert] of [
    [frozen, 'ana'],
    [frozen, 'ana'],
    [well, 'rui'],
  ] as const) {
    await world.addBooking(account, { expert })
  }
  const stray = world.stripe.payOutAsOldCode({
    account: frozen,
    amountCents: 8_500,
    at: new Date('2026-03-10T06:00:00Z'),
  })
  await world.pay()
  t.same(world.outflow(), { [frozen]: 8_500, [well]: 8_500 })
  const [finding] = await readAll(world.db, 'jobs.findings')
  t.match(finding, { kind: 'payout-unexplained', subject: stray, details: { account: frozen, amountCents: 8_500 } })
  const resolved = await world.operate('POST', `/findings/${finding?.id}/resolve`, {
    note: 'row 1 was paid by it',
    letMoneyGo: true,
  })
  t.equal(resolved.statusCode, 200)
  await sql`update payment_transfers set status = 'PAID_OUT', payout_id = ${stray} where id = 1`.execute(world.db)
  await world.pay()
  t.same(world.outflow(), { [frozen]: 17_000, [well]: 8_500 })
  t.same((await readAll(world.db, 'jobs.findings')).length, 1)
})

t.test(
  'who resolves the finding of a payout and writes nothing down releases nothing that it may have paid',
  async t => {
    const world = await payoutWorld(t)
    const account = await world.addExpert('ana')
    const at = new Date('2026-03-10T06:00:00Z')
    await world.addBooking(account, { expert: 'ana' })
    await world.addBooking(account, { expert: 'ana' })
    const stray = world.stripe.payOutAsOldCode({ account, amountCents: 8_500, at })
    await world.pay()
    const [finding] = await readAll(world.db, 'jobs.findings')
    await world.operate('POST', `/findings/${finding?.id}/resolve`, { note: 'looks fine', letMoneyGo: true })
    await world.pay()
    t.same(world.outflow(), { [account]: 8_500 }, 'what was paid before')
    const held = await readAll(world.db, 'jobs.money_operations')
    t.match(held, [
      { state: 'held', reason: 'may_be_paid_already' },
      { state: 'held', reason: 'may_be_paid_already' },
    ])
    const findings = await readAll(world.db, 'jobs.findings')
    t.match(
      findings.find(({ kind }) => kind === 'may-be-paid-already'),
      { details: { payouts: [{ payoutId: stray, amountCents: 8_500, createdAt: at.toISOString() }] } },
    )
    const [first, second] = held
    const row = Number(await rowOf(world, String(second?.id)))
    await sql`update payment_transfers set status = 'PAID_OUT', payout_id = ${stray} where id = ${row}`.execute(
      world.db,
    )
    t.equal((await world.operate('POST', `/operations/${first?.id}/approve`, { note: 'not this one' })).statusCode, 200)
    await world.pay()
    t.same(world.outflow(), { [account]: 17_000 })
  },
)

t.test('a payout made by hand and written into its rows is explained', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  const [byHand] = [
    await world.addBooking(account, { expert: 'ana' }),
    await world.addBooking(account, { expert: 'ana' }),
  ]
  const payout = world.stripe.payOutAsOldCode({ account, amountCents: 8_500, at: new Date('2026-03-10T06:00:00Z') })
  await sql`update payment_transfers set status = 'PAID_OUT', payout_id = ${payout} where id = ${byHand.id}`.execute(
    world.db,
  )
  await world.pay()
  t.same(world.outflow(), { [account]: 17_000 })
  t.same(await world.findings(), [])
})

async function rowOf(world: PayoutWorld, operationId: string): Promise<number | undefined> {
  const { rows } = await sql<{ id: number }>`select payment_transfer_id as id from jobs.money_operation_items
    where operation_id = ${operationId}`.execute(world.db)
  return rows[0]?.id
}

t.test('with the key of another Stripe account nothing is even read', async t => {
  const world = await payoutWorld(t)
  await world.addBooking(await world.addExpert('ana'), { expert: 'ana' })
  await sql`insert into jobs.stripe_account (account, live, pinned_at) values ('acct_other', false, now())
    on conflict (only_row) do update set account = 'acct_other'`.execute(world.db)
  const before = world.stripe.calls().length
  t.match(await world.pay(), { statusCode: 489, json: { outcome: 'failed' } })
  t.ok(world.stripe.calls().length <= before + 1, 'but whose key it is')
  t.same(await readAll(world.db, 'jobs.money_operations'), [])
})

t.test('a database as the old code leaves it: nothing is paid again, and a person is told what to decide', async t => {
  const world = await payoutWorld(t, { MONEY_SINCE: '2026-03-09T00:00:00Z' })
  const { stripe } = world
  const addBooking: typeof world.addBooking = async (account, wanted) => await world.addBooking(account, wanted)
  const before = new Date('2026-03-08T06:00:00Z')
  const [swept, crashed, refunded, shared, left, pack, late, fine] = (await Promise.all(
    ['swept', 'crashed', 'refunded', 'shared', 'left', 'pack', 'late', 'fine'].map(
      async name => await world.addExpert(name),
    ),
  )) as [string, string, string, string, string, string, string, string]
  const moved = stripe.addAccount()
  await sql`update users set stripe_connect_account_id = ${moved} where "clerkUserId" = 'left'`.execute(world.db)
  await addUser(world.db, 'shares', shared)
  const booked = {
    swept: await addBooking(swept, { expert: 'swept' }),
    crashed: await addBooking(crashed, { expert: 'crashed' }),
    refunded: await addBooking(refunded, { expert: 'refunded' }),
    shared: await addBooking(shared, { expert: 'shared' }),
    shares: await addBooking(shared, { expert: 'shares' }),
    left: await addBooking(left, { expert: 'left' }),
    done: await addBooking(fine, { expert: 'fine', status: 'PAID_OUT', payoutId: 'legacy_manual_sync:7' }),
    late: await addBooking(late, { expert: 'late', endsAt: new Date('2026-04-01T10:00:00Z') }),
  }
  stripe.payOutAsOldCode({ account: swept, amountCents: 8_500, at: before })
  stripe.payOutAsOldCode({ account: fine, amountCents: 8_500, at: before, paymentTransferId: booked.done.id })
  stripe.payOutAsOldCode({ account: crashed, amountCents: 8_500, at: before, paymentTransferId: booked.crashed.id })
  stripe.refund({ chargeId: booked.refunded.chargeId, amountCents: 2_500 })
  stripe.pay({ amountCents: 40_000, feeCents: 6_000, destination: pack, paidAt: before, availableAt: before })
  const sweep = stripe.payOutAsOldCode({ account: late, amountCents: 8_500, at: new Date('2026-03-10T06:00:00Z') })
  const gone = world.outflow()

  const reply = await world.pay()
  t.match(reply, { statusCode: 200 })
  t.same(world.outflow(), gone, 'not a cent left')
  t.same((await world.rows()).filter(row => row.status === 'PAID_OUT').length, 1)
  const of = (booking: { readonly id: number }): string => `payment_transfers ${booking.id}`
  const findings = await world.findings()
  t.same(
    findings.filter(finding => !finding.startsWith('operation-held')).toSorted(),
    [
      `account-shared ${shared}`,
      `balance-unexplained ${pack} eur`,
      `before-cut-over ${of(booked.left)}`,
      `before-cut-over ${of(booked.shared)}`,
      `before-cut-over ${of(booked.shares)}`,
      `before-cut-over ${of(booked.swept)}`,
      `payout-unexplained ${sweep}`,
      `row-already-paid ${of(booked.crashed)}`,
      `row-partly-refunded ${of(booked.refunded)}`,
    ].toSorted(),
  )
  t.equal(findings.filter(finding => finding.startsWith('operation-held')).length, 3)

  await world.pay()
  await world.pay()
  t.same(world.outflow(), gone, 'nor on the days after, while nobody decides')
  t.same(await world.findings(), findings, 'and nobody is told twice')
  t.equal((await readAll(world.db, 'jobs.money_operations')).length, 3)
})

t.test("no money moves while our clock and Stripe's are minutes apart, and it does once they agree", async t => {
  for (const apartMs of [-2 * hourMs, 2 * hourMs, 5 * 60_000 + 1_000]) {
    const world = await payoutWorld(t)
    const account = await world.addExpert('ana')
    await world.addBooking(account, { expert: 'ana' })
    world.stripe.advance(apartMs)
    const refused = await world.pay()
    t.match(refused, { statusCode: 500, json: { outcome: 'failed', message: /our clock says .* put the clock/ } })
    t.same(await readAll(world.db, 'jobs.money_operations'), [])
    t.same(await readAll(world.db, 'jobs.stripe_account'), [])
    world.clock.advance(apartMs - 60_000)
    world.stripe.advance(60_000 - apartMs)
    await world.pay()
    t.same(world.outflow(), { [account]: 8_500 }, 'a minute is no difference')
  }
})

t.test('without a cut-over every payment may be an old one', async t => {
  const { db } = await testDatabase(t)
  const account = 'acct_1'
  await addUser(db, 'ana', account)
  await addRow(
    db,
    account,
    { paymentIntentId: 'pi_1', transferId: 'tr_1' },
    { expert: 'ana', createdAt: new Date('2026-03-01T10:00:00Z') },
  )
  const plan = await planOf(processPendingPayouts, testContext(db, '2026-03-20T06:00:00Z', fakes(reads())))
  t.same(tell(plan as PayoutPlan).effects, ['hold-payout acct_1 8500 eur: 1 (before_cut_over)'])
  await sql`insert into jobs.job_settings (job, first_boot_at) values ('process-pending-payouts', '2026-02-01T00:00:00Z')`.execute(
    db,
  )
  const later = await planOf(processPendingPayouts, testContext(db, '2026-03-20T06:00:00Z', fakes(reads())))
  t.same(tell(later as PayoutPlan).effects, ['create-payout acct_1 8500 eur: 1'], 'the first boot is one')
})

t.test('the plan counts what left in the last 24 hours, to say what will be held', async t => {
  const { db } = await testDatabase(t)
  await addUser(db, 'ana', 'acct_1')
  const createdAt = new Date('2026-03-01T10:00:00Z')
  await addRow(db, 'acct_1', { paymentIntentId: 'pi_1', transferId: 'tr_1' }, { expert: 'ana', createdAt })
  const now = '2026-03-20T06:00:00Z'
  const context = testContext(db, now, fakes(reads('acct_1'), new Date('2026-01-01T00:00:00Z')))
  const limits = { ...context.ledger.limits, maxTotalCents: 8_500 + 5_999 }
  const tellPlan = async () =>
    tell((await planOf(processPendingPayouts, { ...context, ledger: { ...context.ledger, limits } })) as PayoutPlan)
  t.same((await tellPlan()).effects, ['create-payout acct_1 8500 eur: 1'])
  const sentAt = new Date('2026-03-19T06:00:00.001Z')
  await addOperation(db, { state: 'created', first_sent_at: sentAt, last_sent_at: sentAt, rows: { 999: 6_000 } })
  t.same((await tellPlan()).effects.slice(-1), ['hold-payout acct_1 8500 eur: 1 (above_daily_limit)'])
})

t.test('after half of its time the run asks nothing more, and leaves the rest', async t => {
  const { db } = await testDatabase(t)
  for (const id of [1, 2, 3]) {
    await addUser(db, `expert ${id}`, `acct_${id}`)
    await addRow(
      db,
      `acct_${id}`,
      { paymentIntentId: `pi_${id}`, transferId: `tr_${id}` },
      { expert: `expert ${id}`, createdAt: new Date('2026-03-01T10:00:00Z') },
    )
  }
  await addUser(db, 'idle', 'acct_idle')
  let asked = 0
  const start = new Date('2026-03-20T06:00:00Z')
  const counting: PaymentReads = {
    ...reads(),
    readPayment: async (id, signal) => {
      asked += 1
      return await reads().readPayment(id, signal)
    },
  }
  const context = testContext(db, start.toISOString(), {
    ...fakes(counting),
    clock: () => new Date(start.getTime() + (asked < 1 ? 0 : timeoutMs / 2)),
  })
  const plan = (await planOf(processPendingPayouts, context)) as PayoutPlan
  t.equal(plan.left, 3 - asked)
  t.ok(asked >= 1 && plan.effects.length === asked)
  t.match(plan.counts, { accounts: 3, accounts_unread: 1 }, 'accounts with nothing due come last')
})

t.test('transfers are listed once per account, and only for charges that made none', async t => {
  const { db } = await testDatabase(t)
  await addUser(db, 'ana', 'acct_1')
  const createdAt = new Date('2026-03-01T10:00:00Z')
  for (const id of [1, 2, 3]) {
    await addRow(db, 'acct_1', { paymentIntentId: `pi_${id}`, transferId: `tr_${id}` }, { expert: 'ana', createdAt })
  }
  const queries: unknown[] = []
  const base = reads('acct_1')
  const byCall: PaymentReads = {
    ...base,
    readPayment: async (id, signal) => {
      const payment = await base.readPayment(id, signal)
      if (id === 'pi_1' || payment.charge === undefined) return payment
      return { ...payment, charge: { ...payment.charge, transfer: undefined } }
    },
    listTransfers: async query => {
      queries.push(query)
      return await Promise.all(
        [2, 3].map(async id => {
          const { charge } = await base.readPayment(`pi_${id}`, new AbortController().signal)
          if (charge?.transfer === undefined) throw new Error('no transfer')
          return { ...charge.transfer, amountCents: 8_500, paymentTransferId: id }
        }),
      )
    },
    listTransferGroup: async () => [],
  }
  const context = testContext(db, '2026-03-20T06:00:00Z', fakes(byCall, new Date('2026-01-01T00:00:00Z')))
  const plan = (await planOf(processPendingPayouts, context)) as PayoutPlan
  t.same(tell(plan).effects, ['create-payout acct_1 25500 eur: 1,2,3'])
  t.same(queries, [{ destination: 'acct_1', from: new Date('2026-02-28T10:00:00Z') }])
})

t.test('the number of queries does not grow with the rows', async t => {
  const { db } = await testDatabase(t)
  await addUser(db, 'ana', 'acct_1')
  const createdAt = new Date('2026-03-01T10:00:00Z')
  const countQueries = async (): Promise<number> => {
    let queries = 0
    const counting = db.withPlugin({
      transformQuery: ({ node }) => {
        queries += 1
        return node
      },
      transformResult: async ({ result }) => result,
    })
    const context = testContext(db, '2026-03-20T06:00:00Z', fakes(reads('acct_1'), new Date('2026-01-01T00:00:00Z')))
    const plan = await planOf(processPendingPayouts, { ...context, db: counting })
    t.equal(plan.failures?.length, 0)
    return queries
  }
  const few = await countQueries()
  for (let id = 1; id <= 40; id += 1) {
    await addRow(db, 'acct_1', { paymentIntentId: `pi_${id}`, transferId: `tr_${id}` }, { expert: 'ana', createdAt })
  }
  t.equal((await listPayoutCandidates(db, { by: new Date('2026-03-10T12:00:00Z') })).rows.length, 40)
  t.same([few, await countQueries()], [8, 8])
})

/** Every booking is in order and every account holds plenty; each booking has its own account unless one is given. */
function reads(account?: string): PaymentReads {
  return {
    ...noPayments,
    readPayment: async paymentIntentId => {
      const id = paymentIntentId.slice('pi_'.length)
      const charge = {
        id: `ch_${id}`,
        paidAt: new Date('2026-03-01T10:00:00Z'),
        amountCents: 10_000,
        currency: 'eur',
        settlementCurrency: 'eur',
        refundedCents: 0,
        disputed: false,
        disputeLost: false,
        feeCents: 1_500,
        transfer: {
          id: `tr_${id}`,
          destination: account ?? `acct_${id}`,
          amountCents: 10_000,
          currency: 'eur',
          reversedCents: 0,
          chargeId: `ch_${id}`,
          group: `group_${paymentIntentId}`,
          operationId: null,
          paymentTransferId: null,
          createdAt: new Date('2026-03-01T10:00:00Z'),
        },
        transferGroup: `group_${paymentIntentId}`,
        isGrouped: true,
      }
      return { paymentIntentId, status: 'paid', charge }
    },
    readAccount: async id => ({
      id,
      payoutsEnabled: true,
      transfersActive: true,
      disabledReason: null,
      schedule: 'manual',
      bankCurrencies: ['eur'],
      disabledBankCurrencies: [],
    }),
    readBalance: async () => ({ available: { eur: 1_000_000 }, pending: {} }),
    listPayouts: async () => [],
    listTransfers: neverAsked,
    listTransferGroup: neverAsked,
  }
}

function fakes(payments: PaymentReads, since?: Date) {
  return {
    providers: { payments },
    ledger: {
      ...noLedger,
      limits: { maxSingleCents: 1_000_000, maxTotalCents: 5_000_000, since },
      checkAccount: async () => undefined,
    },
  }
}
