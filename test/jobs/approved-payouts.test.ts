import t, { type Test } from 'tap'
import { readAll } from '../support/builders.ts'
import { path, payoutWorld } from '../support/payout-world.ts'

t.test('a payout that was approved shows in the run that held it and in the run that sent it', async t => {
  const world = await payoutWorld(t, { MONEY_MAX_SINGLE: '5000' })
  const account = await world.addExpert('ana')
  await world.addBooking(account, { expert: 'ana' })
  const shownBy = async (runId: unknown): Promise<unknown[]> => {
    const { json } = await world.operate('GET', `/runs/${String(runId)}`)
    return (json['operations'] as { id: string }[]).map(({ id }) => id)
  }
  const held = await world.pay()
  const [operation] = await readAll(world.db, 'jobs.money_operations')
  await world.operate('POST', `/operations/${operation?.id}/approve`, { note: 'looked at it' })
  world.clock.advance(24 * 60 * 60_000)
  const sent = await world.pay()
  t.match(await readAll(world.db, 'jobs.money_operations'), [{ state: 'created', run_id: held.json['runId'] }])
  t.same(await shownBy(held.json['runId']), [operation?.id], 'it began it')
  t.same(await shownBy(sent.json['runId']), [operation?.id], 'and this one moved it')
  const audit = (await readAll(world.db, 'jobs.audit_entries')).filter(({ action }) => action === 'operation.created')
  t.match(audit, [{ subject: operation?.id, details: { runId: sent.json['runId'] } }])
})

/** Three bookings of one expert from before the cut-over, each with its payout held. */
async function oldBookings(t: Test) {
  const world = await payoutWorld(t, { MONEY_SINCE: '2026-03-09T00:00:00Z' })
  const account = await world.addExpert('ana')
  for (let count = 0; count < 3; count += 1) await world.addBooking(account, { expert: 'ana' })
  await world.pay()
  const operations = async () => await readAll(world.db, 'jobs.money_operations')
  return { account, operations, world }
}

t.test('old bookings of one expert are approved together, and one run pays one after the other', async t => {
  const { account, operations, world } = await oldBookings(t)
  const approved = (await operations()).map(
    async ({ id }) => (await world.operate('POST', `/operations/${id}/approve`, { note: 'never paid out' })).statusCode,
  )
  t.same(await Promise.all(approved), [200, 200, 200])
  const states = (await operations()).map(({ state }) => state).toSorted()
  t.same(states, ['held', 'held', 'planned'], 'one at a time is on its way')
  const again = (await operations()).find(({ state }) => state === 'held')?.id
  t.match(await world.operate('POST', `/operations/${again}/approve`, {}), {
    statusCode: 409,
    json: { message: /is approved already, and waits for its turn/ },
  })
  const plan = (await world.deliver(`${path}?dryRun=true`)).json['plan'] as {
    waits: { reason: string }[]
    effects: object[]
  }
  t.equal(plan.effects.length, 3)
  const reasons = plan.waits.map(({ reason }) => reason)
  t.same(reasons, ['operation_open'], 'nobody has to decide anything')
  await world.pay()
  t.same(world.outflow(), { [account]: 25_500 })
  t.same(
    (await operations()).map(({ state }) => state),
    ['created', 'created', 'created'],
  )
})

t.test('what waits for its turn can be declined, and is held again for a doubt that came up meanwhile', async t => {
  const { account, operations, world } = await oldBookings(t)
  for (const { id } of await operations()) await world.operate('POST', `/operations/${id}/approve`, { note: 'x' })
  const [first, second] = (await operations()).filter(({ state }) => state === 'held')
  t.equal((await world.operate('POST', `/operations/${first?.id}/decline`, { note: 'no' })).statusCode, 200)
  await world.addExpert('mallory', account)
  await world.pay()
  t.same(world.outflow(), {}, 'two users have the account now')
  t.match(
    (await operations()).find(({ id }) => id === second?.id),
    {
      state: 'held',
      reason: 'account_shared',
      approved_at: null,
    },
  )
})
