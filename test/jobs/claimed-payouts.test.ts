import t from 'tap'
import type { PayoutPlan } from '../../src/money/payout-plan.ts'
import { readAll } from '../support/builders.ts'
import { tell } from '../support/payout-facts.ts'
import { addRow, path, payoutWorld, type PayoutWorld } from '../support/payout-world.ts'

const hourMs = 60 * 60_000
const later = { expert: 'ana', endsAt: new Date('2026-05-10T11:00:00Z') }

const planOf = async (world: PayoutWorld) =>
  tell((await world.deliver(`${path}?dryRun=true`)).json['plan'] as PayoutPlan)
/** By somebody who has read all that speaks against it today. */
const approve = async (world: PayoutWorld, id: string | undefined) => {
  const { shown } = (await world.operate('GET', `/operations/${id}`)).json['hold'] as { shown: string[] }
  return (await world.operate('POST', `/operations/${id}/approve`, { note: 'looked at it', shown })).statusCode
}

t.test('a held booking that the old code pays meanwhile is told, and not paid again whoever approves it', async t => {
  const world = await payoutWorld(t, { MONEY_MAX_SINGLE: '5000' })
  const account = await world.addExpert('ana')
  const booked = await world.addBooking(account, { expert: 'ana' })
  await world.addBooking(account, later)
  await world.pay()
  const [operation] = await readAll(world.db, 'jobs.money_operations')
  world.clock.advance(2 * hourMs)
  world.stripe.payOutAsOldCode({ account, amountCents: 8_500, paymentTransferId: booked.id })
  await world.pay()
  t.ok((await world.findings()).includes(`row-already-paid payment_transfers ${booked.id}`), 'before anybody approves')
  const unexplained = (await readAll(world.db, 'jobs.findings')).find(({ kind }) => kind === 'payout-unexplained')
  const resolved = await world.operate('POST', `/findings/${unexplained?.id}/resolve`, {
    note: 'the old job was on',
    letMoneyGo: true,
  })
  t.equal(resolved.statusCode, 200)
  t.equal(await approve(world, operation?.id), 200)
  world.clock.advance(24 * hourMs)
  await world.pay()
  t.same(world.outflow(), { [account]: 8_500 }, 'what the old code paid')
  t.match(await readAll(world.db, 'jobs.money_operations'), [{ state: 'canceled', reason: 'already_paid' }])
  t.ok((await planOf(world)).findings.includes(`row-already-paid payment_transfers ${booked.id}`), 'and still is told')
})

t.test('it makes no difference whether the old code paid out of the account that the expert has today', async t => {
  const world = await payoutWorld(t, { MONEY_MAX_SINGLE: '5000' })
  const [account, today] = [world.stripe.addAccount(), await world.addExpert('ana')]
  const booked = await world.addBooking(account, { expert: 'ana' })
  world.stripe.credit(today, 8_500)
  await world.pay()
  const [operation] = await readAll(world.db, 'jobs.money_operations')
  world.stripe.payOutAsOldCode({
    account: today,
    amountCents: 8_500,
    paymentTransferId: booked.id,
    at: new Date('2026-03-02T06:00:00Z'),
  })
  t.equal(await approve(world, operation?.id), 200)
  await world.pay()
  t.match(await readAll(world.db, 'jobs.money_operations'), [{ state: 'canceled', reason: 'already_paid' }])
  t.same(world.outflow(), { [today]: 8_500 })

  const hidden = await payoutWorld(t, { MONEY_MAX_SINGLE: '5000' })
  const [own, gone] = [hidden.stripe.addAccount(), await hidden.addExpert('ana')]
  await hidden.addBooking(own, { expert: 'ana' })
  await hidden.pay()
  hidden.stripe.setAccount(gone, { isDeauthorized: true })
  t.equal(await approve(hidden, (await readAll(hidden.db, 'jobs.money_operations'))[0]?.id), 200)
  await hidden.pay()
  t.same(hidden.outflow(), { [own]: 8_500 }, 'an account that we cannot see stops nobody')
})

t.test('a payout that came back has paid nobody', async t => {
  const world = await payoutWorld(t, { MONEY_MAX_SINGLE: '5000' })
  const account = await world.addExpert('ana')
  const booked = await world.addBooking(account, { expert: 'ana' })
  await world.addBooking(account, later)
  await world.pay()
  const [operation] = await readAll(world.db, 'jobs.money_operations')
  const stray = world.stripe.payOutAsOldCode({ account, amountCents: 8_500, paymentTransferId: booked.id })
  world.stripe.setPayout(stray, 'failed')
  world.stripe.replaceBank(account)
  t.equal(await approve(world, operation?.id), 200)
  await world.pay()
  t.match(await readAll(world.db, 'jobs.money_operations'), [{ state: 'created' }])
})

