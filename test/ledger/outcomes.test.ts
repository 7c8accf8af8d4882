import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { readHoldEvidence } from '../../src/database/hold-evidence.ts'
import { approveOperation } from '../../src/database/money-approvals.ts'
import type { PaymentReads, Payout, PayoutRequest, WriteAnswer } from '../../src/providers/payments.ts'
import { moneyWorld, netCents, payoutOrder, transferOrder, type World } from './world.ts'

t.setTimeout(240_000)

const hourMs = 60 * 60_000
const payouts = 'process-pending-payouts'

/** A payout of one row of 6000, with other money beside it, whose sends are answered by `answers` in turn, then truly. */
async function payoutAnswered(t: Test, answers: readonly Partial<WriteAnswer<Payout>>[]) {
  const world = await moneyWorld(t)
  world.vendor.book('destination')
  const id = await world.addRow('COMPLETED', world.vendor.book('destination'))
  const keys: string[] = []
  const writes = {
    ...world.vendor.writes,
    createPayout: async (request: PayoutRequest, key: string, signal: AbortSignal) => {
      const scripted = answers[keys.length]
      keys.push(key)
      return scripted === undefined
        ? await world.vendor.writes.createPayout(request, key, signal)
        : (scripted as WriteAnswer<Payout>)
    },
  }
  const ledger = world.ledger({ writes })
  const order = payoutOrder(world.vendor.account, [id])
  return {
    ...world,
    world,
    ledger,
    id,
    keys,
    order,
    create: async () => await ledger.createPayout(order, await world.run(payouts)),
    resume: async () => await ledger.resume((await world.operations())[0]?.id ?? '', await world.run(payouts)),
    operation: async () => (await world.operations())[0],
  }
}

async function findingsOf({ db }: World) {
  const columns = ['kind', 'subject', 'state', 'message', 'note', 'closed_by'] as const
  return await db.selectFrom('jobs.findings').select(columns).orderBy('id').execute()
}

async function putInto(world: World, operationId: string): Promise<void> {
  world.vendor.book('destination')
  world.vendor.payOutElsewhere(operationId)
}

t.test('what is refused for now waits, is looked up, and is sent under a new key', async t => {
  const { clock, create, keys, operation, resume, row, id, vendor, world } = await payoutAnswered(t, [
    { kind: 'refused', code: 'balance_insufficient' },
    { kind: 'refused', code: 'balance_insufficient' },
  ])
  const blocked = await create()
  t.match(blocked, { counts: { blocked: 1 }, amountCents: 0, reason: 'balance_insufficient', findings: [] })
  const first = await operation()
  t.match(first, { state: 'blocked', wake_at: blocked.wakeAt, stripe_id: null })
  t.match(await resume(), { counts: { blocked: 1 }, wakeAt: blocked.wakeAt }, 'too early')
  t.equal(keys.length, 1)

  clock.advance(73 * hourMs)
  const again = await resume()
  t.match(again, { counts: { blocked: 1 }, findings: [{ kind: 'operation-blocked' }] }, 'three days are too long')
  t.match(await operation(), { generation: 2, sends: 1, blocked_since: first?.blocked_since })
  await sql`insert into jobs.findings (kind, subject, message, first_seen_at, last_seen_at)
    values ('operation-blocked', ${first?.id}, 'as the run would write it', now(), now())`.execute(world.db)

  clock.advance(6 * hourMs)
  t.match(await resume(), { amountCents: netCents })
  t.same(new Set(keys).size, 3, 'three keys')
  t.match(await operation(), { state: 'created', generation: 3, blocked_since: null, wake_at: null })
  t.equal((await row(id)).status, 'PAID_OUT')
  t.equal(vendor.outflowCents(), netCents)
  t.match(await findingsOf(world), [{ kind: 'operation-blocked', state: 'resolved' }])
})

t.test('a payout that is too small gives its rows free to be paid with later ones', async t => {
  const { clock, create, keys, operation, resume } = await payoutAnswered(t, [
    { kind: 'refused', code: 'amount_too_small' },
  ])
  t.match(await create(), { counts: { blocked: 1 } })
  clock.advance(24 * hourMs)
  t.match(await resume(), { counts: { canceled: 1 }, reason: 'amount_too_small' })
  t.match(await operation(), { state: 'canceled' })
  t.equal(keys.length, 1)
})

