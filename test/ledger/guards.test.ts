import { sql } from 'kysely'
import t from 'tap'
import { approveOperation } from '../../src/database/money-approvals.ts'
import { PermanentError, StopRunError } from '../../src/errors.ts'
import type { LedgerRun } from '../../src/ledger/ledger.ts'
import { noPayments } from '../support/no-money.ts'
import {
  at,
  duePayout,
  moneyWorld,
  netCents,
  pause,
  payoutOrder,
  transferOrder,
  untilSomebodyWaits,
  type World,
} from './world.ts'

t.setTimeout(240_000)

async function setStatus({ db }: World, id: number, status: string): Promise<void> {
  await sql`update payment_transfers set status = ${status}::payment_transfer_status_enum where id = ${id}`.execute(db)
}

const payouts = 'process-pending-payouts'

t.test('a former owner of the lease begins nothing', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  const former = await world.run(payouts)
  await world.run(payouts)

  await t.rejects(world.ledger().createPayout(order, former), new StopRunError('lease_lost'))

  t.same(await world.operations(), [])
  t.equal(world.vendor.outflowCents(), 0)
})

t.test('a lease that has expired begins nothing, though nobody took it over', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  const run = await world.run(payouts)
  await sql`update jobs.leases set expires_at = clock_timestamp()`.execute(world.db)

  await t.rejects(world.ledger().createPayout(order, run), new StopRunError('lease_lost'))
  t.same(await world.operations(), [])
})

t.test('a paused job begins nothing, resumes nothing, settles nothing and records nothing', async t => {
  const world = await moneyWorld(t)
  const run = await world.run(payouts)
  const paid = await duePayout(world)
  const { operationId = '', receipt = '' } = await world.ledger().createPayout(paid.order, run)
  world.vendor.setPayout(receipt, 'failed')
  const { order } = await duePayout(world)
  const cut = world.ledger({
    onStep: at('facts', () => {
      throw new Error('cut off')
    }),
  })
  await t.rejects(cut.createPayout(order, run))
  const other = await duePayout(world)
  const booked = world.vendor.book('destination')
  const pending = await world.addRow('PENDING', booked)
  const record = { ...transferOrder(world.vendor.account, pending, booked), transferId: booked.transferId ?? '' }
  await pause(world, payouts)
  const [, operation] = await world.operations()

  await t.rejects(world.ledger().createPayout(other.order, run), new StopRunError('paused'))
  await t.rejects(world.ledger().resume(operation?.id ?? '', run), new StopRunError('paused'))
  await t.rejects(world.ledger().settlePayout(operationId, run), new StopRunError('paused'))
  await t.rejects(world.ledger().recordTransfer(record, run), new StopRunError('paused'))

  t.match(await world.operations(), [
    { id: operationId, state: 'created' },
    { state: 'sending', sends: 1 },
  ])
  t.equal((await world.operations()).length, 2)
  t.match(await world.row(paid.id), { status: 'PAID_OUT', payout_id: receipt })
  t.match(await world.row(pending), { status: 'PENDING', transfer_id: null })
  t.equal(world.vendor.outflowCents(), 0)
})

t.test('a former owner of the lease settles nothing and records nothing', async t => {
  const world = await moneyWorld(t)
  const former = await world.run(payouts)
  const paid = await duePayout(world)
  const { operationId = '', receipt = '' } = await world.ledger().createPayout(paid.order, former)
  world.vendor.setPayout(receipt, 'failed')
  const booked = world.vendor.book('destination')
  const pending = await world.addRow('PENDING', booked)
  const record = { ...transferOrder(world.vendor.account, pending, booked), transferId: booked.transferId ?? '' }
  await world.run(payouts)

  await t.rejects(world.ledger().settlePayout(operationId, former), new StopRunError('lease_lost'))
  await t.rejects(world.ledger().recordTransfer(record, former), new StopRunError('lease_lost'))

  t.match(await world.operations(), [{ id: operationId, state: 'created' }])
  t.match(await world.row(paid.id), { status: 'PAID_OUT', payout_id: receipt })
  t.match(await world.row(pending), { status: 'PENDING', transfer_id: null })
})

