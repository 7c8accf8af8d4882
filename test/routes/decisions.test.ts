import { sql } from 'kysely'
import t from 'tap'
import { addAccountHolder } from '../support/account-holders.ts'
import { testApp } from '../support/app.ts'
import { addFinding, readAll } from '../support/builders.ts'
import { addOperation, addSettledRow } from '../support/operations.ts'

t.test('over HTTP money is let go only by whoever says so, and is told what would happen', async t => {
  const { db, operate } = await testApp(t, { env: { OPERATOR_TOKEN: 'ana:operator-token-of-the-tests-0123456789' } })
  const details = {
    account: 'acct_1',
    amountCents: 5_100,
    currency: 'eur',
    createdAt: '2026-03-10T06:00:00.000Z',
    paymentTransferIds: [48, 49],
  }
  const id = await addFinding(db, { kind: 'payout-unexplained', subject: 'po_1', details: JSON.stringify(details) })
  const resolve = async (more: object) => await operate('POST', `/findings/${id}/resolve`, { note: 'seen', ...more })
  for (const unsaid of [{}, { letMoneyGo: false }]) {
    t.match(await resolve(unsaid), {
      statusCode: 409,
      json: {
        message:
          /payout-unexplained, po_1: account "acct_1", amountCents 5100, currency "eur", createdAt "2026-03-10.*48,49\].*lets the account go.*letMoneyGo: true/,
      },
    })
  }
  t.match(await resolve({ letMoneyGo: 'yes' }), {
    statusCode: 400,
    json: { message: 'letMoneyGo must be true or false' },
  })
  t.match(await readAll(db, 'jobs.findings'), [{ state: 'open' }])
  t.same(await readAll(db, 'jobs.audit_entries'), [])
  t.match(await resolve({ letMoneyGo: true }), { statusCode: 200, json: { state: 'resolved', closed_by: 'ana' } })
  t.match(await readAll(db, 'jobs.audit_entries'), [
    {
      actor: 'ana',
      action: 'finding.resolve',
      details: { kind: 'payout-unexplained', subject: 'po_1', note: 'seen', letMoneyGo: true },
    },
  ])
  const harmless = await addFinding(db, { kind: 'odd' })
  t.match(await operate('POST', `/findings/${harmless}/resolve`, { note: 'seen' }), { statusCode: 200 })
})

t.test('a kind of which nothing was ever recorded is an error that names the others', async t => {
  const { db, operate } = await testApp(t)
  t.match(await operate('GET', '/findings?kind=nonsense'), {
    statusCode: 400,
    json: { message: 'no finding of the kind nonsense has ever been recorded; kinds seen: none' },
  })
  await addFinding(db, { kind: 'odd', state: 'resolved', closed_at: new Date(0), closed_by: 'ana' })
  await addFinding(db, { kind: 'even' })
  t.match(await operate('GET', '/findings?kind=nonsense'), { statusCode: 400, json: { message: /seen: even, odd$/ } })
  t.match(await operate('GET', '/findings?kind=odd'), { statusCode: 200, json: { findings: [] } }, 'none is open')
})

t.test('a held operation says since when, why, and what is left of that today', async t => {
  const { db, operate } = await testApp(t)
  await addAccountHolder(db, 'user_expert_1', 'acct_1')
  await addAccountHolder(db, 'user_expert_2', 'acct_1')
  const row = await addSettledRow(db)
  const id = await addOperation(db, { account: 'acct_1', rows: { [row]: 6000 }, reason: 'account_shared' })
  const hold = async () => (await operate('GET', `/operations/${id}`)).json['hold']
  t.match(await hold(), {
    reason: 'account_shared',
    decidedAt: '2026-03-10T06:00:00.000Z',
    because: /two experts share/,
    stands: 'yes',
    today: /2 users/,
    doubts: [],
  })
  await sql`update users set stripe_connect_account_id = 'acct_2' where "clerkUserId" = 'user_expert_2'`.execute(db)
  t.match(await hold(), { stands: 'no', today: 'no longer so: one user has this account', doubts: [] })
  await sql`update users set stripe_connect_account_id = 'acct_3' where "clerkUserId" = 'user_expert_1'`.execute(db)
  await sql`update payment_transfers set amount = 1 where id = ${row}`.execute(db)
  const rejected = await addOperation(db, { state: 'rejected', account: 'acct_1', rows: { [row]: 6000 } })
  for (const _ of [1, 2, 3]) await addOperation(db, { state: 'failed', account: 'acct_1' })
  t.match(await hold(), {
    stands: 'no',
    today: /no user has/,
    doubts: [
      `the expert has another account: payment_transfers ${row}`,
      `Stripe refused for good: payment_transfers ${row}`,
      /^3 of the account's payouts have failed/,
      `changed since: payment_transfers ${row}`,
    ],
  })
  t.match((await operate('GET', `/operations/${rejected}`)).json, { hold: null })
})

t.test(
  'of many who decline an operation at once one wins, and only what nothing was sent of can be declined',
  async t => {
    const { db, operate } = await testApp(t)
    const id = await addOperation(db)
    await addFinding(db, { kind: 'operation-held', subject: id })
    const decline = async (operation: string, body: object) =>
      await operate('POST', `/operations/${operation}/decline`, body)
    t.match(await decline(id, {}), { statusCode: 400, json: { message: /^note is missing/ } })
    const replies = await Promise.all(['a', 'b', 'c', 'd'].map(async note => await decline(id, { note })))
    t.same(replies.map(({ statusCode }) => String(statusCode)).toSorted(), ['200', '409', '409', '409'])
    t.match(replies.find(({ statusCode }) => statusCode === 200)?.json, {
      state: 'canceled',
      reason: 'declined',
      items: [{ live: false }],
    })
    t.match(await readAll(db, 'jobs.findings'), [
      { kind: 'operation-held', state: 'resolved' },
      { kind: 'operation-declined', state: 'open', subject: id },
    ])
    const which = 'only one that is held, or approved and not sent, or blocked can be declined'
    for (const state of ['sending', 'unknown', 'created'] as const) {
      const other = await addOperation(db, { state, account: `acct_${state}` })
      t.match(await decline(other, { note: 'x' }), {
        statusCode: 409,
        json: { message: `operation ${other} is ${state}: ${which}` },
      })
    }
    t.match(await decline('00000000-0000-7000-8000-000000000000', { note: 'x' }), { statusCode: 404 })
    t.equal((await readAll(db, 'jobs.audit_entries')).length, 1)
    for (const state of ['planned', 'blocked'] as const) {
      const other = await addOperation(db, { state, account: 'acct_open' })
      t.match(await decline(other, { note: 'x' }), { statusCode: 200, json: { state: 'canceled', wake_at: null } })
    }
  },
)