t.test('what is refused for good needs a person, and is not simply tried again', async t => {
  const { create, operation, row, id, keys, operations } = await payoutAnswered(t, [
    { kind: 'refused', code: 'account_closed' },
  ])
  await t.rejects(create(), { name: 'PermanentError', code: 'refused_for_good' })
  t.match(await operation(), { state: 'rejected', reason: 'account_closed' })
  t.match(await row(id), { status: 'COMPLETED', stripe_error_code: 'account_closed' })
  t.match(await create(), { counts: { held: 1 }, reason: 'rejected_before' })
  t.equal(keys.length, 1)
  t.equal((await operations()).length, 2)
})

t.test('what was refused for good is held under another row id too: its payment is the same', async t => {
  const world = await payoutAnswered(t, [{ kind: 'refused', code: 'account_closed' }])
  const { db, id, keys, order } = world
  await t.rejects(world.create(), { code: 'refused_for_good' })
  const rewritten = id + 1_000
  await sql`update payment_transfers set id = ${rewritten} where id = ${id}`.execute(db)
  const again = payoutOrder(order.account, [rewritten])
  const posting = await world.ledger.createPayout(again, await world.run(payouts))
  t.match(posting, { counts: { held: 1 }, reason: 'rejected_before' })
  t.equal(keys.length, 1, 'nothing was sent')
  const held = { id: posting.operationId ?? '', kind: 'payout', account: order.account, currency: 'eur' } as const
  t.match(await readHoldEvidence(db, held), { rejectedRows: [rewritten] }, 'and whoever approves it is told')
})

t.test('a busy vendor and a refused key leave the operation as it was', async t => {
  const { clock, create, keys, operation, resume, vendor } = await payoutAnswered(t, [
    { kind: 'notExecuted', code: 'rate_limit' },
    { kind: 'keyRefused', code: 'http_401' },
  ])
  await t.rejects(create(), { name: 'Error', code: 'rate_limit' })
  t.match(await operation(), { state: 'sending', sends: 1 })
  clock.advance(hourMs)
  await t.rejects(resume(), { name: 'KeyRefusedError' })
  t.match(await operation(), { state: 'sending', sends: 2, generation: 1 })
  t.match(await resume(), { amountCents: netCents })
  t.equal(new Set(keys).size, 1, 'one key all the time')
  t.equal(vendor.outflowCents(), netCents)
})

t.test('a key that stands for another request freezes the operation for ever', async t => {
  const { clock, create, keys, operation, resume } = await payoutAnswered(t, [{ kind: 'keyReused' }])
  await t.rejects(create(), { name: 'PermanentError', code: 'key_reused' })
  for (const hours of [1, 25, 1, 48, 1]) {
    clock.advance(hours * hourMs)
    await t.rejects(resume(), { name: 'PermanentError', code: 'outcome_undecided' })
  }
  t.match(await operation(), { state: 'unknown', reason: 'key_reused', generation: 1 })
  t.equal(keys.length, 1)
})

t.test('an object that is not what was asked for is no receipt, and is never paid on', async t => {
  for (const [wrong, kind] of [
    [{ amountCents: 1 }, 'amount-mismatch'],
    [{ currency: 'usd' }, 'currency-mismatch'],
    [{ operationId: 'another' }, 'operation-mismatch'],
  ] as const) {
    await t.test(kind, async t => {
      const { clock, id, operation, order, row, run, vendor, world } = await payoutAnswered(t, [])
      let calls = 0
      const writes = {
        ...vendor.writes,
        createPayout: async ({ operationId }: PayoutRequest): Promise<WriteAnswer<Payout>> => {
          calls += 1
          const right = { id: 'po_x', amountCents: netCents, currency: 'eur', operationId, status: 'pending' }
          return { kind: 'done', replayed: false, object: { ...right, ...wrong } as Payout }
        },
      }
      const ledger = world.ledger({ writes })
      const posting = await ledger.createPayout(order, await run(payouts))
      t.match(posting, { counts: { frozen: 1 }, amountCents: 0, findings: [{ kind }] })
      for (const hours of [1, 26, 1]) {
        clock.advance(hours * hourMs)
        await t.rejects(ledger.resume(posting.operationId ?? '', await run(payouts)), { code: 'outcome_undecided' })
      }
      t.match(await operation(), { state: 'unknown', reason: kind.replace('-', '_'), stripe_id: null })
      t.equal((await row(id)).status, 'COMPLETED')
      t.equal(calls, 1)
    })
  }
})

