import { sql } from 'kysely'
import t from 'tap'
import { moneyWorld, netCents, payoutOrder } from '../ledger/world.ts'

t.test('a payment that is corrected between send and receipt wins, and a person hears of it', async t => {
  const world = await moneyWorld(t)
  const { db, vendor } = world
  const [corrected, other] = [
    await world.addRow('COMPLETED', vendor.book('destination')),
    await world.addRow('COMPLETED', vendor.book('destination')),
  ]
  const ledger = world.ledger({
    onStep: async step => {
      if (step !== 'answered') return
      await sql`update payment_transfers set payment_intent_id = 'pi_corrected' where id = ${corrected}`.execute(db)
    },
  })
  const order = payoutOrder(vendor.account, [corrected, other])
  const posting = await ledger.createPayout(order, await world.run('process-pending-payouts'))

  t.match(posting, { amountCents: 2 * netCents, counts: { rows: 1, rows_changed: 1 } })
  t.match(await world.operations(), [{ state: 'created', stripe_id: posting.receipt }], 'the receipt is kept')
  t.match(await world.row(corrected), { status: 'COMPLETED', payout_id: null })
  t.match(await world.row(other), { status: 'PAID_OUT' })
  const findings = await db.selectFrom('jobs.findings').selectAll().execute()
  t.match(findings, [{ kind: 'paid-row-changed', subject: `payment_transfers ${corrected}` }])
})
