import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { reopenDeclined, resolveDeclined } from '../../src/database/findings.ts'
import { deleteOldRecords } from '../../src/database/retention.ts'
import { processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { listTransferCandidates } from '../../src/database/payment-transfers.ts'
import { listOpenTransfers } from '../../src/database/open-transfers.ts'
import { declineOperation } from '../../src/database/money-approvals.ts'
import type { PayoutPlan } from '../../src/money/payout-plan.ts'
import { addBooking } from '../support/bookings.ts'
import { readAll } from '../support/builders.ts'
import { testDatabase } from '../support/database.ts'
import { addOperation } from '../support/operations.ts'
import { addRow, path, payoutWorld, type PayoutWorld } from '../support/payout-world.ts'

const hourMs = 60 * 60_000
const now = new Date('2026-03-10T12:00:30.000Z')

const planOf = async (world: PayoutWorld) => (await world.deliver(`${path}?dryRun=true`)).json['plan'] as PayoutPlan
const statesOf = async ({ db }: PayoutWorld) =>
  (await readAll(db, 'jobs.money_operations')).map(({ reason, state }) => `${state} ${reason}`)
const findingOf = async ({ db }: PayoutWorld, kind: string) =>
  (await readAll(db, 'jobs.findings')).findLast(finding => finding.kind === kind)

/** Of each finding of a payout that nobody explains: one that was closed and raised again would be two. */
const statesOfFrozen = async ({ db }: PayoutWorld) =>
  (await readAll(db, 'jobs.findings')).filter(({ kind }) => kind === 'payout-unexplained').map(({ state }) => state)

/** One booking of 85.00, whose payout is held because it is too large. */
async function heldWorld(t: Test) {
  const world = await payoutWorld(t, { MONEY_MAX_SINGLE: '5000' })
  const account = await world.addExpert('ana')
  const booked = await world.addBooking(account, { expert: 'ana' })
  await world.pay()
  const [held] = await readAll(world.db, 'jobs.money_operations')
  const decline = async () => await world.operate('POST', `/operations/${held?.id}/decline`, { note: 'not this one' })
  return { world, account, booked, id: String(held?.id), decline }
}

t.test('what was declined is not planned again without a person, and then paid once at most', async t => {
  const { account, booked, decline, id, world } = await heldWorld(t)
  t.match(await decline(), { statusCode: 200, json: { state: 'canceled', reason: 'declined', hold: null } })
  t.match(await decline(), {
    statusCode: 409,
    json: {
      message: `operation ${id} is canceled: only one that is held, or approved and not sent, or blocked can be declined`,
    },
  })
  const approved = await world.operate('POST', `/operations/${id}/approve`)
  t.match(approved, { statusCode: 409, json: { message: /is canceled/ } })
  const audit = await readAll(world.db, 'jobs.audit_entries')
  t.match(
    audit.filter(({ action }) => action === 'operation.decline'),
    [
      {
        actor: 'operator',
        subject: id,
        details: { heldFor: 'above_single_limit', note: 'not this one', amountCents: 8_500 },
      },
    ],
  )
  t.match(await findingOf(world, 'operation-held'), { state: 'resolved', closed_by: 'operator', note: /^declined: / })

  for (const days of [1, 3, 30]) {
    world.clock.advance(days * 24 * hourMs)
    t.equal((await world.pay()).statusCode, 200)
  }
  t.same(await statesOf(world), ['canceled declined'], 'nobody planned it')
  t.same(world.outflow(), {})
  const { effects, findings, waits } = await planOf(world)
  t.same(effects, [])
  t.match(waits, [{ subject: `payment_transfers ${booked.id}`, reason: 'declined', operationId: id }])
  t.match(findings, [{ kind: 'hold-age' }], 'and it is told once more when it has waited for long')

  const finding = await findingOf(world, 'operation-declined')
  t.match(finding, {
    state: 'open',
    subject: id,
    details: { paymentTransferIds: [booked.id], declinedBy: 'operator', account },
  })
  const resolve = `/findings/${finding?.id}/resolve`
  t.match(await world.operate('POST', resolve, { note: 'x' }), {
    statusCode: 409,
    json: { message: /plans the rows of that operation again/ },
  })
  await world.pay()
  t.same(await statesOf(world), ['canceled declined'])
  t.equal((await world.operate('POST', resolve, { note: 'it was right', letMoneyGo: true })).statusCode, 200)
  await world.pay()
  t.same(await statesOf(world), ['canceled declined', 'held above_single_limit'], 'it has to be approved like before')
  const again = (await readAll(world.db, 'jobs.money_operations')).at(-1)
  t.equal((await world.operate('POST', `/operations/${again?.id}/approve`)).statusCode, 200)
  await world.pay()
  await world.pay()
  t.same(world.outflow(), { [account]: 8_500 })
})

t.test('of those who approve and those who decline at once, one wins', async t => {
  const { account, decline, id, world } = await heldWorld(t)
  const approve = async () => await world.operate('POST', `/operations/${id}/approve`)
  const replies = await Promise.all([approve(), decline(), approve(), decline()])
  t.same(replies.map(({ statusCode }) => String(statusCode)).toSorted(), ['200', '409', '409', '409'])
  const [operation] = await readAll(world.db, 'jobs.money_operations')
  await world.pay()
  t.same(world.outflow(), operation?.state === 'planned' ? { [account]: 8_500 } : {})
})

t.test('the finding of what was declined closes once its rows are settled, and not for a dispute', async t => {
  const { booked, decline, world } = await heldWorld(t)
  await decline()
  const set = async (change: ReturnType<typeof sql>) =>
    await sql`update payment_transfers set ${change} where id = ${booked.id}`.execute(world.db)
  const settled = async () => await resolveDeclined(world.db, now)
  t.same(await settled(), [], 'it waits')
  await set(sql`status = 'DISPUTED'`)
  t.same(await settled(), [], 'a dispute may be won')
  await set(sql`status = 'COMPLETED', amount = 8000`)
  t.same(await settled(), [], 'another amount')
  await world.pay()
  t.match((await planOf(world)).waits, [{ reason: 'declined' }], 'is no other decision')
  await set(sql`id = 4711`)
  t.same(await settled(), [], 'the row was deleted and written again')
  t.match((await planOf(world)).waits, [{ reason: 'declined', subject: 'payment_transfers 4711' }])
  await sql`update payment_transfers set status = 'PAID_OUT', payout_id = 'bank-1'`.execute(world.db)
  t.equal((await settled()).length, 1)
  t.match(await findingOf(world, 'operation-declined'), { state: 'resolved', closed_by: 'eleva-jobs/settled' })
})

t.test(
  'a decline ends only by a person: a row that waits again after a wrong note is told of again, and not paid',
  async t => {
    const { account, booked, decline, id, world } = await heldWorld(t)
    await decline()
    const set = async (change: ReturnType<typeof sql>) =>
      await sql`update payment_transfers set ${change} where id = ${booked.id}`.execute(world.db)
    await set(sql`status = 'PAID_OUT', payout_id = 'po_wrong'`)
    t.same(await resolveDeclined(world.db, now), [id])
    await set(sql`status = 'COMPLETED', payout_id = null`)
    world.clock.advance(25 * hourMs)
    await world.pay()
    t.same(await statesOf(world), ['canceled declined'])
    t.same(world.outflow(), {})
    t.match((await planOf(world)).waits, [{ reason: 'declined', operationId: id }])

    t.same(await reopenDeclined(world.db), [id])
    t.same(await reopenDeclined(world.db), [], 'once')
    const again = await findingOf(world, 'operation-declined')
    t.match(again, { state: 'open', closed_at: null, closed_by: null, note: /waits for its money again/ })
    t.same(await resolveDeclined(world.db, now), [], 'and stays open as long as it does')
    const said = { note: 'it was right', letMoneyGo: true }
    t.equal((await world.operate('POST', `/findings/${again?.id}/resolve`, said)).statusCode, 200)
    t.same(await reopenDeclined(world.db), [], 'what a person has ended stays so')
    await world.pay()
    t.same(await statesOf(world), ['canceled declined', 'held above_single_limit'])
    t.same(world.outflow(), {}, `nothing has left ${account}`)
  },
)

t.test('a decline is kept as long as its audit, also when it closed by itself', async t => {
  const { booked, decline, id, world } = await heldWorld(t)
  await decline()
  await sql`update payment_transfers set status = 'FAILED' where id = ${booked.id}`.execute(world.db)
  t.same(await resolveDeclined(world.db, now), [id])
  const before = new Date('2030-01-01T00:00:00Z')
  await deleteOldRecords(world.db, { subject: 'jobs.findings', before, moneyJobs: [] }, 100)
  t.match(await findingOf(world, 'operation-declined'), { state: 'resolved' })
})

t.test(
  'a transfer that was declined is not sent when its row FAILED and is set to READY, as its finding says',
  async t => {
    const world = await payoutWorld(t, { MONEY_MAX_SINGLE: '5000' }, { jobs: [processExpertTransfers] })
    const run = async () => await world.deliver('/jobs/process-expert-transfers')
    const account = await world.addExpert('ana')
    const at = new Date('2026-03-01T10:00:00Z')
    const ids = world.stripe.pay({ amountCents: 10_000, paidAt: at, availableAt: at })
    const row = await addRow(world.db, account, ids, { createdAt: at, expert: 'ana', status: 'READY' })
    const set = async (status: string) =>
      await sql`update payment_transfers set status = ${status}::payment_transfer_status_enum where id = ${row}`.execute(
        world.db,
      )
    await run()
    const [held] = await readAll(world.db, 'jobs.money_operations')
    t.match(held, { kind: 'transfer', state: 'held' })
    t.equal((await world.operate('POST', `/operations/${held?.id}/decline`, { note: 'no' })).statusCode, 200)
    await set('FAILED')
    t.equal((await resolveDeclined(world.db, now)).length, 1)
    world.clock.advance(25 * hourMs)
    await run()
    t.match(await findingOf(world, 'failed-row-paid'), {
      message: /set the row to READY.*an operator has declined its transfer/,
      details: { setStatusTo: 'READY', declined: held?.id },
    })
    await set('READY')
    await run()
    t.same(await statesOf(world), ['canceled declined'])
    t.same(world.stripe.outflow().transfers, {})
  },
)

t.test('a transfer that was declined is known by its row, until the finding is resolved', async t => {
  const { db } = await testDatabase(t)
  const row = await addBooking(db, { status: 'PENDING', expert: 'user_ana' })
  const id = await addOperation(db, { kind: 'transfer', account: 'acct_1', rows: { [row]: 8_500 } })
  const declined = async () => (await listTransferCandidates(db, { by: now })).rows.map(each => each.declined)
  t.same(await declined(), [undefined])
  t.equal(await declineOperation(db, { id, operator: 'ana', note: 'x', now }), 'declined')
  t.same(await declined(), [id])
  await sql`update jobs.findings set state = 'acknowledged' where kind = 'operation-declined'`.execute(db)
  t.same(await declined(), [id])
  await sql`update jobs.findings set state = 'resolved', closed_at = now(), closed_by = 'ana'`.execute(db)
  t.same(await declined(), [undefined])
})

t.test('an approved transfer knows its row, whether that has changed, and whose money it is', async t => {
  const { db } = await testDatabase(t)
  const row = await addBooking(db, { status: 'PENDING', expert: 'user_ana' })
  await addOperation(db, { kind: 'transfer', state: 'planned', account: 'acct_1', rows: { [row]: 8_500 } })
  const whole = { paymentTransferIds: [row], experts: ['user_ana'], firstSentAt: null }
  t.match(await listOpenTransfers(db), [{ ...whole, changedRows: [] }])
  await sql`update payment_transfers set amount = 1`.execute(db)
  t.match(await listOpenTransfers(db), [{ ...whole, changedRows: [row] }])
})

t.test('a payout that nobody explained closes its finding once rows add up to it, and never before', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  const rows = [await world.addBooking(account, { expert: 'ana' }), await world.addBooking(account, { expert: 'ana' })]
  const stray = world.stripe.payOutAsOldCode({ account, amountCents: 17_000, at: new Date('2026-03-10T06:00:00Z') })
  await world.pay()
  const write = async (id: number | undefined) =>
    await sql`update payment_transfers set status = 'PAID_OUT', payout_id = ${stray} where id = ${id}`.execute(world.db)
  await write(rows[0]?.id)
  await world.pay()
  t.same(await statesOfFrozen(world), ['open'], 'half of its cents are no explanation')
  await write(rows[1]?.id)
  t.match((await planOf(world)).effects, [{ kind: 'close-finding', subject: stray, destination: account }])
  t.match(await findingOf(world, 'payout-unexplained'), { state: 'open' }, 'a dry run writes nothing')
  await world.pay()
  const by = 'eleva-jobs/process-pending-payouts'
  t.match(await findingOf(world, 'payout-unexplained'), { state: 'resolved', closed_by: by, note: /add up to it/ })
  t.match((await readAll(world.db, 'jobs.audit_entries')).at(-1), {
    actor: by,
    action: 'finding.resolve',
    subject: stray,
  })

  await sql`update payment_transfers set status = 'COMPLETED', payout_id = null where id = ${rows[1]?.id}`.execute(
    world.db,
  )
  await world.pay()
  t.match(await findingOf(world, 'payout-unexplained'), { state: 'open', occurrences: 1 }, 'nobody has answered for it')
  t.same(world.outflow(), { [account]: 17_000 }, 'and its account is frozen again')
})

t.test('old code that names a row in its payout still runs: rows alone do not close that finding', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  const { id } = await world.addBooking(account, { expert: 'ana' })
  const stray = world.stripe.payOutAsOldCode({
    account,
    amountCents: 8_500,
    paymentTransferId: id,
    at: new Date('2026-03-10T06:00:00Z'),
  })
  await world.pay()
  await sql`update payment_transfers set status = 'PAID_OUT', payout_id = ${stray} where id = ${id}`.execute(world.db)
  await world.pay()
  t.same(await statesOfFrozen(world), ['open'])
})

t.test('a run that only sent what another had begun, and got no answer, is found by that', async t => {
  const { id, world } = await heldWorld(t)
  await world.operate('POST', `/operations/${id}/approve`)
  world.stripe.inject({ kind: 'drop', executed: true, method: 'POST', path: '/v1/payouts', times: 9 })
  await world.pay()
  const runs = await readAll(world.db, 'jobs.runs')
  const last = runs.at(-1)
  t.match(await world.operate('GET', `/runs/${last?.id}`), { json: { operations: [{ id, state: 'unknown' }] } })
  t.not((await readAll(world.db, 'jobs.money_operations'))[0]?.run_id, last?.id)
})