t.test('two objects of one operation freeze it', async t => {
  const { clock, create, id, keys, operation, resume, row, vendor, world } = await payoutAnswered(t, [
    { kind: 'unknown', code: 'no_answer', replayed: false },
  ])
  await t.rejects(create(), { code: 'outcome_unknown' })
  const operationId = (await operation())?.id ?? ''
  await putInto(world, operationId)
  await putInto(world, operationId)

  for (const hours of [0, 26, 1]) {
    clock.advance(hours * hourMs)
    t.match(await resume(), { counts: { frozen: 1 }, amountCents: 0, findings: [{ kind: 'duplicate-at-stripe' }] })
  }
  t.match(await operation(), { state: 'unknown', reason: 'duplicate_at_stripe' })
  t.equal((await row(id)).status, 'COMPLETED')
  t.equal(keys.length, 1)
  t.equal(vendor.outflowCents(), 2000)
})

t.test('an object found with another amount is not adopted', async t => {
  const { create, keys, operation, resume, world } = await payoutAnswered(t, [
    { kind: 'unknown', code: 'no_answer', replayed: false },
  ])
  await t.rejects(create(), { code: 'outcome_unknown' })
  await putInto(world, (await operation())?.id ?? '')
  t.match(await resume(), { counts: { frozen: 1 }, findings: [{ kind: 'amount-mismatch' }] })
  t.match(await operation(), { state: 'unknown', stripe_id: null })
  t.equal(keys.length, 1)
})

t.test('what nobody can decide in two days is a person’s, and still goes on by proof alone', async t => {
  const { clock, create, keys, resume, vendor } = await payoutAnswered(t, [
    { kind: 'unknown', code: 'no_answer', replayed: false },
  ])
  await t.rejects(create(), { name: 'Error', code: 'outcome_unknown' })
  clock.advance(49 * hourMs)
  await t.rejects(resume(), { name: 'PermanentError', code: 'outcome_undecided' }, 'one look-up proves nothing')
  clock.advance(9 * 60_000)
  await t.rejects(resume(), { code: 'outcome_undecided' }, 'and nor do two within nine minutes')
  t.equal(keys.length, 1)
  clock.advance(60_000)
  t.match(await resume(), { amountCents: netCents })
  t.equal(keys.length, 2)
  t.equal(vendor.outflowCents(), netCents)
})

t.test('what may have been sent is not given up when the facts change, until it is proven undone', async t => {
  const { clock, create, keys, operation, resume, vendor } = await payoutAnswered(t, [
    { kind: 'unknown', code: 'no_answer', replayed: false },
  ])
  await t.rejects(create(), { code: 'outcome_unknown' })
  vendor.setAccount({ payoutsEnabled: false })
  clock.advance(hourMs)
  await t.rejects(resume(), { code: 'outcome_unknown' })
  t.match(await operation(), { state: 'unknown', reason: 'payouts_disabled' })
  clock.advance(25 * hourMs)
  t.match(await resume(), { counts: { canceled: 1 }, reason: 'payouts_disabled' })
  t.equal(keys.length, 1)
})

t.test('what was sent is found and kept, though its row changed and its key is long forgotten', async t => {
  const world = await moneyWorld(t)
  const { clock, db, ledger, operations, row, run, vendor } = world
  const id = await world.addRow('COMPLETED', vendor.book('destination'))
  vendor.setFault('answer lost')
  await t.rejects(ledger().createPayout(payoutOrder(vendor.account, [id]), await run(payouts)), {
    code: 'outcome_unknown',
  })
  vendor.setFault(undefined)
  await sql`update payment_transfers set status = 'REFUNDED' where id = ${id}`.execute(db)
  clock.advance(26 * hourMs)

  const posting = await ledger().resume((await operations())[0]?.id ?? '', await run(payouts))

  t.match(posting, { amountCents: netCents, findings: [{ kind: 'paid-row-changed', isRecorded: true }] })
  t.match(await operations(), [{ state: 'created', stripe_id: posting.receipt }])
  t.match(await row(id), { status: 'REFUNDED', payout_id: null })
})

