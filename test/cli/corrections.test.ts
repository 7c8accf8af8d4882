import t from 'tap'
import { startStripe } from '../../src/sandbox/stripe.ts'
import { readAll } from '../support/builders.ts'
import { cli, serviceEnv } from '../support/cli.ts'
import { testDatabase } from '../support/database.ts'
import { addOperation } from '../support/operations.ts'
import { requireDescribed, specPath } from '../support/stripe.ts'

t.setTimeout(240_000)

t.test('adopt and unmoved show what they are about, do nothing unasked, and end what is unknown', async t => {
  const { db, url } = await testDatabase(t)
  const stripe = await startStripe({ clock: () => new Date(), specPath })
  requireDescribed(t, stripe)
  t.teardown(stripe.close)
  const env = serviceEnv(url, { STRIPE_SECRET_KEY: stripe.secretKey, STRIPE_API_BASE_URL: stripe.url })
  const account = stripe.addAccount()
  stripe.credit(account, 12_000)
  const made = stripe.payOutAsOldCode({ account, amountCents: 6_000 })
  const [made1, made2] = [{ account, state: 'unknown' as const, reason: 'key_reused' }, { state: 'unknown' as const }]
  const [id, other] = [await addOperation(db, made1), await addOperation(db, made2)]
  const adopt = ['adopt', id, made, '--note', 'seen in the dashboard']
  const unasked = await cli(t, adopt, env)
  t.match(unasked, { code: 1, stderr: 'eleva-jobs: nothing was changed: without a terminal to ask on, add --yes\n' })
  t.match(unasked.stdout, /^payout of EUR 60\.00 to acct_[^]*state +unknown: key_reused\n/)
  t.match(await cli(t, ['adopt', id, 'ch_1', '--note', 'x'], env), { code: 1, stderr: /A payout looks like/ })
  t.match(await cli(t, [...adopt, '--yes', '--as', 'ana'], env), { code: 0, stdout: /is its receipt now/ })
  const unmoved = ['unmoved', other, '--note', 'nothing there', '--except', made, 'po_2', '--yes', '--as', 'ana']
  t.match(await cli(t, ['unmoved', id, '--note', 'x', '--yes'], env), { code: 1, stderr: /only one that is unknown/ })
  stripe.addAccount({ id: (await readAll(db, 'jobs.money_operations')).find(each => each.id === other)?.account ?? '' })
  t.match(await cli(t, unmoved, env), { code: 0, stdout: /the next run plans its rows/ })
  const states = (await readAll(db, 'jobs.money_operations')).map(({ reason, state }) => `${state} ${reason}`)
  t.same(states, ['created null', 'canceled nothing_moved'])
  t.match(
    (await readAll(db, 'jobs.audit_entries')).filter(({ actor }) => actor === 'ana'),
    [{ action: 'operation.adopt' }, { action: 'operation.unmoved', details: { except: [made, 'po_2'] } }],
  )
})
