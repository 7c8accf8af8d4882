import { sql } from 'kysely'
import t from 'tap'
import { cli, json, serviceEnv, spawned } from '../support/cli.ts'
import { readAll } from '../support/builders.ts'
import { payoutWorld } from '../support/payout-world.ts'

t.test('from the terminal: a dry run, a payout that is held, its approval, and one payment', async t => {
  const world = await payoutWorld(t)
  const { db, stripe } = world
  const account = await world.addExpert('ana')
  const { id } = await world.addBooking(account, { expert: 'ana' })
  const young = await world.addBooking(account, { expert: 'ana', endsAt: new Date('2099-01-01T10:00:00Z') })
  // A process of its own goes by the clock of this machine.
  stripe.advance(Date.now() - world.clock().getTime())
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db)
  const url = new URL(process.env['TEST_DATABASE_URL'] ?? '')
  url.pathname = `/${rows[0]?.name}`
  const env = serviceEnv(url.href, {
    STRIPE_SECRET_KEY: stripe.secretKey,
    STRIPE_API_BASE_URL: stripe.url,
    MONEY_SINCE: '2026-01-01',
    MONEY_MAX_SINGLE: '5000',
  })
  const pay = ['run', 'process-pending-payouts', '--as', 'ana']

  const dry = await cli(t, [...pay, '--dry-run'], env)
  t.match(dry, { code: 0, stdout: /\(dry run: nothing was done\)/ })
  const why = '1 booking is due, and the account has the money for it; available EUR [\\d.,]+, reserved EUR 0\\.00'
  const due = `EUR 85\\.00 +${account} +ana +1 row: ${id} EUR 85\\.00 +2026-03-08 10:00:00`
  t.match(dry.stdout, new RegExp(`^hold-payout +${due} +held because it is larger than MONEY_MAX_SINGLE; ${why}$`, 'm'))
  t.match(dry.stdout, /^EUR +hold-payout +1 +EUR 85\.00$/m)
  const waits = 'complaint_window: 1, EUR 85\\.00, the earliest until 2099-01-02 10:00:00 UTC; the client may complain'
  t.match(dry.stdout, new RegExp(`^${waits}.*\\n.*\\npayment_transfers ${young.id} +EUR 85\\.00 +${account} `, 'm'))
  t.same(await readAll(db, 'jobs.money_operations'), [])

  t.match(await cli(t, pay, env), { code: 0 })
  t.same(world.outflow(), {}, 'what is held is not sent')
  const { document } = await json(t, ['operations', '--state', 'held'], env)
  const [held] = document['operations'] as unknown as { id: string; run_id: string }[]
  t.match(held, { account, amount: 8500, reason: 'above_single_limit' })
  t.match(await json(t, ['runs', held?.run_id ?? ''], env), { document: { operations: [{ id: held?.id }] } })
  t.match((await json(t, ['findings'], env)).document, { findings: [{ kind: 'operation-held', subject: held?.id }] })
  t.match(await spawned(t, ['approve', held?.id ?? '', '--yes', '--as', 'ana'], env), {
    code: 0,
    stdout: /held because +it is larger than MONEY_MAX_SINGLE\n/,
  })
  t.match((await json(t, ['findings'], env)).document, { findings: [] }, 'it is settled by that')

  t.match(await spawned(t, pay, env), { code: 0, stdout: /sum eur +EUR 85\.00\n/ })
  t.match(await cli(t, pay, env), { code: 0 })
  t.same(world.outflow(), { [account]: 8500 })
  t.match((await json(t, ['operations', 'show', held?.id ?? ''], env)).document, {
    state: 'created',
    approved_by: 'ana',
    items: [{ payment_transfer_id: id, status: 'PAID_OUT' }],
  })
})