t.test('a process that slept past its lease sends nothing, and its successor does', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  let held = true
  const run = await world.run(payouts)
  const sleeper = { ...run, lease: { ...run.lease, isHeld: () => held } } as LedgerRun
  const ledger = world.ledger({
    onStep: at('sending', () => {
      held = false
    }),
  })

  await t.rejects(ledger.createPayout(order, sleeper), new StopRunError('lease_lost'))

  const [operation] = await world.operations()
  t.match(operation, { state: 'sending', sends: 1 })
  t.equal(world.vendor.outflowCents(), 0)
  t.match(await world.ledger().resume(operation?.id ?? '', await world.run(payouts)), { amountCents: netCents })
  t.equal(world.vendor.outflowCents(), netCents)
})

t.test('a run without a lease, which is a dry run, writes nothing', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  const run = { ...(await world.run(payouts)), lease: undefined }
  await world.ledger().checkAccount(run)
  await t.rejects(world.ledger().createPayout(order, run), /without a lease/)
  t.same(await world.operations(), [])
  t.same(await world.db.selectFrom('jobs.stripe_account').selectAll().execute(), [])
})

t.test('two processes that want the same rows make one operation', async t => {
  const world = await moneyWorld(t)
  const booked = world.vendor.book('direct')
  const id = await world.addRow('PENDING', booked)
  const order = transferOrder(world.vendor.account, id, booked)
  const ledgers = [world.ledger({ db: world.pool() }), world.ledger({ db: world.pool() })]
  const runs = [await world.run('one'), await world.run('two')]

  const postings = await Promise.all(
    ledgers.map(async (ledger, i) => await ledger.createTransfer(order, runs[i] as LedgerRun)),
  )

  t.equal(world.vendor.outflowCents(), netCents)
  t.equal((await world.operations()).length, 1)
  const lost = postings.find(({ amountCents }) => amountCents === 0)
  t.ok(lost?.counts['row_taken'] === 1 || lost?.counts['row_changed'] === 1)
})

t.test('two processes that want two rows of one payment make one operation', async t => {
  const world = await moneyWorld(t)
  await sql`alter table payment_transfers drop constraint payment_transfers_payment_intent_unique`.execute(world.db)
  const { vendor } = world
  const booked = vendor.book('destination')
  const ids = [await world.addRow('COMPLETED', booked)]
  await sql`update meetings set "stripePaymentIntentId" = null`.execute(world.db)
  ids.push(await world.addRow('COMPLETED', booked))
  vendor.book('destination')
  const runs = [await world.run('one'), await world.run('two')]
  const postings = await Promise.all(
    ids.map(
      async (id, i) =>
        await world
          .ledger({ db: world.pool() })
          .createPayout(payoutOrder(vendor.account, [id]), runs[i] as LedgerRun)
          .catch((thrown: unknown) => thrown),
    ),
  )
  t.equal(vendor.outflowCents(), netCents)
  t.equal((await world.operations()).length, 1)
  t.equal(postings.filter(posting => (posting as { amountCents?: number }).amountCents === netCents).length, 1)
  const again: string[] = []
  for (const id of ids) {
    const posting = await world.ledger().createPayout(payoutOrder(vendor.account, [id]), runs[1] as LedgerRun)
    again.push(...Object.keys(posting.counts))
  }
  t.same(again.toSorted(), ['payment_taken', 'row_changed'])
  t.equal(vendor.outflowCents(), netCents)
})

