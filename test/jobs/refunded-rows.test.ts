import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { listRefundedRows } from '../../src/database/refunded-rows.ts'
import { processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'
import { addFinding } from '../support/builders.ts'
import { addBooking } from '../support/bookings.ts'
import { testDatabase } from '../support/database.ts'
import { addOperation } from '../support/operations.ts'
import { payoutWorld, type PayoutWorld } from '../support/payout-world.ts'

async function openWorld(t: Test) {
  const world = await payoutWorld(t, {}, { jobs: [processExpertTransfers, processPendingPayouts] })
  const account = await world.addExpert('ana')
  const readRows = async () => (await sql`select * from payment_transfers order by id`.execute(world.db)).rows
  return { ...world, account, readRows }
}

const run = async ({ deliver }: PayoutWorld) => (await deliver('/jobs/process-expert-transfers')).json

t.test('a refund after the payout is told once for each row, and never again', async t => {
  const world = await openWorld(t)
  const { id } = await world.addBooking(world.account, { expert: 'ana' })
  await world.deliver('/jobs/process-pending-payouts')
  t.match(await world.readRows(), [{ status: 'PAID_OUT' }])
  await sql`update payment_transfers set status = 'REFUNDED'`.execute(world.db)
  t.match(await run(world), { outcome: 'succeeded' })
  t.same(await world.findings(), [`refunded-after-payout payment_transfers ${id}`])
  const { rows } = await sql<{ id: string; details: unknown }>`select id, details from jobs.findings`.execute(world.db)
  t.match(rows, [{ details: { amountCents: 8_500, account: world.account, payoutId: /^po_/, operationId: /-/ } }])
  await world.operate('POST', `/findings/${rows[0]?.id}/resolve`, { note: 'the expert pays it back' })
  await run(world)
  t.equal((await world.findings()).length, 1, 'what a person has decided is not asked again')
})

t.test('only money that left for a bank and did not come back counts as paid out', async t => {
  const { db } = await testDatabase(t)
  const refunded = { status: 'REFUNDED', transferId: 'tr_1' } as const
  const named = await addBooking(db, { ...refunded, payoutId: 'po_old' })
  const told: number[] = [named]
  for (const state of ['created', 'paid', 'failed', 'canceled', 'held', 'unknown'] as const) {
    const id = await addBooking(db, refunded)
    await addOperation(db, { state, rows: { [id]: 8_500 } })
    if (state === 'created' || state === 'paid') told.push(id)
  }
  const returned = await addBooking(db, { ...refunded, payoutId: 'po_back' })
  await addOperation(db, { state: 'failed', stripe_id: 'po_back', rows: { [returned]: 8_500 } })
  await addBooking(db, refunded)
  await addBooking(db, { status: 'PAID_OUT', transferId: 'tr_1', payoutId: 'po_1' })
  const list = async (limit: number) => (await listRefundedRows(db, limit)).map(row => row.paymentTransferId)
  t.same(
    (await list(100)).toSorted((a, b) => a - b),
    told,
  )
  t.equal((await list(2)).length, 2)
  const closed = { state: 'resolved', closed_at: new Date(0), closed_by: 'ana' } as const
  await addFinding(db, { kind: 'refunded-after-payout', subject: `payment_transfers ${named}`, ...closed })
  t.notOk((await list(100)).includes(named), 'each row is told once')
})
