import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { readAll } from '../support/builders.ts'
import { addRow, payoutWorld } from '../support/payout-world.ts'
import { connectStripe } from '../support/stripe.ts'

const path = '/jobs/process-expert-transfers'
const at = new Date('2026-03-01T10:00:00Z')
const hourMs = 60 * 60_000

/** A booking whose charge has no transfer, and money on the platform for one that is made in the dashboard. */
async function dueWorld(t: Test, env: Readonly<Record<string, string>> = {}) {
  const world = await payoutWorld(t, env, { jobs: [processExpertTransfers] })
  const account = await world.addExpert('ana')
  const ids = world.stripe.pay({ amountCents: 10_000, paidAt: at, availableAt: at })
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
  return { account, approve, operations, row, run, sent, transferByHand, world }
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
  await transferByHand()
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