t.test('what was sent is found, though the clock of Stripe dates it most of a day before its operation', async t => {
  const world = await moneyWorld(t)
  const { clock, ledger, operations, run, vendor } = world
  const id = await world.addRow('COMPLETED', vendor.book('destination'))
  // Money that a second payout would take.
  vendor.book('destination')
  const payments: PaymentReads = {
    ...vendor.payments,
    listPayouts: async ({ account, from }, signal) =>
      await vendor.payments.listPayouts({ account, from: new Date(from.getTime() + 23 * hourMs) }, signal),
  }
  vendor.setFault('answer lost')
  await t.rejects(ledger({ payments }).createPayout(payoutOrder(vendor.account, [id]), await run(payouts)))
  vendor.setFault(undefined)
  for (const waitMs of [26 * hourMs, hourMs]) {
    clock.advance(waitMs)
    await ledger({ payments }).resume((await operations())[0]?.id ?? '', await run(payouts))
    t.equal(vendor.outflowCents(), netCents)
  }
  t.match(await operations(), [{ state: 'created', generation: 1 }])
})

t.test('a receipt that comes after all is over changes nothing', async t => {
  const world = await moneyWorld(t)
  const { db, ledger, operations, row, run, vendor } = world
  const id = await world.addRow('COMPLETED', vendor.book('destination'))
  const sleeper = ledger({
    onStep: async step => {
      if (step !== 'answered') return
      // While it slept its successor found the payout, and the bank sent it back.
      const [operation] = await operations()
      const found = await ledger().resume(operation?.id ?? '', await run('other'))
      vendor.setPayout(found.receipt ?? '', 'failed')
      await ledger().settlePayout(operation?.id ?? '', await run('other'))
    },
  })

  const posting = await sleeper.createPayout(payoutOrder(vendor.account, [id]), await run(payouts))

  t.match(posting, { counts: { already_recorded: 1 }, amountCents: 0, findings: [] })
  t.match(await operations(), [{ state: 'failed' }])
  t.match(await row(id), { status: 'COMPLETED', payout_id: null })
  const audit = await db.selectFrom('jobs.audit_entries').select('action').orderBy('id').execute()
  t.same(audit, [{ action: 'operation.created' }, { action: 'operation.failed' }])
})

t.test('an answer to a key that was given up is no receipt, and a person hears of it', async t => {
  const { db, id, order, run, row, vendor, world } = await payoutAnswered(t, [])
  const ledger = world.ledger({
    onStep: async step => {
      if (step !== 'answered') return
      await sql`update jobs.money_operations set generation = 2, idempotency_key = 'payout:' || id || ':g2'`.execute(db)
    },
  })
  const posting = await ledger.createPayout(order, await run(payouts))
  t.match(posting, { counts: { receipt_refused: 1 }, findings: [{ kind: 'stray-at-stripe' }], amountCents: 0 })
  t.equal((await row(id)).status, 'COMPLETED')
  t.equal(vendor.outflowCents(), netCents)
})

t.test('a held operation goes once an operator approves it, past the circuit breaker', async t => {
  const world = await moneyWorld(t, undefined, { maxSingleCents: netCents - 1 })
  const { clock, db, ledger, operations, run, vendor } = world
  const id = await world.addRow('COMPLETED', vendor.book('destination'))
  const held = await ledger().createPayout(payoutOrder(vendor.account, [id]), await run(payouts))
  t.match(held, { counts: { held: 1 }, reason: 'above_single_limit', amountCents: 0 })
  const [operation] = await operations()
  const operationId = operation?.id ?? ''
  t.match(operation, { state: 'held', sends: 0, first_sent_at: null })
  t.match(await ledger().resume(operationId, await run(payouts)), { counts: { held: 1 } })
  t.match(await findingsOf(world), [{ kind: 'operation-held', subject: operationId, state: 'open' }])

  const approval = { id: operationId, operator: 'ana', note: 'looked at it', now: clock() }
  t.equal(await approveOperation(db, { ...approval, id: '00000000-0000-7000-8000-000000000000' }), 'not-found')
  t.equal(await approveOperation(db, approval), 'approved')
  t.same(await approveOperation(db, approval), { state: 'planned' })
  t.match(await findingsOf(world), [{ kind: 'operation-held', state: 'resolved' }])
  t.equal(vendor.outflowCents(), 0, 'approving sends nothing by itself')

  t.match(await ledger().resume(operationId, await run(payouts)), { amountCents: netCents })
  t.match(await operations(), [{ state: 'created', approved_by: 'ana', generation: 1, sends: 1 }])
  const audit = await db.selectFrom('jobs.audit_entries').select(['actor', 'action']).orderBy('id').execute()
  const actions = ['operation.approve', 'operation.resumed', 'operation.created']
  t.match(
    audit,
    actions.map(action => ({ action })),
  )
  t.equal(audit[0]?.actor, 'ana')
})

