import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { listDisputedRows } from '../../src/database/disputed-rows.ts'
import { processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'
import { disputedRowsPerRun } from '../../src/facts/ask-disputes.ts'
import { addFinding, readAll } from '../support/builders.ts'
import { addBooking } from '../support/bookings.ts'
import { testDatabase } from '../support/database.ts'
import { addOperation } from '../support/operations.ts'
import { payoutWorld } from '../support/payout-world.ts'

/** The site's state after a chargeback: Stripe's dispute is open, the rows say DISPUTED. */
async function openWorld(t: Test) {
  const world = await payoutWorld(t, {}, { jobs: [processExpertTransfers, processPendingPayouts] })
  const account = await world.addExpert('ana')
  const dispute = async (columns: { transfer: boolean; payoutId?: string }) => {
    const { payoutId } = columns
    const paidOut = payoutId === undefined ? {} : { payoutId }
    const booked = await world.addBooking(account, { expert: 'ana', status: 'DISPUTED', ...paidOut })
    if (!columns.transfer) {
      await sql`update payment_transfers set transfer_id = null where id = ${booked.id}`.execute(world.db)
    }
    return { ...booked, disputeId: world.stripe.dispute(booked.chargeId) }
  }
  const runBoth = async () => [
    await world.deliver('/jobs/process-expert-transfers'),
    await world.deliver('/jobs/process-pending-payouts'),
  ]
  const readRows = async () => (await sql`select * from payment_transfers order by id`.execute(world.db)).rows
  // A payout that only a row knows of leaves money on the account, which is another finding.
  const findings = async () => (await world.findings()).filter(finding => finding.startsWith('dispute')).toSorted()
  return { ...world, account, dispute, findings, runBoth, readRows }
}

t.test('a dispute that is over is told once, with the state to go back to, and no job touches the row', async t => {
  const world = await openWorld(t)
  const { stripe } = world
  const pending = await world.dispute({ transfer: false })
  const completed = await world.dispute({ transfer: true })
  const paidOut = await world.dispute({ transfer: true, payoutId: 'po_old' })
  const lost = await world.dispute({ transfer: true })
  const before = await world.readRows()
  for (const reply of await world.runBoth()) t.match(reply.json, { outcome: 'succeeded' })
  t.same(await world.findings(), [], 'while they are open nobody has to do anything')

  for (const { disputeId } of [pending, completed, paidOut]) stripe.closeDispute(disputeId, 'won')
  stripe.closeDispute(lost.disputeId, 'lost')
  const callsOf = (): number => stripe.calls().filter(call => call.path.startsWith('/v1/payment_intents/')).length
  const asked = callsOf()
  for (const reply of await world.runBoth()) t.match(reply.json, { outcome: 'succeeded' })
  t.equal(callsOf() - asked, 4, "each row is one job's")
  t.same(await world.findings(), [
    `dispute-lost payment_transfers ${lost.id}`,
    `dispute-won payment_transfers ${pending.id}`,
    `dispute-won payment_transfers ${completed.id}`,
    `dispute-won payment_transfers ${paidOut.id}`,
  ])
  const { rows: told } = await sql`select details ->> 'setStatusTo' as status from jobs.findings
    where kind = 'dispute-won' order by subject`.execute(world.db)
  t.same(told, [{ status: 'PENDING' }, { status: 'COMPLETED' }, { status: 'PAID_OUT' }])
  t.same(await world.readRows(), before)
  t.same(world.outflow(), {}, 'and nothing is paid')

  await world.runBoth()
  t.equal(callsOf() - asked, 4, 'what a person has been told of is not asked about again')
  await sql`update payment_transfers set status = 'COMPLETED' where id = ${completed.id}`.execute(world.db)
  await world.runBoth()
  t.same(world.outflow(), { [world.account]: 8_500 }, 'a row that was set back takes its usual way')
})

t.test('what was told of a dispute stays one open finding, however often the jobs run', async t => {
  const world = await openWorld(t)
  const won = await world.dispute({ transfer: false })
  const lost = await world.dispute({ transfer: false })
  world.stripe.closeDispute(won.disputeId, 'won')
  world.stripe.closeDispute(lost.disputeId, 'lost')
  for (let round = 0; round < 4; round += 1) {
    for (const reply of await world.runBoth()) t.match(reply.json, { outcome: 'succeeded', report: { left: 0 } })
    world.clock.advance(24 * 60 * 60_000)
  }
  const { rows } = await sql`
    select kind, subject, state from jobs.findings where kind like 'dispute%' order by kind`.execute(world.db)
  t.same(rows, [
    { kind: 'dispute-lost', subject: `payment_transfers ${lost.id}`, state: 'open' },
    { kind: 'dispute-won', subject: `payment_transfers ${won.id}`, state: 'open' },
  ])
})

t.test('a row whose dispute was lost is never paid, even where it says COMPLETED', async t => {
  const world = await openWorld(t)
  const { disputeId, id } = await world.dispute({ transfer: true })
  await sql`update payment_transfers set status = 'COMPLETED' where id = ${id}`.execute(world.db)
  await world.runBoth()
  t.same([await world.findings(), world.outflow()], [[], {}])
  world.stripe.closeDispute(disputeId, 'lost')
  await world.runBoth()
  t.same([await world.findings(), world.outflow()], [[`dispute-lost payment_transfers ${id}`], {}])
})

t.test('a bounded number of rows is asked about, others at another time, and no row that has its finding', async t => {
  const { db } = await testDatabase(t)
  const ids: number[] = []
  for (let count = 0; count < 6; count += 1) {
    ids.push(await addBooking(db, { status: 'DISPUTED', transferId: count % 2 === 0 ? null : `tr_${count}` }))
  }
  await addBooking(db, { status: 'COMPLETED', transferId: 'tr_well' })
  const list = async (released: boolean, limit: number, turn: string) =>
    (await listDisputedRows(db, { released, limit, turn })).map(row => row.paymentTransferId)
  t.same(
    (await list(false, disputedRowsPerRun, '')).toSorted((a, b) => a - b),
    [ids[0], ids[2], ids[4]],
  )
  const turns = ['2026-03-10T06', '2026-03-10T08', '2026-03-10T10', '2026-03-10T12', '2026-03-10T14', '2026-03-10T16']
  const first = await Promise.all(turns.map(async turn => await list(false, 1, turn)))
  t.ok(new Set(first.flat()).size > 1, 'the first is not always the same')
  t.ok(first.every(rows => rows.length === 1))

  const subjectOf = (at: number): string => `payment_transfers ${ids[at]}`
  await addFinding(db, { kind: 'dispute-won', subject: subjectOf(1) })
  await addFinding(db, { kind: 'dispute-lost', subject: subjectOf(3), state: 'acknowledged' })
  const closed = { state: 'resolved', closed_at: new Date(0), closed_by: 'ana' } as const
  await addFinding(db, { kind: 'dispute-won', subject: subjectOf(5), ...closed })
  t.same(await list(true, 10, ''), [ids[5]], 'a finding that was resolved did not help: the row still says DISPUTED')
  t.ok(disputedRowsPerRun <= 200)
})

t.test('where the payout came back meanwhile, a dispute that was won leaves money that nobody has paid', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  const disputed = await world.addBooking(account, { expert: 'ana' })
  const other = await world.addBooking(account, { expert: 'ana' })
  await world.pay()
  const payoutId = (await world.rows())[0]?.payout_id ?? ''
  const dispute = world.stripe.dispute(disputed.chargeId)
  await sql`update payment_transfers set status = 'DISPUTED' where id = ${disputed.id}`.execute(world.db)
  world.stripe.setPayout(payoutId, 'failed')
  const nextDay = async () => {
    world.clock.advance(24 * 60 * 60_000)
    await world.pay()
  }
  await nextDay()
  const findingOf = async (wanted: string) =>
    (await readAll(world.db, 'jobs.findings')).findLast(({ kind }) => kind === wanted)
  t.match(await findingOf('payout-failed'), {
    message: new RegExp(`payment_transfers ${disputed.id} changed meanwhile.*clear payout_id`),
    details: { rowsReopened: [other.id], rowsKept: [disputed.id] },
  })
  world.stripe.replaceBank(account)
  world.stripe.closeDispute(dispute, 'won')
  await nextDay()
  t.match(await findingOf('dispute-won'), {
    message: /set the row to COMPLETED and clear payout_id, because that payout came back/,
    details: { setStatusTo: 'COMPLETED', clearPayoutId: true },
  })
  await sql`update payment_transfers set status = 'COMPLETED', payout_id = null where id = ${disputed.id}`.execute(
    world.db,
  )
  await nextDay()
  t.match(await world.rows(), [{ status: 'PAID_OUT' }, { status: 'PAID_OUT' }])
  t.same(world.outflow(), { [account]: 17_000 })
})

t.test('a payout that comes back after the dispute was told as won has it told anew', async t => {
  const { db } = await testDatabase(t)
  const row = await addBooking(db, { status: 'DISPUTED', payoutId: 'po_1', transferId: 'tr_1' })
  const subject = `payment_transfers ${row}`
  await addFinding(db, { kind: 'dispute-won', subject, details: JSON.stringify({ setStatusTo: 'PAID_OUT' }) })
  const query = { released: true, limit: 10, turn: '1' }
  t.same(await listDisputedRows(db, query), [])
  await addOperation(db, { state: 'failed', stripe_id: 'po_1', rows: { [row]: 8_500 } })
  t.match(await listDisputedRows(db, query), [{ paymentTransferId: row, payoutReturned: true }])
  await sql`update jobs.findings set details = '{"setStatusTo":"COMPLETED"}'`.execute(db)
  t.same(await listDisputedRows(db, query), [])
})