t.test(
  'a transfer that another row has, or whose payment another row has, is recorded once, and a finding',
  async t => {
    for (const samePayment of [true, false]) {
      const world = await moneyWorld(t)
      await sql`alter table payment_transfers drop constraint payment_transfers_payment_intent_unique`.execute(world.db)
      const booked = world.vendor.book('destination')
      const id = await world.addRow('PENDING', booked)
      const run = await world.run('process-expert-transfers')
      const order = { ...transferOrder(world.vendor.account, id, booked), transferId: booked.transferId ?? '' }
      await world.ledger().recordTransfer(order, run)
      await sql`update meetings set "stripePaymentIntentId" = null`.execute(world.db)
      const other = await world.addRow('PENDING', samePayment ? booked : world.vendor.book('destination'))
      const posting = await world.ledger().recordTransfer({ ...order, paymentTransferId: other }, run)
      t.match(posting, {
        counts: { [samePayment ? 'payment_taken' : 'object_taken']: 1 },
        findings: [
          { kind: 'transfer-taken', subject: `payment_transfers ${other}`, details: { stripeId: booked.transferId } },
        ],
        amountCents: 0,
      })
      t.match(await world.row(other), { status: 'PENDING', transfer_id: null })
      const gone = await world.ledger().recordTransfer({ ...order, paymentTransferId: 1_000_000 }, run)
      t.match(gone, { counts: { row_changed: 1 } })
    }
  },
)

t.test('two processes that want one balance at once make one payout', async t => {
  const world = await moneyWorld(t)
  const [one, two] = [await duePayout(world), await duePayout(world)]
  const runs = [await world.run('one'), await world.run('two')]
  const begun = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const cut = world.ledger({
    db: world.pool(),
    onStep: at('intent', async () => {
      begun.resolve()
      await released.promise
    }),
  })

  const first = cut.createPayout(one.order, runs[0] as LedgerRun)
  await begun.promise
  const second = await world.ledger().createPayout(two.order, runs[1] as LedgerRun)
  released.resolve()

  t.match(second, { counts: { lane_taken: 1 }, amountCents: 0 })
  t.match(await first, { amountCents: netCents })
  t.equal((await world.row(two.id)).status, 'COMPLETED')
})

t.test('two processes that race against the daily limit do not both pass', async t => {
  const world = await moneyWorld(t, undefined, { maxTotalCents: 2 * netCents - 1 })
  const orders = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const booked = world.vendor.book('direct')
      return transferOrder(world.vendor.account, await world.addRow('PENDING', booked), booked)
    }),
  )
  const ledgers = orders.map(() => world.ledger({ db: world.pool() }))
  const runs = await Promise.all(orders.map(async (_, i) => await world.run(`job-${i}`)))

  const postings = await Promise.all(
    orders.map(async (order, i) => await ledgers[i]?.createTransfer(order, runs[i] as LedgerRun)),
  )

  t.equal(postings.filter(posting => posting?.amountCents === netCents).length, 1)
  t.equal(postings.filter(posting => posting?.counts['held'] === 1).length, 3)
  t.equal(world.vendor.outflowCents(), netCents)
})

t.test('the daily limit looks back 24 hours', async t => {
  const world = await moneyWorld(t, undefined, { maxTotalCents: netCents })
  await world.ledger().createPayout((await duePayout(world)).order, await world.run(payouts))
  world.clock.advance(24 * 60 * 60_000 - 1)
  const held = await world.ledger().createPayout((await duePayout(world)).order, await world.run(payouts))
  world.clock.advance(1)
  const sent = await world.ledger().createPayout((await duePayout(world)).order, await world.run(payouts))
  t.match(held, {
    counts: { held: 1 },
    reason: 'above_daily_limit',
    findings: [{ kind: 'operation-held', isRecorded: true }],
  })
  t.match(sent, { amountCents: netCents })
})

t.test('a refund between intent and send stops it, and its rows are free', async t => {
  const world = await moneyWorld(t)
  const booked = world.vendor.book('destination')
  const id = await world.addRow('COMPLETED', booked)
  const ledger = world.ledger({ onStep: at('intent', () => world.vendor.refund(booked)) })

  const posting = await ledger.createPayout(payoutOrder(world.vendor.account, [id]), await world.run(payouts))

  t.match(posting, { counts: { canceled: 1 }, reason: 'refunded', amountCents: 0 })
  t.match(await world.operations(), [{ state: 'canceled', reason: 'refunded' }])
  t.equal(world.vendor.outflowCents(), 0)
  const items = await world.db.selectFrom('jobs.money_operation_items').select('live').execute()
  t.same(items, [{ live: false }])
})