t.test('another try under a new key meets the circuit breaker again', async t => {
  const { clock, create, db, keys, operation, resume, vendor, world } = await payoutAnswered(t, [
    { kind: 'refused', code: 'balance_insufficient' },
  ])
  await create()
  clock.advance(24 * hourMs)
  const booked = vendor.book('direct')
  const other = await world.addRow('PENDING', booked)
  const limits = { maxSingleCents: netCents, maxTotalCents: 2 * netCents - 1, since: new Date(0) }
  await world.ledger().createTransfer(transferOrder(vendor.account, other, booked), await world.run(payouts))
  const id = (await operation())?.id ?? ''
  const held = await world.ledger({ limits }).resume(id, await world.run(payouts))
  t.match(held, { counts: { held: 1 }, reason: 'above_daily_limit', amountCents: 0 })
  t.match(await operation(), { state: 'held', generation: 2, sends: 0, first_sent_at: null })
  t.equal(keys.length, 1)
  t.equal(await approveOperation(db, { id, operator: 'ana', now: clock() }), 'approved')
  t.match(await resume(), { amountCents: netCents })
  t.match(keys, [/:g1$/, /:g2$/])
})

t.test('an approval waits for the payout that is on its way, and for what may pass', async t => {
  const world = await moneyWorld(t)
  const { clock, db, ledger, operations, run, vendor } = world
  const [one, two] = [
    await world.addRow('COMPLETED', vendor.book('destination')),
    await world.addRow('COMPLETED', vendor.book('destination')),
  ]
  const hold = { hold: 'account_shared' } as const
  await ledger().createPayout(payoutOrder(vendor.account, [one], hold), await run(payouts))
  await ledger().createPayout(payoutOrder(vendor.account, [two], hold), await run(payouts))
  const [first, second] = (await operations()).map(({ id }) => id)
  await approveOperation(db, { id: first ?? '', operator: 'ana', now: clock() })
  t.equal(await approveOperation(db, { id: second ?? '', operator: 'ana', now: clock() }), 'approved')
  t.match((await operations())[1], { state: 'held', approved_by: 'ana' }, 'it has to wait for its turn')
  t.match(await ledger().resume(second ?? '', await run(payouts)), { counts: { lane_taken: 1 }, amountCents: 0 })

  vendor.setAccount({ payoutsEnabled: false })
  t.match(await ledger().resume(first ?? '', await run(payouts)), {
    counts: { blocked: 1 },
    reason: 'payouts_disabled',
  })
  vendor.setAccount({ payoutsEnabled: true })
  clock.advance(24 * hourMs)
  t.match(await ledger().resume(first ?? '', await run(payouts)), { amountCents: netCents })
  await sql`update payment_transfers set status = 'REFUNDED' where id = ${two}`.execute(db)
  t.match(await ledger().resume(second ?? '', await run(payouts)), { counts: { canceled: 1 }, reason: 'row_changed' })
  t.equal(vendor.outflowCents(), netCents)
})

t.test('a blocked payout keeps its lane', async t => {
  const { create, ledger, run, vendor, world } = await payoutAnswered(t, [
    { kind: 'refused', code: 'payouts_limit_exceeded' },
  ])
  await create()
  const other = await world.addRow('COMPLETED', vendor.book('destination'))
  const posting = await ledger.createPayout(payoutOrder(vendor.account, [other]), await run(payouts))
  t.match(posting, { counts: { lane_blocked: 1 }, amountCents: 0 })
})

