import { sql } from 'kysely'
import t from 'tap'
import { addAccountHolder } from '../support/account-holders.ts'
import { addFinding, addRun, readAll } from '../support/builders.ts'
import { cli, json, serviceEnv } from '../support/cli.ts'
import { testDatabase } from '../support/database.ts'
import { addOperation, addSettledRow } from '../support/operations.ts'

t.setTimeout(240_000)

t.test('whoever approves reads of which day the reason is, and what is left of it', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  await addAccountHolder(db, 'user_expert_1', 'acct_1')
  await addAccountHolder(db, 'user_expert_2', 'acct_1')
  const rows = { [await addSettledRow(db)]: 6000 }
  const id = await addOperation(db, { account: 'acct_1', rows, reason: 'account_shared' })
  const today =
    /held because +two experts share[^\n]*\n +today +still so: 2 users have this account; the reason above is of 2026-03-10 06:00:00 UTC\n/
  t.match(await cli(t, ['approve', id], env), { code: 1, stdout: today })
  await sql`update users set stripe_connect_account_id = 'acct_2' where "clerkUserId" = 'user_expert_2'`.execute(db)
  const over = /today +no longer so: one user has this account; the reason above is of 2026-03-10 06:00:00 UTC\n/
  t.match(await cli(t, ['approve', id], env), { code: 1, stdout: over })
  t.match(await cli(t, ['operations', 'show', id], env), { code: 0, stdout: over })
  t.match((await json(t, ['operations', 'show', id], env)).document, { hold: { stands: 'no', doubts: [] } })
  await sql`update users set stripe_connect_account_id = 'acct_3'`.execute(db)
  t.match(await cli(t, ['approve', id], env), {
    stdout: /today also +the expert has another account: payment_transfers \d+\n/,
  })
})

t.test('decline shows what is held, declines nothing unasked, and says what becomes of the rows', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const id = await addOperation(db, { account: 'acct_A' })
  const decline = ['decline', id, '--note', 'paid by hand']
  const unasked = await cli(t, decline, env)
  t.match(unasked, { code: 1, stderr: 'eleva-jobs: nothing was declined: without a terminal to ask on, add --yes\n' })
  t.match(unasked.stdout, /^payout of EUR 60\.00 to acct_A\n[^]*held because/)
  t.match(await cli(t, ['decline', id, '--yes'], env), { code: 1, stderr: /required option '--note <text>'/ })
  t.match(await readAll(db, 'jobs.money_operations'), [{ state: 'held' }])
  const done = await cli(t, [...decline, '--yes', '--as', 'ana'], env)
  t.match(done, {
    code: 0,
    stdout: /declined by ana: its rows wait until the finding operation-declined is resolved\n$/,
  })
  t.match(await readAll(db, 'jobs.audit_entries'), [
    { actor: 'ana', action: 'operation.decline', details: { note: 'paid by hand' } },
  ])
  t.match(await cli(t, [...decline, '--yes'], env), {
    code: 1,
    stderr: `operation ${id} is canceled: only one that is held, or approved and not sent, or blocked can be declined`,
  })
  const [finding] = await readAll(db, 'jobs.findings')
  const resolve = ['findings', 'resolve', String(finding?.id), '--note', 'x']
  t.match(await cli(t, resolve, env), { code: 1, stderr: /add --yes/, stdout: /declined by +ana\n/ })
  t.match(await cli(t, [...resolve, '--yes'], env), { code: 0 })
  t.match((await readAll(db, 'jobs.audit_entries')).at(-1), {
    action: 'finding.resolve',
    details: { letMoneyGo: true },
  })
})

t.test('a kind of which nothing was ever recorded is no empty list', async t => {
  const { db, url } = await testDatabase(t)
  await addFinding(db, { kind: 'odd' })
  t.match(await cli(t, ['findings', '--kind', 'nonsense'], { DATABASE_URL: url }), {
    code: 1,
    stderr: 'eleva-jobs: no finding of the kind nonsense has ever been recorded; kinds seen: odd\n',
  })
})

t.test('a plan names the experts by their Clerk ids, and says of what is held why', async t => {
  const { db, url } = await testDatabase(t)
  const effects = [
    {
      kind: 'resume-transfer',
      subject: 'op-1',
      amountCents: 8_500,
      currency: 'eur',
      destination: 'acct_1',
      rows: [{ paymentTransferId: 7, amountCents: 8_500 }],
      experts: ['user_2abc'],
    },
    {
      kind: 'resume-transfer',
      subject: 'op-2',
      amountCents: 200,
      currency: 'eur',
      destination: 'acct_3',
      rows: [{ paymentTransferId: 9, amountCents: 200 }],
      experts: ['user_c'],
      hold: 'account_shared',
      holds: ['account_shared 2 users'],
      why: 'it was begun and is blocked, and it will be held: two experts share it',
    },
    {
      kind: 'create-payout',
      subject: 'acct_2 eur',
      amountCents: 100,
      currency: 'eur',
      destination: 'acct_2',
      rows: [],
      experts: ['user_a', 'user_b'],
    },
  ]
  const wait = (row: number, why: string) => ({
    subject: `payment_transfers ${row}`,
    reason: 'held',
    why,
    amountCents: 1,
    currency: 'eur',
    destination: 'acct_1',
  })
  const waits = [wait(8, 'it is held: it is too large'), wait(9, 'it is held: it is old')]
  const id = await addRun(db, { dry_run: true, plan: JSON.stringify({ effects, waits }) })
  const { stdout } = await cli(t, ['runs', id], { DATABASE_URL: url })
  t.match(stdout, /^resume-transfer +EUR 85\.00 +acct_1 +user_2abc +1 row: 7 EUR 85\.00 /m)
  t.match(
    stdout,
    /^resume-transfer +EUR 2\.00 +acct_3 +user_c +1 row: 9 EUR 2\.00 +- +it was begun and is blocked, and it will/m,
  )
  t.match(stdout, /^EUR +resume-transfer +1 +EUR 85\.00\nEUR +resume-transfer \(held\) +1 +EUR +2\.00$/m)
  t.match(stdout, /^create-payout +EUR 1\.00 +acct_2 +user_a, user_b +0 rows/m)
  t.match(stdout, /payment_transfers 8 .*it is held: it is too large\n.*payment_transfers 9 .*it is held: it is old\n/)
})

t.test('check says which moment counts, and doubts one that cannot be meant', async t => {
  const { db, url } = await testDatabase(t)
  const money = async (env: Record<string, string> = {}) => {
    const { document } = await json(t, ['check'], serviceEnv(url, env))
    return (document['checks'] as unknown as { check: string }[]).filter(({ check }) => check === 'money')
  }
  t.match(await money(), [
    { status: 'warn', message: /the first boot, which has not been yet$/, advice: /set MONEY_SINCE/ },
  ])
  await db
    .insertInto('jobs.job_settings')
    .values({ job: 'process-pending-payouts', first_boot_at: new Date('2026-03-01T09:00:00Z') })
    .execute()
  t.match(await money(), [{ status: 'warn', message: /the first boot, 2026-03-01 09:00:00 UTC$/ }])
  t.match(await money({ MONEY_SINCE: '2099-01-01' }), [{ status: 'warn', message: /in the future/ }])
  t.match(await money({ MONEY_SINCE: '2019-01-01' }), [{ status: 'warn', message: /before 2024/ }])
  t.match(await money({ MONEY_SINCE: '2026-01-01' }), [{ status: 'ok', message: /since 2026-01-01 00:00:00 UTC/ }])
})
