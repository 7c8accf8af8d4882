import t from 'tap'
import { readAll } from '../support/builders.ts'
import { payoutWorld, type PayoutWorld } from '../support/payout-world.ts'

const hourMs = 60 * 60_000
const dayMs = 24 * hourMs

/** One booking of 85.00 that is due, of an expert with an account. */
async function dueBooking(t: Parameters<typeof payoutWorld>[0]) {
  const world = await payoutWorld(t)
  const account = await world.addExpert('ana')
  await world.addBooking(account, { expert: 'ana' })
  return { world, account }
}

/** Its payout is made, and the answer never comes; gives the payout's id. */
async function payUnheard(world: PayoutWorld): Promise<string> {
  world.stripe.inject({ kind: 'drop', executed: true, method: 'POST', times: 1_000 })
  await world.pay()
  world.stripe.clearFaults()
  return world.stripe.payouts()[0]?.id ?? ''
}

async function nextDay(world: PayoutWorld) {
  world.clock.advance(dayMs)
  return await world.pay()
}

const statesOf = async ({ db }: PayoutWorld) => (await readAll(db, 'jobs.money_operations')).map(({ state }) => state)
const noticesOf = async ({ db }: PayoutWorld) => (await readAll(db, 'jobs.outbox')).map(({ kind }) => kind)

t.test('a payout that failed is not forgotten while its money is away, and is paid again once it is back', async t => {
  const { account, world } = await dueBooking(t)
  await world.pay()
  const [payout] = world.stripe.payouts()
  const id = payout?.id ?? ''
  world.stripe.setPayout(id, 'failed', { code: 'account_closed', isMoneyBack: false })
  await nextDay(world)
  t.match(await world.rows(), [{ status: 'PAID_OUT', payout_id: id }], 'its money is not there to pay it')
  t.same(await world.findings(), [])
  for (let day = 0; day < 4; day += 1) await nextDay(world)
  const [finding] = await readAll(world.db, 'jobs.findings')
  t.match(finding, {
    kind: 'payout-money-missing',
    details: { payoutId: id, status: 'failed', amountCents: 8_500, account },
  })

  world.stripe.returnPayout(id)
  await nextDay(world)
  t.same(await statesOf(world), ['failed'])
  t.match(await world.rows(), [{ status: 'COMPLETED', payout_id: null }])
  world.stripe.replaceBank(account)
  await nextDay(world)
  t.same(await statesOf(world), ['failed', 'created'])
  t.same(world.outflow(), { [account]: 8_500 })
})

t.test('one that arrived and failed afterwards is watched for as long as its money is away', async t => {
  const { world } = await dueBooking(t)
  await world.pay()
  const [payout] = world.stripe.payouts()
  const id = payout?.id ?? ''
  world.stripe.setPayout(id, 'paid')
  await nextDay(world)
  world.stripe.setPayout(id, 'failed', { code: 'account_closed', isMoneyBack: false })
  for (let day = 0; day < 15; day += 1) await nextDay(world)
  t.same(await statesOf(world), ['paid'])
  t.match(await world.findings(), [/^payout-money-missing /])
  world.stripe.returnPayout(id)
  await nextDay(world)
  t.same(await statesOf(world), ['failed'])
  t.match(await world.rows(), [{ status: 'COMPLETED', payout_id: null }])
})

t.test('a payout that had failed before it was found is settled at once, and is told to nobody as paid', async t => {
  const { account, world } = await dueBooking(t)
  const id = await payUnheard(world)
  world.stripe.setPayout(id, 'failed', { code: 'account_closed' })
  const found = await nextDay(world)
  t.match(found, { statusCode: 200, json: { report: { counts: { failed: 1, rows_reopened: 1 } } } })
  t.notMatch(found.json['report'], { sums: { eur: 8_500 } }, 'nothing moved in the end')
  t.same(await statesOf(world), ['failed'])
  t.match(await world.rows(), [{ status: 'COMPLETED', payout_id: null }])
  t.same(await noticesOf(world), ['payout-failed'])
  t.match(await readAll(world.db, 'jobs.findings'), [{ kind: 'payout-failed', occurrences: 1 }])
  world.stripe.replaceBank(account)
  await nextDay(world)
  t.same(world.outflow(), { [account]: 8_500 })
})

t.test(
  'one that failed without its money before it was found keeps its rows, and nobody is told anything yet',
  async t => {
    const { world } = await dueBooking(t)
    const id = await payUnheard(world)
    world.stripe.setPayout(id, 'failed', { code: 'account_closed', isMoneyBack: false })
    await nextDay(world)
    t.same(await statesOf(world), ['created'])
    t.match(await world.rows(), [{ status: 'PAID_OUT', payout_id: id }])
    t.same(await noticesOf(world), [])
    world.stripe.returnPayout(id)
    await nextDay(world)
    t.same(await statesOf(world), ['failed'])
    t.same(await noticesOf(world), ['payout-failed'])
  },
)

t.test('a payout that had arrived before it was found ends as paid', async t => {
  const { world } = await dueBooking(t)
  const id = await payUnheard(world)
  world.stripe.setPayout(id, 'paid')
  await nextDay(world)
  t.match(await world.rows(), [{ status: 'PAID_OUT', payout_id: id }])
  await nextDay(world)
  t.same(await statesOf(world), ['paid'])
  t.same(await noticesOf(world), ['expert-payout-notification'])
})

t.test('a payout out of an account that was cut off is told, because nobody can learn what became of it', async t => {
  const { account, world } = await dueBooking(t)
  // Nobody is there to be told; that the notice stays away for days is another finding.
  const moneyFindings = async () => (await world.findings()).filter(finding => !finding.startsWith('notice-'))
  await world.pay()
  const [payout] = world.stripe.payouts()
  const [operation] = await readAll(world.db, 'jobs.money_operations')
  world.stripe.setAccount(account, { isDeauthorized: true })
  world.stripe.setPayout(payout?.id ?? '', 'failed', { code: 'account_closed' })
  await nextDay(world)
  t.same(await moneyFindings(), [`account-unreachable ${account}`])
  t.match(await readAll(world.db, 'jobs.findings'), [
    { details: { paymentTransferIds: [], operationIds: [operation?.id] }, message: /payouts that were on their way/ },
  ])
  for (let day = 0; day < 8; day += 1) await nextDay(world)
  t.equal((await moneyFindings()).length, 1)
  for (let day = 0; day < 2; day += 1) await nextDay(world)
  t.same(await moneyFindings(), [`account-unreachable ${account}`, `payout-unsettled ${operation?.id}`])

  world.stripe.setAccount(account, { isDeauthorized: false })
  await nextDay(world)
  t.same(await statesOf(world), ['failed'])
})

t.test('an account with nothing on its way that was cut off is nobody’s trouble', async t => {
  const { account, world } = await dueBooking(t)
  await world.pay()
  world.stripe.setPayout(world.stripe.payouts()[0]?.id ?? '', 'paid')
  await nextDay(world)
  world.stripe.setAccount(account, { isDeauthorized: true })
  for (let day = 0; day < 12; day += 1) await nextDay(world)
  t.same(await world.findings(), [])
})
