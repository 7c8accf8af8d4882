import t from 'tap'
import { readAll } from '../support/builders.ts'
import { payoutWorld } from '../support/payout-world.ts'

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