t.test('results of payouts come back: paid, then failed, and the rows are paid once more', async t => {
  const { clock, create, db, id, keys, ledger, operation, operations, row, run, vendor, world } = await payoutAnswered(
    t,
    [],
  )
  const { receipt = '' } = await create()
  const operationId = (await operation())?.id ?? ''
  const settle = async () => await ledger.settlePayout(operationId, await run(payouts))
  t.match(await settle(), { counts: { unsettled: 1 }, amountCents: 0 })
  vendor.setPayout(receipt, 'paid')
  t.match(await settle(), { counts: { paid: 1 } })
  t.match(await operation(), { state: 'paid', vendor_status: 'paid' })
  t.match(await settle(), { counts: { paid: 1 } }, 'again, without a change')

  vendor.setPayout(receipt, 'failed', false)
  t.match(await settle(), { counts: { unsettled: 1 } }, 'the money is not back yet')
  t.match(await row(id), { status: 'PAID_OUT', payout_id: receipt })
  clock.advance(hourMs)
  vendor.setPayout(receipt, 'failed')
  t.match(await settle(), {
    counts: { failed: 1, rows_reopened: 1 },
    findings: [{ kind: 'payout-failed' }],
    amountCents: 0,
  })
  t.match(await row(id), { status: 'COMPLETED', payout_id: null, stripe_error_code: 'could_not_process' })
  t.match(await operation(), { state: 'failed', stripe_id: receipt })
  t.match(await settle(), { counts: { failed: 1 } })
  const notices = await db.selectFrom('jobs.outbox').select(['kind', 'occurrence']).orderBy('id').execute()
  t.match(notices, [
    { kind: 'expert-payout-notification', occurrence: receipt },
    { kind: 'payout-failed', occurrence: receipt },
  ])
  const audit = await db.selectFrom('jobs.audit_entries').select('action').orderBy('id').execute()
  t.same(
    audit.map(({ action }) => action),
    ['operation.created', 'operation.paid', 'operation.failed'],
  )

  const order = { ...payoutOrder(vendor.account, [id]), replaces: operationId }
  t.match(await ledger.createPayout(order, await run(payouts)), { amountCents: netCents })
  t.match(await operations(), [{ state: 'failed' }, { state: 'created', replaces: operationId }])
  t.equal(new Set(keys).size, 2)
  t.equal(vendor.outflowCents(), netCents)
  const [told] = await findingsOf(world)
  t.match(told, { kind: 'payout-failed', state: 'open' }, 'on its way is not there')
  t.match(told?.message, /could_not_process.*bank account.*until it is replaced/, 'whatever the code says')
  const again = (await operations())[1]
  vendor.setPayout(again?.stripe_id ?? '', 'paid')
  await ledger.settlePayout(again?.id ?? '', await run(payouts))
  t.match(await findingsOf(world), [{ state: 'resolved', closed_by: `eleva-jobs/${payouts}`, note: /arrived/ }])
})

t.test('a payout that came back is told until each of its rows has arrived by another one', async t => {
  const world = await moneyWorld(t)
  const { operations, run, vendor } = world
  const rows = [
    await world.addRow('COMPLETED', vendor.book('destination')),
    await world.addRow('COMPLETED', vendor.book('destination')),
  ]
  const ledger = world.ledger()
  const { receipt = '' } = await ledger.createPayout(payoutOrder(vendor.account, rows), await run(payouts))
  vendor.setPayout(receipt, 'canceled')
  await ledger.settlePayout((await operations())[0]?.id ?? '', await run(payouts))
  const findings = async () => await findingsOf(world)
  t.match((await findings())[0]?.message, /canceled at Stripe.*paid again by the next run/)
  for (const [index, id] of rows.entries()) {
    t.match(await findings(), [{ kind: 'payout-failed', state: 'open' }])
    const paid = await ledger.createPayout(payoutOrder(vendor.account, [id]), await run(payouts))
    vendor.setPayout(paid.receipt ?? '', 'paid')
    await ledger.settlePayout((await operations())[index + 1]?.id ?? '', await run(payouts))
  }
  t.match(await findings(), [{ kind: 'payout-failed', state: 'resolved' }])
})