t.test('a refund between send and receipt wins, the receipt is kept, and a person hears of it', async t => {
  const world = await moneyWorld(t)
  const { ids, order } = await duePayout(world, 2)
  const [refunded = 0, other = 0] = ids
  const ledger = world.ledger({ onStep: at('answered', async () => await setStatus(world, refunded, 'REFUNDED')) })

  const posting = await ledger.createPayout(order, await world.run(payouts))

  t.match(posting, { amountCents: 2 * netCents, counts: { rows: 1, rows_changed: 1 } })
  t.match(await world.operations(), [{ state: 'created', stripe_id: posting.receipt }])
  t.match(await world.row(refunded), { status: 'REFUNDED', payout_id: null })
  t.match(await world.row(other), { status: 'PAID_OUT' })
  const findings = await world.db.selectFrom('jobs.findings').selectAll().execute()
  t.match(findings, [{ kind: 'paid-row-changed', subject: `payment_transfers ${refunded}` }])
  const [notice] = await world.db.selectFrom('jobs.outbox').select('facts').execute()
  t.match(notice?.facts, { amountCents: netCents, rows: [{ paymentTransferId: other }] }, 'only of what is true')
})

t.test('what cannot be read right before the send is not sent, and its rows are free', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  const payments = {
    ...world.vendor.payments,
    readBalance: async () => {
      throw new Error('no answer')
    },
  }
  await t.rejects(world.ledger({ payments }).createPayout(order, await world.run(payouts)), /no answer/)
  t.match(await world.operations(), [{ state: 'canceled', reason: 'facts_unread' }])
})

t.test('a payout that somebody else makes meanwhile stops ours, also once a person has answered for it', async t => {
  const world = await moneyWorld(t)
  const { id, order } = await duePayout(world)
  await duePayout(world)
  const ledger = world.ledger({ onStep: at('intent', () => world.vendor.payOutElsewhere()) })
  const stopped = await ledger.createPayout(order, await world.run(payouts))
  t.match(stopped, { counts: { canceled: 1 }, reason: 'payout_unexplained' })
  t.equal((await world.row(id)).status, 'COMPLETED')

  await sql`insert into jobs.findings (kind, subject, message, state, first_seen_at, last_seen_at, closed_at)
    values ('payout-unexplained', ${(await world.vendor.payments.listPayouts({ account: '', from: new Date(0) }, new AbortController().signal))[0]?.id ?? ''},
      'odd', 'resolved', now(), now(), now())`.execute(world.db)
  const doubted = await world.ledger().createPayout(order, await world.run(payouts))
  t.match(doubted, { counts: { canceled: 1 }, reason: 'may_be_paid_already', amountCents: 0 })
  const held = { ...order, hold: 'may_be_paid_already' } as const
  t.match(await world.ledger().createPayout(held, await world.run(payouts)), { counts: { held: 1 } })
})

t.test('an approved payout waits for whoever explains another one, however much older that is', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  await duePayout(world)
  world.vendor.payOutElsewhere()
  world.clock.advance(5 * 60 * 60_000)
  const held = await world.ledger().createPayout({ ...order, hold: 'account_shared' }, await world.run(payouts))
  const id = held.operationId ?? ''
  await approveOperation(world.db, { id, operator: 'ana', now: world.clock() })
  const posting = await world.ledger().resume(id, await world.run(payouts))
  t.match(posting, { counts: { blocked: 1 }, reason: 'payout_unexplained', amountCents: 0 })
})

t.test('an operation taken over by another run is not given up by the one that slept', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  const booked = world.vendor
  const ledger = world.ledger({
    onStep: at('intent', async () => {
      const [operation] = await world.operations()
      await world.ledger().resume(operation?.id ?? '', await world.run('other'))
      // The sleeper wakes and finds that the account cannot be paid.
      booked.setAccount({ payoutsEnabled: false })
    }),
  })
  const posting = await ledger.createPayout(order, await world.run(payouts))
  t.equal(posting.amountCents, 0)
  t.match(await world.operations(), [{ state: 'created' }])
  t.equal(world.vendor.outflowCents(), netCents)
})

