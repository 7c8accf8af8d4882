import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { readAll } from '../support/builders.ts'
import type { StripeStandIn } from '../../src/sandbox/stripe.ts'
import { addRow, payoutWorld } from '../support/payout-world.ts'
import { connectStripe } from '../support/stripe.ts'

const path = '/jobs/process-expert-transfers'
const at = new Date('2026-03-01T10:00:00Z')
const hourMs = 60 * 60_000

type PaidBooking = Parameters<StripeStandIn['pay']>[0]

/** A booking whose charge has no transfer, and money on the platform for one that is made in the dashboard. */
async function dueWorld(t: Test, env: Readonly<Record<string, string>> = {}, booking: Partial<PaidBooking> = {}) {
  const world = await payoutWorld(t, env, { jobs: [processExpertTransfers] })
  const account = await world.addExpert('ana')
  const ids = world.stripe.pay({ amountCents: 10_000, paidAt: at, availableAt: at, ...booking })
  world.stripe.pay({ amountCents: 50_000, paidAt: at, availableAt: at })
  const row = await addRow(world.db, account, ids, { createdAt: at, expert: 'ana', status: 'READY' })
  const transferByHand = async (amount = 8_500) =>
    await connectStripe(world.stripe).transfers.create({ amount, currency: 'eur', destination: account })
  const operations = async () => await readAll(world.db, 'jobs.money_operations')
  const run = async () => await world.deliver(path)
  const approve = async () => {
    const id = (await operations()).findLast(({ state }) => state === 'held')?.id
    return (await world.operate('POST', `/operations/${id}/approve`, { note: 'looked at it' })).statusCode
  }
  const sent = (): number => world.stripe.outflow().transfers[account]?.['eur'] ?? 0
  const correctAccount = async (to: string) => {
    await sql`update payment_transfers set expert_connect_account_id = ${to} where id = ${row}`.execute(world.db)
    await sql`update users set stripe_connect_account_id = ${to} where "clerkUserId" = 'ana'`.execute(world.db)
  }
  return { account, approve, correctAccount, ids, operations, row, run, sent, transferByHand, world }
}

t.test('a transfer by hand that may have been for a booking holds its transfer until somebody has looked', async t => {
  const { approve, operations, row, run, sent, transferByHand, world } = await dueWorld(t)
  const { id } = await transferByHand()
  await run()
  t.match(await operations(), [{ state: 'held', reason: 'may_be_transferred_already' }])
  const told = (await readAll(world.db, 'jobs.findings')).find(({ kind }) => kind === 'may-be-transferred-already')
  t.match(told, { subject: `payment_transfers ${row}`, details: { transferIds: [id] } })
  t.equal(sent(), 8_500, 'the one by hand')
  t.equal(await approve(), 200)
  await run()
  t.match(await operations(), [{ state: 'created' }], 'it was for something else')
  t.equal(sent(), 17_000)
})

t.test('one that is made after the approval puts it back', async t => {
  const { approve, operations, run, sent, transferByHand, world } = await dueWorld(t, { MONEY_MAX_SINGLE: '5000' })
  await run()
  t.match(await operations(), [{ state: 'held', reason: 'above_single_limit' }])
  t.equal(await approve(), 200)
  world.clock.advance(2 * hourMs)
  const { id } = await transferByHand()
  const { plan } = (await world.deliver(`${path}?dryRun=true`)).json as { plan: { effects: object[] } }
  const holds = [`may_be_transferred_already ${id}`]
  t.match(plan.effects, [{ kind: 'resume-transfer', hold: 'may_be_transferred_already', holds }])
  await run()
  t.match(await operations(), [{ state: 'held', reason: 'may_be_transferred_already' }])
  t.equal(sent(), 8_500)
})

t.test('a transfer that is less, came back, or is that of another row holds nothing', async t => {
  const { account, operations, run, transferByHand, world } = await dueWorld(t)
  await transferByHand(8_499)
  const back = await transferByHand()
  await connectStripe(world.stripe).transfers.createReversal(back.id)
  const other = await transferByHand()
  const ids = { paymentIntentId: 'pi_other', transferId: other.id }
  await addRow(world.db, account, ids, { createdAt: at, expert: 'ana', status: 'COMPLETED' })
  await sql`update payment_transfers set status = 'PAID_OUT' where payment_intent_id = 'pi_other'`.execute(world.db)
  await run()
  t.match(await operations(), [{ kind: 'transfer', state: 'created' }])
})

t.test(
  'one in the group of the payment holds its transfer, whatever account the row was corrected to since',
  async t => {
    const due = await dueWorld(t, {}, { transferGroup: 'booking 7' })
    const { account, approve, correctAccount, operations, run, sent, world } = due
    const sdk = connectStripe(world.stripe)
    const order = { currency: 'eur', destination: account, transfer_group: 'booking 7' }
    // Less than the row's amount: whoever did it may have counted otherwise.
    const { id } = await sdk.transfers.create({ ...order, amount: 8_400 })
    const back = await sdk.transfers.create({ ...order, amount: 8_500 })
    await sdk.transfers.createReversal(back.id)
    const other = world.stripe.addAccount()
    await correctAccount(other)
    await run()
    t.match(await operations(), [{ state: 'held', reason: 'may_be_transferred_already', account: other }])
    const told = (await readAll(world.db, 'jobs.findings')).find(({ kind }) => kind === 'may-be-transferred-already')
    t.match(told, { details: { transferIds: [id] } })
    t.equal(await approve(), 200)
    await run()
    t.match(await operations(), [{ state: 'created' }], 'it was for something else')
    t.equal(sent(), 8_400)
  },
)

t.test('one in the group of the payment that is made after the approval puts it back', async t => {
  const due = await dueWorld(t, { MONEY_MAX_SINGLE: '5000' }, { transferGroup: 'booking 7' })
  const { account, approve, correctAccount, operations, run, world } = due
  await correctAccount(world.stripe.addAccount())
  await run()
  t.equal(await approve(), 200)
  world.clock.advance(2 * hourMs)
  const order = { amount: 8_500, currency: 'eur', destination: account, transfer_group: 'booking 7' }
  await connectStripe(world.stripe).transfers.create(order)
  await run()
  t.match(await operations(), [{ state: 'held', reason: 'may_be_transferred_already' }])
})

t.test("a transfer out of the payment to the row's former account is never made a second time", async t => {
  const { account, correctAccount, ids, operations, row, run, world } = await dueWorld(t, {}, { amountCents: 20_000 })
  const { chargeId } = ids
  world.stripe.transferAsOldCode({ destination: account, amountCents: 8_500, chargeId, paymentTransferId: row, at })
  await correctAccount(world.stripe.addAccount())
  await run()
  t.same(await operations(), [])
  const told = (await readAll(world.db, 'jobs.findings')).find(({ kind }) => kind === 'transfer-mismatch')
  t.match(told, {
    subject: `payment_transfers ${row}`,
    details: { mismatches: [{ kind: 'destination', actual: account }] },
  })
  t.match(world.stripe.outflow().transfers, { [account]: { eur: 8_500 } })
})
