import { sql } from 'kysely'
import t from 'tap'
import { freezeRequest } from '../../src/ledger/frozen-request.ts'
import { move, moveByFact } from '../../src/ledger/move.ts'
import { listUnexplained } from '../support/unexplained.ts'
import type { Payout, Transfer, TransferRequest, WriteAnswer } from '../../src/providers/payments.ts'
import { listedPayout } from '../support/payout-facts.ts'
import { at, duePayout, moneyWorld, netCents, transferOrder } from './world.ts'

t.setTimeout(240_000)

t.test('a transfer to another account, or out of another charge, is no receipt', async t => {
  for (const wrong of [{ chargeId: 'ch_other' }, { destination: 'acct_other' }]) {
    const world = await moneyWorld(t)
    const booked = world.vendor.book('direct')
    const id = await world.addRow('PENDING', booked)
    const writes = {
      ...world.vendor.writes,
      createTransfer: async (request: TransferRequest): Promise<WriteAnswer<Transfer>> => {
        const object = { ...request, id: 'tr_x', reversedCents: 0, group: null, createdAt: world.clock(), ...wrong }
        return { kind: 'done', replayed: false, object }
      },
    }
    const order = transferOrder(world.vendor.account, id, booked)

    const posting = await world.ledger({ writes }).createTransfer(order, await world.run())

    t.match(posting, {
      counts: { frozen: 1 },
      amountCents: 0,
      findings: [{ kind: 'destination-mismatch', details: wrong }],
    })
    t.match(await world.operations(), [{ state: 'unknown', reason: 'destination_mismatch', stripe_id: null }])
    t.match(await world.row(id), { status: 'PENDING', transfer_id: null })
  }
})

t.test('a row whose currency or account was corrected meanwhile is not marked as paid', async t => {
  for (const change of [sql`currency = 'USD'`, sql`expert_connect_account_id = 'acct_corrected'`]) {
    const world = await moneyWorld(t)
    const { ids, order } = await duePayout(world, 2)
    const [changed = 0, other = 0] = ids
    const correct = sql`update payment_transfers set ${change} where id = ${changed}`
    const ledger = world.ledger({ onStep: at('answered', async () => await correct.execute(world.db)) })

    const posting = await ledger.createPayout(order, await world.run())

    t.match(posting, { counts: { rows: 1, rows_changed: 1 }, findings: [{ kind: 'paid-row-changed' }] })
    t.match(await world.row(changed), { status: 'COMPLETED', payout_id: null })
    t.match(await world.row(other), { status: 'PAID_OUT', payout_id: posting.receipt })
  }
})

t.test('a payout that came back reopens no row that another payout has paid', async t => {
  const world = await moneyWorld(t)
  const { ids, order } = await duePayout(world, 2)
  const [corrected = 0, other = 0] = ids
  const { operationId = '', receipt = '' } = await world.ledger().createPayout(order, await world.run())
  await sql`update payment_transfers set payout_id = 'po_by_hand' where id = ${corrected}`.execute(world.db)
  world.vendor.setPayout(receipt, 'failed')

  const posting = await world.ledger().settlePayout(operationId, await world.run())

  t.match(posting, { counts: { failed: 1, rows_reopened: 1 } })
  t.match(await world.row(corrected), { status: 'PAID_OUT', payout_id: 'po_by_hand', stripe_error_code: null })
  t.match(await world.row(other), { status: 'COMPLETED', payout_id: null })
})

t.test('a refusal for good is not written on a row that was refunded meanwhile', async t => {
  const world = await moneyWorld(t)
  const { ids, order } = await duePayout(world, 2)
  const [refunded = 0, other = 0] = ids
  const writes = {
    ...world.vendor.writes,
    createPayout: async (): Promise<WriteAnswer<Payout>> => ({ kind: 'refused', code: 'account_closed' }),
  }
  const refund = sql`update payment_transfers set status = 'REFUNDED' where id = ${refunded}`
  const ledger = world.ledger({ writes, onStep: at('answered', async () => await refund.execute(world.db)) })

  await t.rejects(ledger.createPayout(order, await world.run()), { code: 'refused_for_good' })

  t.match(await world.row(refunded), { status: 'REFUNDED', stripe_error_code: null })
  t.match(await world.row(other), { status: 'COMPLETED', stripe_error_code: 'account_closed' })
})

t.test('a payout that came back as another than was made settles nothing', async t => {
  const world = await moneyWorld(t)
  const { id, order } = await duePayout(world)
  const { operationId = '', receipt = '' } = await world.ledger().createPayout(order, await world.run())
  world.vendor.setPayout(receipt, 'failed')
  const payments: typeof world.vendor.payments = {
    ...world.vendor.payments,
    readPayout: async (...asked) => ({ ...(await world.vendor.payments.readPayout(...asked)), amountCents: 1 }),
  }

  const posting = await world.ledger({ payments }).settlePayout(operationId, await world.run())

  t.match(posting, { counts: { frozen: 1 }, amountCents: 0, findings: [{ kind: 'amount-mismatch' }] })
  t.match(await world.operations(), [{ state: 'created' }])
  t.match(await world.row(id), { status: 'PAID_OUT', payout_id: receipt })
})

t.test('a request that is whole but another operation’s is not sent', async t => {
  const wrongs = {
    operationId: '00000000-0000-7000-8000-000000000000',
    amountCents: 1,
    currency: 'usd',
    account: 'acct_thief',
  }
  for (const [field, wrong] of Object.entries(wrongs)) {
    const world = await moneyWorld(t)
    const { order } = await duePayout(world)
    const cut = world.ledger({
      onStep: at('intent', () => {
        throw new Error('cut off')
      }),
    })
    await t.rejects(cut.createPayout(order, await world.run()))
    const [operation] = await world.operations()
    const right = { account: order.account, amountCents: netCents, currency: 'eur', operationId: operation?.id ?? '' }
    await sql`alter table jobs.money_operations disable trigger money_operations_frozen`.execute(world.db)
    const altered = freezeRequest({ ...right, [field]: wrong })
    await world.db.updateTable('jobs.money_operations').set(altered).execute()

    const resumed = world.ledger().resume(operation?.id ?? '', await world.run())
    await t.rejects(resumed, { name: 'PermanentError', code: 'request_altered' }, field)
    t.equal(world.vendor.outflowCents(), 0, field)
  }
})

t.test('a transition that is not legal is a bug, and is not written', async t => {
  const world = await moneyWorld(t)
  await world.ledger().createPayout((await duePayout(world)).order, await world.run())
  const [operation] = await world.operations()
  if (operation === undefined) throw new Error('no operation')
  const now = world.clock()

  const back = move(world.db, operation, 'unknown', {}, now)
  await t.rejects(back, /an operation that is created must not become unknown/)
  const again = moveByFact(world.db, operation, ['created', 'canceled'], 'created', {}, now)
  await t.rejects(again, /an operation that is canceled must not become created/)

  t.match(await world.operations(), [{ state: 'created', updated_at: operation.updated_at }])
})

t.test('an operation explains a payout of its own account alone', async t => {
  const world = await moneyWorld(t)
  const { account } = world.vendor
  world.vendor.setFault('request lost')
  await t.rejects(world.ledger().createPayout((await duePayout(world)).order, await world.run()))
  const [operation] = await world.operations()
  const claimed = [listedPayout('po_x', { operationId: operation?.id ?? '' })]

  t.same(await listUnexplained(world.db, account, claimed), [])
  t.same(await listUnexplained(world.db, 'acct_other', claimed), ['po_x'])
})