t.test('two who resume the same operation send it once', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  const cut = world.ledger({
    onStep: at('sending', () => {
      throw new Error('cut off')
    }),
  })
  await t.rejects(cut.createPayout(order, await world.run(payouts)))
  const [operation] = await world.operations()
  let calls = 0
  const writes: typeof world.vendor.writes = {
    ...world.vendor.writes,
    createPayout: async (...args) => {
      calls += 1
      return await world.vendor.writes.createPayout(...args)
    },
  }
  // Both have looked up and found nothing before either goes on.
  let arrived = 0
  const both = Promise.withResolvers<void>()
  const meet = at('facts', async () => {
    arrived += 1
    if (arrived === 2) both.resolve()
    await both.promise
  })
  const runs = [await world.run('one'), await world.run('two')]
  const postings = await Promise.all(
    runs.map(
      async run => await world.ledger({ db: world.pool(), writes, onStep: meet }).resume(operation?.id ?? '', run),
    ),
  )
  t.equal(calls, 1)
  t.equal(world.vendor.outflowCents(), netCents)
  t.equal(postings.filter(({ counts }) => counts['taken_by_another'] === 1).length, 1)
})

t.test('an altered request is refused by the database, and not sent where it got in all the same', async t => {
  const world = await moneyWorld(t)
  const { order } = await duePayout(world)
  const cut = world.ledger({
    onStep: at('intent', () => {
      throw new Error('cut off')
    }),
  })
  await t.rejects(cut.createPayout(order, await world.run(payouts)))
  const alter = sql`update jobs.money_operations set request = jsonb_set(request, '{account}', '"acct_thief"')`
  await t.rejects(alter.execute(world.db), /is frozen/)
  await sql`alter table jobs.money_operations disable trigger money_operations_frozen`.execute(world.db)
  await alter.execute(world.db)
  const [operation] = await world.operations()

  const refused = world.ledger().resume(operation?.id ?? '', await world.run(payouts))
  await t.rejects(refused, { name: 'PermanentError', code: 'request_altered' })
  t.equal(world.vendor.outflowCents(), 0)
})

t.test('the first real run pins the account, and another account or mode is refused', async t => {
  const world = await moneyWorld(t)
  const run = await world.run(payouts)
  let asked = 0
  const platform = (account: string, live: boolean) => ({
    ...world.vendor.payments,
    readPlatform: async () => {
      asked += 1
      return { account, live }
    },
  })
  const ledger = world.ledger({ payments: platform('acct_platform', false) })
  await ledger.checkAccount(run)
  await ledger.checkAccount(run)
  t.equal(asked, 1, 'asked once a minute')
  world.clock.advance(60_000)
  await ledger.checkAccount(run)
  t.equal(asked, 2)
  t.match(await world.db.selectFrom('jobs.stripe_account').selectAll().execute(), [
    { account: 'acct_platform', live: false },
  ])
  for (const [account, live] of [
    ['acct_other', false],
    ['acct_platform', true],
  ] as const) {
    const other = world.ledger({ payments: platform(account, live) })
    await t.rejects(other.checkAccount(run), { code: 'stripe_account_changed' })
    await t.rejects(other.createPayout((await duePayout(world)).order, run), PermanentError)
  }
  t.same(await world.operations(), [])
})