t.test('whoever names a booking in a payout of another account stops nobody', async t => {
  const world = await payoutWorld(t)
  const [account, other] = [await world.addExpert('ana'), await world.addExpert('mallory')]
  const booked = await world.addBooking(account, { expert: 'ana' })
  world.stripe.credit(other, 500)
  const forged = world.stripe.payOutAsOldCode({ account: other, amountCents: 500, paymentTransferId: booked.id })
  await world.pay()
  t.same(world.outflow(), { [account]: 8_500, [other]: 500 })
  t.same(await world.findings(), [`payout-unexplained ${forged}`])
})

t.test('a payout that carries the id of an operation which was never sent is not its receipt', async t => {
  const world = await payoutWorld(t, { MONEY_MAX_SINGLE: '5000' })
  const account = await world.addExpert('ana')
  const { id } = await world.addBooking(account, { expert: 'ana' })
  await world.pay()
  const [operation] = await readAll(world.db, 'jobs.money_operations')
  world.stripe.credit(account, 8_500)
  const metadata = { operation_id: operation?.id ?? '' }
  const forged = world.stripe.payOutAsOldCode({ account, amountCents: 8_500, metadata })
  t.equal(await approve(world, operation?.id), 200)
  await world.pay()
  t.match(await world.rows(), [{ id, status: 'COMPLETED', payout_id: null }], 'a person has to say what it paid')
  t.match(await readAll(world.db, 'jobs.money_operations'), [{ state: 'planned', sends: 0 }])
  t.ok((await world.findings()).includes(`payout-unexplained ${forged}`))
  world.clock.advance(24 * hourMs)
  await world.pay()
  t.same((await planOf(world)).waits, [`payment_transfers ${id} operation_open`], 'its account is frozen')
  await resolveAll(world)
  await world.pay()
  t.match(await readAll(world.db, 'jobs.money_operations'), [{ state: 'canceled', reason: 'claimed_elsewhere' }])
  await world.pay()
  t.match(await readAll(world.db, 'jobs.money_operations'), [{}, { state: 'held', reason: 'may_be_paid_already' }])
  t.same(world.outflow(), { [account]: 8_500 })
})

async function resolveAll(world: PayoutWorld): Promise<void> {
  for (const { id, kind } of await readAll(world.db, 'jobs.findings')) {
    if (kind !== 'payout-unexplained') continue
    await world.operate('POST', `/findings/${id}/resolve`, { note: 'it was for a pack', letMoneyGo: true })
  }
}

t.test('nor is it once the operation has waited for its cause to pass', async t => {
  const world = await payoutWorld(t, { MONEY_MAX_SINGLE: '5000' })
  const account = await world.addExpert('ana')
  await world.addBooking(account, { expert: 'ana' })
  await world.pay()
  const [operation] = await readAll(world.db, 'jobs.money_operations')
  t.equal(await approve(world, operation?.id), 200)
  world.stripe.setAccount(account, { payoutsEnabled: false })
  await world.pay()
  t.match(await readAll(world.db, 'jobs.money_operations'), [{ state: 'blocked', sends: 0 }])
  world.stripe.setAccount(account, { payoutsEnabled: true })
  world.stripe.credit(account, 8_500)
  world.stripe.payOutAsOldCode({ account, amountCents: 8_500, metadata: { operation_id: operation?.id ?? '' } })
  world.clock.advance(24 * hourMs)
  await world.pay()
  t.match(await readAll(world.db, 'jobs.money_operations'), [{ state: 'blocked', sends: 0 }], 'its account is frozen')
  await resolveAll(world)
  await world.pay()
  t.match(await readAll(world.db, 'jobs.money_operations'), [{ state: 'canceled', reason: 'claimed_elsewhere' }])
  t.match(await world.rows(), [{ status: 'COMPLETED', payout_id: null }])
})

t.test('a voucher that nobody has paid explains no money of others', async t => {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  const createdAt = new Date('2026-03-01T10:00:00Z')
  const voucher = { paymentIntentId: 'pi_voucher', transferId: null }
  await addRow(world.db, account, voucher, { createdAt, expert: 'ana', status: 'PENDING', isUnpaid: true })
  await world.addBooking(account, { expert: 'ana', status: 'PENDING', endsAt: new Date('2026-04-01T10:00:00Z') })
  await world.pay()
  t.same(await world.findings(), [], 'what was paid explains itself')
  world.stripe.credit(account, 8_500)
  await world.pay()
  t.same(await world.findings(), [`balance-unexplained ${account} eur`])
  const [finding] = await readAll(world.db, 'jobs.findings')
  t.match(finding?.details, { unexplainedCents: 8_500, rowCentsByStatus: { PENDING: 8_500, UNPAID: 8_500 } })
})
