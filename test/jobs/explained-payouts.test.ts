import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { PayoutPlan } from '../../src/money/payout-plan.ts'
import { readAll } from '../support/builders.ts'
import { path, payoutWorld, type PayoutWorld } from '../support/payout-world.ts'

const hourMs = 60 * 60_000
const dayMs = 24 * hourMs

const planOf = async (world: PayoutWorld) => (await world.deliver(`${path}?dryRun=true`)).json['plan'] as PayoutPlan
const findingOf = async ({ db }: PayoutWorld) =>
  (await readAll(db, 'jobs.findings')).find(({ kind }) => kind === 'payout-unexplained')
const nextDay = async (world: PayoutWorld) => {
  world.clock.advance(dayMs)
  return await world.pay()
}

/** One expert, one booking that is due, and a payout of its amount that somebody else has made since. */
async function strayWorld(t: Test) {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  const booked = await world.addBooking(account, { expert: 'ana' })
  const write = async (id: number, payoutId: string) =>
    await sql`update payment_transfers set status = 'PAID_OUT', payout_id = ${payoutId} where id = ${id}`.execute(
      world.db,
    )
  return { account, booked, world, write }
}

t.test('a row that our own payout has paid explains no other payout', async t => {
  const { account, booked, world, write } = await strayWorld(t)
  await world.pay()
  await world.addBooking(account, { expert: 'ana', endsAt: new Date('2026-03-09T15:00:00Z') })
  world.stripe.credit(account, 8_500)
  const stray = world.stripe.payOutAsOldCode({ account, amountCents: 8_500 })
  await nextDay(world)
  const { id } = (await findingOf(world)) ?? {}
  await world.operate('POST', `/findings/${id}/acknowledge`, { note: 'the bank was asked' })
  await write(booked.id, stray)
  world.clock.advance(dayMs)
  t.notMatch((await planOf(world)).effects, [{ kind: 'close-finding' }])
  await world.pay()
  t.match(await findingOf(world), {
    state: 'acknowledged',
    note: 'the bank was asked',
    message: /rows name it that it cannot have paid/,
    details: { paymentTransferIds: [booked.id], cannotBePaidByIt: { [booked.id]: /paid by another payout/ } },
  })
  t.same(world.outflow(), { [account]: 17_000 }, 'ours and the stray, and nothing more')

  const resolved = await world.operate('POST', `/findings/${id}/resolve`, { note: 'a mistake', letMoneyGo: true })
  t.equal(resolved.statusCode, 200)
  await nextDay(world)
  t.match((await readAll(world.db, 'jobs.money_operations')).at(-1), { state: 'held', reason: 'may_be_paid_already' })
  t.same(world.outflow(), { [account]: 17_000 }, 'nobody has said which rows it paid')
})

t.test('a row whose booking is younger than the payout explains nothing', async t => {
  const { account, world, write } = await strayWorld(t)
  const paidAt = new Date('2026-03-08T10:00:00Z')
  const younger = await world.addBooking(account, { expert: 'ana', paidAt, endsAt: new Date('2026-04-08T10:00:00Z') })
  const at = new Date('2026-03-06T06:00:00Z')
  const stray = world.stripe.payOutAsOldCode({ account, amountCents: 8_500, at })
  await world.pay()
  await write(younger.id, stray)
  await nextDay(world)
  t.match(await findingOf(world), {
    state: 'open',
    details: { cannotBePaidByIt: { [younger.id]: /younger/ } },
  })
  t.same(world.outflow(), { [account]: 8_500 })
})

t.test('a payout whose money came back keeps no finding open, and lets its account go', async t => {
  const { account, world } = await strayWorld(t)
  const stray = world.stripe.payOutAsOldCode({ account, amountCents: 8_500 })
  await world.pay()
  t.match(await findingOf(world), { state: 'open' })
  world.stripe.setPayout(stray, 'canceled')
  await nextDay(world)
  t.match(await findingOf(world), { state: 'resolved', note: /its money is back/ })
  t.match(await world.rows(), [{ status: 'PAID_OUT' }], 'the booking is paid, once')
  t.same(world.outflow(), { [account]: 8_500 })
})

t.test('what closes by rows keeps the note of whoever has looked at it', async t => {
  const { account, booked, world, write } = await strayWorld(t)
  const stray = world.stripe.payOutAsOldCode({ account, amountCents: 8_500 })
  await world.pay()
  const { id } = (await findingOf(world)) ?? {}
  await world.operate('POST', `/findings/${id}/acknowledge`, { note: 'the bank was asked' })
  await write(booked.id, stray)
  await nextDay(world)
  t.match(await findingOf(world), { state: 'resolved', note: /^the bank was asked; rows that name this payout/ })
})