t.test('one who sends again and one who writes the receipt never wait for each other in a circle', async t => {
  const world = await moneyWorld(t)
  const { id, order } = await duePayout(world)
  const cut = world.ledger({
    onStep: at('sending', () => {
      throw new Error('cut off')
    }),
  })
  await t.rejects(cut.createPayout(order, await world.run(payouts)))
  const [operation] = await world.operations()
  const run = await world.run(payouts)
  let resumed: Promise<unknown> = Promise.resolve()
  await world
    .pool()
    .transaction()
    .execute(async trx => {
      await sql`set local lock_timeout = '2s'`.execute(trx)
      // As keepReceipt does: first the operation, then its rows.
      await sql`update jobs.money_operations set updated_at = now() where id = ${operation?.id}`.execute(trx)
      resumed = world.ledger().resume(operation?.id ?? '', run)
      await untilSomebodyWaits(world)
      await sql`update payment_transfers set updated = now() where id = ${id}`.execute(trx)
    })
  await resumed
  t.equal(world.vendor.outflowCents(), netCents)
})

t.test('one who begins and one who records never wait for each other in a circle', async t => {
  const world = await moneyWorld(t)
  const booked = world.vendor.book('destination')
  const id = await world.addRow('PENDING', booked)
  const order = { ...transferOrder(world.vendor.account, id, booked), transferId: booked.transferId ?? '' }
  const run = await world.run(payouts)
  let recorded: Promise<unknown> = Promise.resolve()
  await world
    .pool()
    .transaction()
    .execute(async trx => {
      await sql`set local lock_timeout = '2s'`.execute(trx)
      // As commitIntent does: first the rows, then what is new.
      await sql`select from payment_transfers where id = ${id} for share`.execute(trx)
      recorded = world.ledger().recordTransfer(order, run)
      await untilSomebodyWaits(world)
      const { rows } = await sql`select from jobs.money_operation_items`.execute(trx)
      t.equal(rows.length, 0)
      const inserted =
        await sql`insert into jobs.money_operations (id, kind, subject, state, origin, idempotency_key, amount,
        currency, account, request, request_hash, run_id, created_at, updated_at)
      select u, 'transfer', 's', 'planned', 'sent', 'transfer:' || u || ':g1', ${netCents}, 'eur', 'a', '{}', 'h', u, now(), now()
      from gen_random_uuid() u returning id`.execute(trx)
      const [{ id: operationId } = { id: '' }] = inserted.rows as { id: string }[]
      await sql`insert into jobs.money_operation_items values (${operationId}, 'transfer', ${id}, 'pi_other', ${netCents},
        true)`.execute(trx)
    })
  t.match(await recorded, { counts: { row_taken: 1 } })
})

t.test('a held operation is given up when its row has changed, and only then', async t => {
  const changes = {
    'the row was paid by somebody else': sql`status = 'PAID_OUT', payout_id = 'po_found_by_a_person'`,
    'the payment was refunded': sql`status = 'REFUNDED'`,
    'the amount was corrected': sql`amount = amount - 1`,
    'the payment was corrected': sql`payment_intent_id = 'pi_corrected'`,
    'the currency was corrected': sql`currency = 'USD'`,
    'the account was corrected': sql`expert_connect_account_id = 'acct_corrected'`,
  }
  for (const [name, change] of Object.entries(changes)) {
    const world = await moneyWorld(t, undefined, { maxSingleCents: netCents })
    const { ids, order } = await duePayout(world, 2)
    const run = await world.run(payouts)
    const { operationId = '' } = await world.ledger().createPayout(order, run)
    t.match(await world.ledger().resume(operationId, run), { counts: { held: 1 } }, name)
    t.match(await world.operations(), [{ state: 'held' }], 'unchanged rows leave it held')

    await sql`update payment_transfers set ${change} where id = ${ids[0]}`.execute(world.db)
    const { payments } = world.vendor
    const platformOnly = {
      ...noPayments,
      readPlatform: async (signal: AbortSignal) => await payments.readPlatform(signal),
    }
    const asksNobody = world.ledger({ payments: platformOnly })
    t.match(await asksNobody.resume(operationId, run), { counts: { canceled: 1 }, amountCents: 0 }, name)
    t.match(await world.operations(), [{ state: 'canceled', reason: 'row_changed' }])
    const finding = await world.db.selectFrom('jobs.findings').selectAll().executeTakeFirstOrThrow()
    t.match(finding, {
      kind: 'operation-held',
      state: 'resolved',
      closed_by: `eleva-jobs/${payouts}`,
      note: /row_changed/,
    })
    const audit = await world.db.selectFrom('jobs.audit_entries').selectAll().orderBy('id').execute()
    t.match(audit.at(-1), { action: 'operation.canceled', details: { heldFor: 'above_single_limit' } })
    t.match(
      await world.ledger().createPayout(payoutOrder(world.vendor.account, ids.slice(1)), run),
      {
        amountCents: netCents,
      },
      'the other row is free',
    )
  }
})

