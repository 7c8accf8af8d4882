import t from 'tap'
import { moneyWorld, netCents, payoutOrder, transferOrder } from './world.ts'
import { scripted, standIn } from './vendors.ts'

t.setTimeout(240_000)

for (const vendorOf of [scripted, standIn]) {
  t.test(`with the ${vendorOf.name} vendor`, async t => {
    t.test('a payout pays its rows once, and says so to the expert and in the audit', async t => {
      const { addRow, db, ledger, operations, row, run, vendor } = await moneyWorld(t, vendorOf)
      const ids = [
        await addRow('COMPLETED', vendor.book('destination')),
        await addRow('COMPLETED', vendor.book('destination')),
      ]

      const posting = await ledger().createPayout(payoutOrder(vendor.account, ids), await run())

      const [operation] = await operations()
      t.match(operation, { state: 'created', origin: 'sent', generation: 1, sends: 1, amount: String(2 * netCents) })
      t.match(posting, { receipt: operation?.stripe_id, amountCents: 2 * netCents, counts: { rows: 2 }, findings: [] })
      t.equal(vendor.outflowCents(), 2 * netCents)
      for (const id of ids) t.match(await row(id), { status: 'PAID_OUT', payout_id: operation?.stripe_id })
      const notices = await db.selectFrom('jobs.outbox').selectAll().execute()
      t.equal(notices.length, 1)
      t.match(notices[0], { kind: 'expert-payout-notification', recipient: 'user_expert', subject: operation?.id })
      t.match(notices[0]?.facts, {
        amountCents: 2 * netCents,
        currency: 'eur',
        rows: [{ paymentTransferId: ids[0] }, {}],
      })
      const audit = await db.selectFrom('jobs.audit_entries').selectAll().execute()
      t.match(audit, [
        { actor: 'eleva-jobs/process-pending-payouts', action: 'operation.created', subject: operation?.id },
      ])

      const again = await ledger().createPayout(payoutOrder(vendor.account, ids), await run())
      t.match(again, { counts: { row_changed: 1 }, amountCents: 0 })
      t.equal(vendor.outflowCents(), 2 * netCents)
    })

    t.test('a transfer is made for a charge that has none', async t => {
      const { addRow, ledger, operations, row, run, vendor } = await moneyWorld(t, vendorOf)
      const booked = vendor.book('direct')
      const id = await addRow('PENDING', booked)

      const posting = await ledger().createTransfer(transferOrder(vendor.account, id, booked), await run())

      t.match(posting, { amountCents: netCents, findings: [] })
      t.match(await operations(), [{ state: 'created', stripe_id: posting.receipt }])
      t.match(await row(id), { status: 'COMPLETED', transfer_id: posting.receipt })
      t.equal(vendor.outflowCents(), netCents)
    })

    t.test('a transfer that exists is written down and moves nothing', async t => {
      const { addRow, db, ledger, operations, row, run, vendor } = await moneyWorld(t, vendorOf)
      const booked = vendor.book('destination')
      const id = await addRow('PENDING', booked)
      const transferId = booked.transferId ?? ''
      const order = { ...transferOrder(vendor.account, id, booked), transferId }

      const posting = await ledger().recordTransfer(order, await run())

      t.match(posting, { receipt: transferId, amountCents: 0, counts: { rows: 1 } })
      t.match(await operations(), [{ state: 'created', origin: 'recorded', sends: 0, stripe_id: transferId }])
      t.match(await row(id), { status: 'COMPLETED', transfer_id: transferId })
      t.match(await ledger().recordTransfer(order, await run()), { counts: { row_changed: 1 } })
      t.equal((await operations()).length, 1)

      const earlier = vendor.book('destination')
      const oldId = await addRow('READY', earlier, { expert: 'user_old' })
      const old = { ...transferOrder(vendor.account, oldId, earlier), expectedStatus: 'READY', isOld: true } as const
      const oldTransferId = earlier.transferId ?? ''
      t.match(await ledger().recordTransfer({ ...old, transferId: oldTransferId }, await run()), {
        counts: { rows: 1 },
      })
      t.match(await row(oldId), { status: 'COMPLETED', transfer_id: oldTransferId })
      const told = await db.selectFrom('jobs.outbox').select(['kind', 'recipient', 'occurrence']).execute()
      const news = { kind: 'transfer-recorded', recipient: 'user_expert', occurrence: transferId }
      t.same(told, [news], 'an expert hears of it, unless the guest paid before the cut-over')
    })
  })
}
