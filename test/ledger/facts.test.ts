import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { Charge } from '../../src/providers/payments.ts'
import { at, moneyWorld, netCents, payoutOrder, transferOrder } from './world.ts'

t.setTimeout(240_000)

/** What becomes of a transfer that is due, when Stripe, and the row, say this right before it is sent. */
async function transferWith(t: Test, charged: Partial<Charge>, correctedCents = netCents) {
  const world = await moneyWorld(t)
  const { vendor } = world
  const booked = vendor.book('direct')
  const id = await world.addRow('PENDING', booked)
  const payments: typeof vendor.payments = {
    ...vendor.payments,
    readPayment: async (...asked) => {
      const payment = await vendor.payments.readPayment(...asked)
      return { ...payment, charge: { ...(payment.charge as Charge), ...charged } }
    },
  }
  const order = transferOrder(vendor.account, id, booked)
  const correct = sql`update payment_transfers set amount = ${correctedCents} where id = ${id}`
  const onStep = at('intent', async () => await correct.execute(world.db))
  const posting = await world.ledger({ payments, onStep }).createTransfer(order, await world.run())
  return { posting, outflowCents: vendor.outflowCents(), row: await world.row(id) }
}

t.test('no transfer is made out of a charge that is not the one that was decided about', async t => {
  const wrongs: [string, Partial<Charge>][] = [
    ['charge_changed', { id: 'ch_other' }],
    ['settlement_currency', { settlementCurrency: 'usd' }],
  ]
  for (const [reason, charged] of wrongs) {
    const { outflowCents, posting, row } = await transferWith(t, charged)
    t.match(posting, { counts: { canceled: 1 }, reason, amountCents: 0 })
    t.match(row, { status: 'PENDING', transfer_id: null }, reason)
    t.equal(outflowCents, 0, reason)
  }
})

t.test('a row whose amount was corrected after the intent is not paid what it said before', async t => {
  for (const correctedCents of [5000, 6001]) {
    const { outflowCents, posting } = await transferWith(t, {}, correctedCents)
    t.match(posting, { counts: { canceled: 1 }, reason: 'row_changed', amountCents: 0 })
    t.equal(outflowCents, 0)
  }
})

t.test('a payout whose row was corrected after the intent is not made', async t => {
  const corrections = { amount: '5000', currency: "'usd'" }
  for (const [column, value] of Object.entries(corrections)) {
    const world = await moneyWorld(t)
    const { vendor } = world
    const id = await world.addRow('COMPLETED', vendor.book('destination'))
    const correct = sql.raw(`update payment_transfers set ${column} = ${value} where id = ${id}`)
    const onStep = at('intent', async () => void (await correct.execute(world.db)))
    const posting = await world.ledger({ onStep }).createPayout(payoutOrder(vendor.account, [id]), await world.run())
    t.match(posting, { counts: { canceled: 1 }, reason: 'row_changed', amountCents: 0 }, column)
    t.equal(vendor.outflowCents(), 0, column)
  }
})

t.test('no payout is made for a row that names another transfer than its charge has', async t => {
  const world = await moneyWorld(t)
  const { vendor } = world
  const id = await world.addRow('COMPLETED', vendor.book('destination'), { transferId: 'tr_other' })

  const posting = await world.ledger().createPayout(payoutOrder(vendor.account, [id]), await world.run())

  t.match(posting, { counts: { canceled: 1 }, reason: 'transfer_differs', amountCents: 0 })
  t.match(await world.row(id), { status: 'COMPLETED', payout_id: null })
  t.equal(vendor.outflowCents(), 0)
})