t.test('one who gives a held operation up locks it before its rows, as everybody does', async t => {
  const world = await moneyWorld(t, undefined, { maxSingleCents: netCents - 1 })
  const { id, order } = await duePayout(world)
  const run = await world.run(payouts)
  const { operationId = '' } = await world.ledger().createPayout(order, run)
  await setStatus(world, id, 'REFUNDED')
  let released: Promise<unknown> = Promise.resolve()
  await world
    .pool()
    .transaction()
    .execute(async trx => {
      await sql`set local lock_timeout = '2s'`.execute(trx)
      await sql`update jobs.money_operations set updated_at = now() where id = ${operationId}`.execute(trx)
      released = world.ledger().resume(operationId, run)
      await untilSomebodyWaits(world)
      await sql`update payment_transfers set updated = now() where id = ${id}`.execute(trx)
    })
  t.match(await released, { counts: { canceled: 1 } })
})

t.test('a run that lost its lease gives nothing up', async t => {
  const world = await moneyWorld(t, undefined, { maxSingleCents: netCents - 1 })
  const { id, order } = await duePayout(world)
  const former = await world.run(payouts)
  const { operationId = '' } = await world.ledger().createPayout(order, former)
  await setStatus(world, id, 'REFUNDED')
  await world.run(payouts)
  await t.rejects(world.ledger().resume(operationId, former), new StopRunError('lease_lost'))
  t.match(await world.operations(), [{ state: 'held' }])
})

t.test('what waits for its turn begins under the lease alone, and not while the job is paused', async t => {
  const world = await moneyWorld(t, undefined, { maxSingleCents: netCents - 1 })
  const { order } = await duePayout(world)
  const former = await world.run(payouts)
  const { operationId = '' } = await world.ledger().createPayout(order, former)
  await sql`update jobs.money_operations set approved_by = 'ana', approved_at = ${world.clock()}, approved_for = holds`.execute(
    world.db,
  )
  const run = await world.run(payouts)
  await t.rejects(world.ledger().resume(operationId, former), new StopRunError('lease_lost'))
  t.match(await world.operations(), [{ state: 'held', approved_by: 'ana' }])
  await pause(world, payouts)
  await t.rejects(world.ledger().resume(operationId, run), new StopRunError('paused'))
  t.match(await world.operations(), [{ state: 'held', approved_by: 'ana' }])
  t.equal(world.vendor.outflowCents(), 0)
})

t.test('an approval and the giving up of the same operation have one winner', async t => {
  for (let round = 0; round < 8; round += 1) {
    const world = await moneyWorld(t, undefined, { maxSingleCents: netCents - 1 })
    const { id, order } = await duePayout(world)
    const run = await world.run(payouts)
    const { operationId = '' } = await world.ledger().createPayout(order, run)
    await setStatus(world, id, 'REFUNDED')
    const approve = async () =>
      await approveOperation(world.pool(), { id: operationId, operator: 'ana', now: world.clock() })
    const release = async () => await world.ledger().resume(operationId, run)
    const [released, approved] = await (round % 2 === 0
      ? Promise.all([release(), approve()])
      : Promise.all([approve(), release()]).then(([a, r]) => [r, a] as const))
    const [operation] = await world.operations()
    const winner = approved === 'approved' ? 'planned' : 'canceled'
    t.equal(operation?.state, winner)
    t.same(Object.keys(released.counts), [winner === 'canceled' ? 'canceled' : 'taken_by_another'])
  }
})
