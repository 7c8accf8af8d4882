import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { listFailedRows } from '../../src/database/failed-rows.ts'
import { failedRowsPerRun, processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'
import { addFinding } from '../support/builders.ts'
import { addBooking } from '../support/bookings.ts'
import { testDatabase } from '../support/database.ts'
import { payoutWorld, type PayoutWorld } from '../support/payout-world.ts'

async function openWorld(t: Test) {
  const world = await payoutWorld(t, {}, { jobs: [processExpertTransfers, processPendingPayouts] })
  const account = await world.addExpert('ana')
  const readRows = async () => (await sql`select * from payment_transfers order by id`.execute(world.db)).rows
  return { ...world, account, readRows }
}

const run = async ({ deliver }: PayoutWorld) => (await deliver('/jobs/process-expert-transfers')).json
const set = async ({ db }: PayoutWorld, id: number, status: string) => {
  await sql`update payment_transfers set status = ${sql.lit(status)}, transfer_id = null where id = ${id}`.execute(db)
}

t.test('a FAILED row whose payment went through is told until somebody sets it, and no job touches it', async t => {
  const world = await openWorld(t)
  const { id, paymentIntentId } = await world.addBooking(world.account, { expert: 'ana' })
  await set(world, id, 'FAILED')
  const before = await world.readRows()
  for (let count = 0; count < 4; count += 1) {
    t.match(await run(world), { outcome: 'succeeded', report: { planned: 0 } })
    t.same(await world.findings(), [`failed-row-paid payment_transfers ${id}`])
    world.clock.advance(2 * 3_600_000)
  }
  t.same(await world.readRows(), before)
  const { rows } = await sql`select state, details ->> 'setStatusTo' as "to" from jobs.findings`.execute(world.db)
  t.same(rows, [{ state: 'open', to: 'READY' }], 'it is one finding, and does not close while it is true')

  await set(world, id, 'READY')
  const calls = () => world.stripe.calls().filter(({ path }) => path.endsWith(paymentIntentId)).length
  const asked = calls()
  t.match(await run(world), { outcome: 'succeeded', report: { applied: 1 } })
  t.ok(calls() > asked, 'it takes its usual way')
})

t.test('a bounded number of FAILED rows is asked about, others at another time', async t => {
  const { db } = await testDatabase(t)
  const ids: number[] = []
  for (let count = 0; count < 4; count += 1) {
    ids.push(await addBooking(db, { status: 'FAILED', retryCount: count === 0 ? null : count - 1 }))
  }
  await addBooking(db, { status: 'FAILED', retryCount: 3 })
  await addBooking(db, { status: 'FAILED', transferId: 'tr_1' })
  await addBooking(db, { status: 'FAILED', payoutId: 'po_1' })
  await addBooking(db, { status: 'READY' })
  const list = async (limit: number, turn: string) =>
    (await listFailedRows(db, { triedLessThan: 3, limit, turn })).map(row => row.paymentTransferId)
  t.same(
    (await list(failedRowsPerRun, '')).toSorted((a, b) => a - b),
    ids,
  )
  const turns = ['2026-03-10T06', '2026-03-10T08', '2026-03-10T10', '2026-03-10T12', '2026-03-10T14', '2026-03-10T16']
  const first = await Promise.all(turns.map(async turn => await list(1, turn)))
  t.ok(new Set(first.flat()).size > 1, 'the first is not always the same')
  await addFinding(db, { kind: 'failed-row-paid', subject: `payment_transfers ${ids[2]}` })
  const told = await Promise.all(turns.map(async turn => await list(1, turn)))
  t.same(new Set(told.flat()), new Set([ids[2]]), 'what a person was told of is looked at each time')
  t.ok(failedRowsPerRun <= 200)
})