t.test('a canceled payout reopens its rows, but not the one that was refunded', async t => {
  const world = await moneyWorld(t)
  const { db, ledger, operations, row, run, vendor } = world
  const [kept, refunded] = [
    await world.addRow('COMPLETED', vendor.book('destination')),
    await world.addRow('COMPLETED', vendor.book('destination'), { expert: 'user_other' }),
  ]
  const order = payoutOrder(vendor.account, [kept, refunded], { hold: 'account_shared' })
  const { operationId = '' } = await ledger().createPayout(order, await run(payouts))
  await approveOperation(db, { id: operationId, operator: 'ana', now: world.clock() })
  const { receipt = '' } = await ledger().resume(operationId, await run(payouts))
  t.equal((await db.selectFrom('jobs.outbox').select('recipient').execute()).length, 2, 'one notice for each expert')
  await sql`update payment_transfers set status = 'REFUNDED' where id = ${refunded}`.execute(db)
  vendor.setPayout(receipt, 'canceled')
  const [operation] = await operations()
  t.match(await ledger().settlePayout(operation?.id ?? '', await run(payouts)), {
    counts: { canceled: 1, rows_reopened: 1 },
  })
  t.match(await row(kept), { status: 'COMPLETED', payout_id: null })
  t.match(await row(refunded), { status: 'REFUNDED', payout_id: receipt })
})

t.test('a recorded transfer whose row was put back is put right, and another transfer is a person’s', async t => {
  const world = await moneyWorld(t)
  const { db, ledger, operations, row, run, vendor } = world
  const booked = vendor.book('destination')
  const id = await world.addRow('READY', booked)
  const order = {
    ...transferOrder(vendor.account, id, booked),
    expectedStatus: 'READY' as const,
    transferId: booked.transferId ?? '',
  }
  await ledger().recordTransfer(order, await run('process-expert-transfers'))
  await sql`update payment_transfers set status = 'PENDING', transfer_id = null where id = ${id}`.execute(db)

  t.match(await ledger().recordTransfer(order, await run('a')), { counts: { row_changed: 1 } }, 'not READY any more')
  const pending = { ...order, expectedStatus: 'PENDING' as const }
  t.match(await ledger().recordTransfer(pending, await run('a')), { counts: { rows: 1 }, amountCents: 0 })
  t.match(await row(id), { status: 'COMPLETED', transfer_id: booked.transferId })
  t.equal((await operations()).length, 1)

  await sql`update payment_transfers set status = 'PENDING', transfer_id = null where id = ${id}`.execute(db)
  const other = await ledger().recordTransfer({ ...pending, transferId: 'tr_other' }, await run('a'))
  t.match(other, { counts: { row_taken: 1 }, findings: [{ kind: 'stray-at-stripe' }] })
  t.match(await row(id), { status: 'PENDING' })
})

t.test('an object at Stripe is the receipt of one operation alone', async t => {
  const world = await moneyWorld(t)
  const { ledger, operations, row, run, vendor } = world
  const booked = vendor.book('destination')
  const [one, two] = [await world.addRow('PENDING', booked), await addTwin(world)]
  const order = (id: number) => ({ ...transferOrder(vendor.account, id, booked), transferId: booked.transferId ?? '' })
  await ledger().recordTransfer(order(one), await run('a'))
  t.match(await ledger().recordTransfer(order(two), await run('a')), { counts: { object_taken: 1 }, amountCents: 0 })
  t.match(await row(two), { status: 'PENDING', transfer_id: null })
  t.equal((await operations()).length, 1)
})

/** Another booking, whose order will name the first one's transfer by mistake. */
async function addTwin(world: World): Promise<number> {
  return await world.addRow('PENDING', world.vendor.book('destination'))
}

t.test('a payout takes two short transactions, however many rows it pays', async t => {
  for (const count of [1, 20]) {
    const world = await moneyWorld(t, undefined, { maxSingleCents: 1_000_000 })
    const ids: number[] = []
    for (let made = 0; made < count; made += 1)
      ids.push(await world.addRow('COMPLETED', world.vendor.book('destination')))
    const statements: string[] = []
    const counting = {
      transformQuery: ({ node }: { node: { kind: string } }) => {
        statements.push(node.kind)
        return node
      },
      transformResult: async ({ result }: { result: unknown }) => result,
    }
    const db = world.db.withPlugin(counting as unknown as Parameters<typeof world.db.withPlugin>[0])
    const ledger = world.ledger({ db })
    const run = await world.run(payouts)
    await ledger.checkAccount(run)
    statements.length = 0
    await ledger.createPayout(payoutOrder(world.vendor.account, ids), run)
    t.equal(statements.length, 12, 'five of the intent, three of the facts, four of the receipt')
  }
})
