import { existsSync } from 'node:fs'
import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { addAuditEntry, addFinding, addRun, readAll } from '../support/builders.ts'
import { cli, json, readJson, spawned } from '../support/cli.ts'
import { isFullRun, testDatabase } from '../support/database.ts'
import { addOperation, addSettledRow } from '../support/operations.ts'
import { typeInto } from '../support/terminal.ts'

// Commands that race, or ask on a terminal, are processes of their own.
t.setTimeout(240_000)

t.test('findings are listed, acknowledged and resolved, each once and with the name of who did it', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  t.match(await cli(t, ['findings'], env), { code: 0, stdout: 'no findings\n' })
  const first = await addFinding(db, {
    kind: 'payout-unexplained',
    subject: 'po_1',
    job: 'process-pending-payouts',
    message: 'acct_1 is frozen: find out who made this payout, then resolve this finding',
    details: JSON.stringify({
      account: 'acct_1',
      amountCents: 500,
      guestEmail: 'planted@guest.example',
      note: 'a@planted.example',
    }),
  })
  const second = await addFinding(db, { occurrences: 3 })
  const done = await addFinding(db, { state: 'resolved', closed_at: new Date(0), closed_by: 'eleva-jobs' })

  const listed = await cli(t, ['findings'], env)
  t.match(listed, {
    code: 0,
    stdout: new RegExp(`\\n${second} +open +3 x .*\\n${first} +open +1 x .* acct_1 is frozen: .*\\n$`),
  })
  const seen = await cli(t, ['findings', 'acknowledge', first, '--note', 'asking Stripe', '--as', 'ana'], env)
  t.match(seen, { code: 0, stdout: `finding ${first} is acknowledged now: payout-unexplained, po_1\n` })
  t.match(await cli(t, ['findings', '--kind', 'payout-unexplained'], env), {
    code: 0,
    stdout: /acknowledged .*resolve this finding; acknowledged by ana: asking Stripe\n$/,
  })

  const both = await Promise.all(
    ['ben', 'eva'].map(async as =>
      readJson(
        await spawned(t, ['findings', 'resolve', first, '--note', `by ${as}`, '--as', as, '--yes', '--json'], env),
      ),
    ),
  )
  const [winner, loser] = both.toSorted((a, b) => (a.code ?? 0) - (b.code ?? 0))
  t.same([winner?.code, loser?.code], [0, 1], 'one of two wins')
  t.match(winner?.document, {
    id: first,
    state: 'resolved',
    note: /^by /,
    details: { amountCents: 500, guestEmail: '[removed]' },
  })
  const by = String(winner?.document['closed_by'])
  t.match(loser?.document, { error: new RegExp(`^finding ${first} is resolved already, by ${by} at \\S+Z: by ${by}$`) })
  t.match(await readAll(db, 'jobs.audit_entries'), [
    { actor: 'ana', action: 'finding.acknowledge', subject: `findings ${first}`, details: { note: 'asking Stripe' } },
    {
      actor: by,
      action: 'finding.resolve',
      details: { kind: 'payout-unexplained', subject: 'po_1', note: `by ${by}` },
    },
  ])

  const all = await json(t, ['findings', '--state', 'all', '--limit', '2'], env)
  t.match(all, { code: 0, document: { findings: [{ id: done }, { id: second }], next: second } })
  const older = await json(t, ['findings', '--state', 'all', '--before', second], env)
  t.match(older.document, { findings: [{ id: first }], next: null })
  t.match(await cli(t, ['findings', 'resolve', '4711', '--note', 'x'], env), {
    code: 1,
    stderr: /there is no finding 4711/,
  })
})

t.test('what lets money go is shown with its evidence and asked about before it is resolved', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const details = JSON.stringify({
    account: 'acct_1',
    amountCents: 5_100,
    currency: 'eur',
    createdAt: '2026-03-10T06:00:00.000Z',
    paymentTransferIds: [48, 49],
  })
  const frozen = await addFinding(db, { kind: 'payout-unexplained', subject: 'po_1', details })
  const other = await addFinding(db, { kind: 'odd', details })
  const resolve = (id: string, ...more: string[]) => ['findings', 'resolve', id, '--note', 'x', ...more]
  const unasked = await cli(t, resolve(frozen), env)
  t.match(unasked, { code: 1, stderr: 'eleva-jobs: nothing was resolved: without a terminal to ask on, add --yes\n' })
  t.match(
    unasked.stdout,
    /payout-unexplained\n[^]* account +acct_1\n[^]* created at +2026-03-10 06:00:00 UTC\n[^]* amount +EUR 51\.00\n[^]*48, 49\n/,
  )
  t.match(await json(t, resolve(frozen), env), { code: 1, document: { error: /add --yes/ } })
  t.match(await readAll(db, 'jobs.findings'), [{ state: 'open' }, { state: 'open' }])
  t.match(await cli(t, resolve(other), env), { code: 0, stdout: /EUR 51\.00[^]*is resolved now: odd/ })
  t.match(await cli(t, resolve(frozen, '--yes'), env), { code: 0, stdout: /EUR 51\.00[^]*is resolved now/ })
  t.match(await cli(t, ['findings', 'resolve', '--help'], env), { stdout: /comes back with the next run/ })
})

t.test('a finding is shown with its evidence, also to whoever approves what it is about', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const held = await addOperation(db, { reason: 'before_cut_over' })
  const id = await addFinding(db, {
    kind: 'before-cut-over',
    details: JSON.stringify({
      operationId: held,
      payouts: [{ payoutId: 'po_old', amountCents: 5_100, currency: 'eur', createdAt: '2026-03-10T06:00:00.000Z' }],
    }),
  })
  const evidence = /payouts +payout id po_old[^\n]*EUR 51\.00|payouts +[^\n]*EUR 51\.00[^\n]*po_old/
  t.match(await cli(t, ['findings', 'show', id], env), { code: 0, stdout: evidence })
  t.match(await json(t, ['findings', 'show', id], env), { code: 0, document: { id, details: { operationId: held } } })
  t.match(await cli(t, ['findings', 'show', '4711'], env), { code: 1, stderr: /there is no finding 4711/ })
  t.match(await cli(t, ['approve', held], env), { code: 1, stdout: evidence })
})

t.test('the finding of an operation that is held cannot be resolved', async t => {
  const { db, url } = await testDatabase(t)
  const id = await addFinding(db, { kind: 'operation-held', subject: await addOperation(db) })
  t.match(await cli(t, ['findings', 'resolve', id, '--note', 'x'], { DATABASE_URL: url }), {
    code: 1,
    stderr: /is still held: approve it, decline it, or correct its rows/,
  })
  t.match(await readAll(db, 'jobs.findings'), [{ state: 'open' }])
})

t.test('operations are listed and shown with their rows, and nobody learns who the guest was', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  t.match(await cli(t, ['operations'], env), { code: 0, stdout: 'no operations\n' })
  const runId = uuidv7()
  const row = await addSettledRow(db)
  const rows = { [row]: 6000, [await addSettledRow(db)]: 2550, 4711: 50 }
  const paid = await addOperation(db, {
    state: 'paid',
    account: 'acct_A',
    rows,
    run_id: runId,
    approved_by: 'ana',
    approved_at: new Date(0),
  })
  await addAuditEntry(db, { subject: paid, action: 'operation.approve', details: JSON.stringify({ amount: 8600 }) })
  const held = await addOperation(db, { currency: 'jpy', rows: { [await addSettledRow(db)]: 6000 } })
  const blocked = await addOperation(db, { state: 'blocked', account: 'acct_A', currency: 'usd' })

  t.match(await cli(t, ['operations'], env), {
    code: 0,
    stdout: new RegExp(
      [
        `payout +blocked +USD 60\\.00 .* ${blocked} +insufficient_funds, until 2026-03-10 06:00:00 UTC`,
        `payout +held +JPY 6,000 .* ${held} +above_single_limit`,
        `payout +paid +EUR 86\\.00 +acct_A +po_\\w+ +${paid}\\n$`,
      ].join('\\n.*'),
    ),
  })
  const ids = async (...args: string[]) => {
    const { code, document } = await json(t, ['operations', ...args], env)
    t.equal(code, 0)
    return (document['operations'] as unknown as { id: string }[]).map(({ id }) => id)
  }
  t.same(await ids('--state', 'held'), [held])
  t.same(await ids('--account', 'acct_A', '--limit', '1'), [blocked])
  t.same(await ids('--run', runId), [paid])
  t.same(await ids('--before', held), [paid])
  t.same(await ids('--kind', 'transfer'), [])

  const [shown, asJson, none] = await Promise.all([
    cli(t, ['operations', 'show', paid], env),
    json(t, ['operations', 'show', paid], env),
    cli(t, ['operations', 'show', uuidv7()], env),
  ])
  t.match(shown, { code: 0, stdout: /^payout paid operation [^]*amount +EUR 86\.00\n +account +acct_A\n/ })
  t.match(shown.stdout, /approved +by ana, 1970-01-01 00:00:00 UTC\n[^]*sent +1 x, first 2026-03-10 06:00:00 UTC/)
  t.match(
    shown.stdout,
    new RegExp(`payment_transfers ${row} +EUR 60\\.00 +user_expert_1 +2026-03-01 10:00:00 +COMPLETED +yes\\n`),
  )
  t.match(shown.stdout, /payment_transfers 4711 +EUR 0\.50 .*gone/, 'a row that the site has deleted')
  t.match(shown.stdout, /1970-01-01 00:00:00 +ana +operation\.approve +amount 8600\n/)
  t.match(asJson, {
    code: 0,
    document: { id: paid, amount: 8600, items: [{ payment_transfer_id: row, amount: 6000 }, {}, {}] },
  })
  t.match(none, { code: 1, stdout: '', stderr: /there is no operation/ })
})

t.test('approve says who gets how much and why it was held, and pays nobody unasked', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const rows = { [await addSettledRow(db)]: 6000, [await addSettledRow(db, 'user_expert_2')]: 600_000 }
  const held = await addOperation(db, { account: 'acct_A', rows, reason: 'account_shared' })
  const stateOf = async (): Promise<unknown> => (await readAll(db, 'jobs.money_operations'))[0]?.state

  const [unasked, unaskedJson] = await Promise.all([cli(t, ['approve', held], env), json(t, ['approve', held], env)])
  t.match(unasked, { code: 1, stderr: 'eleva-jobs: nothing was approved: without a terminal to ask on, add --yes\n' })
  t.match(unasked.stdout, /^payout of EUR 6,060\.00 to acct_A\n[^]* expert +user_expert_1, user_expert_2\n/)
  t.match(unasked.stdout, /held since +2026-03-10 06:00:00 UTC\n +held because +two experts share this account/)
  t.match(unasked.stdout, /payment_transfers \d+ +EUR 60\.00 +user_expert_1 [^]*payment_transfers \d+ +EUR 6,000\.00 /)
  t.match(unaskedJson, { code: 1, document: { error: /add --yes/ } })
  t.equal(await stateOf(), 'held')

  const asks = ['ben', 'eva'].map(async as =>
    readJson(await spawned(t, ['approve', held, '--yes', '--as', as, '--note', `${as} agrees`, '--json'], env)),
  )
  const [winner, loser] = (await Promise.all(asks)).toSorted((a, b) => (a.code ?? 0) - (b.code ?? 0))
  const by = String(winner?.document['approved_by'])
  t.match(winner, { code: 0, document: { id: held, state: 'planned', approved_by: /^(ben|eva)$/ } })
  t.match(loser, { code: 1, document: { error: `operation ${held} is planned: only a held one can be approved` } })
  t.match(await readAll(db, 'jobs.audit_entries'), [
    { actor: by, action: 'operation.approve', subject: held, details: { amountCents: 606_000, note: `${by} agrees` } },
  ])
  t.equal((await readAll(db, 'jobs.audit_entries')).length, 1)

  const unknown = uuidv7()
  const behind = await addOperation(db, { account: 'acct_A', reason: 'before_cut_over' })
  const refused = [
    [held, `operation ${held} is planned: only a held one can be approved`],
    [unknown, `there is no operation ${unknown}`],
  ] as const
  for (const [id, stderr] of refused) {
    t.match(await cli(t, ['approve', id, '--yes'], env), { code: 1, stderr })
  }
  t.match(await cli(t, ['approve', behind, '--yes'], env), { code: 0, stdout: /\napproved by / }, 'it queues')
  t.match(await cli(t, ['approve', behind, '--yes'], env), {
    code: 1,
    stderr: `operation ${behind} is approved already`,
  })
  const free = await addOperation(db, { currency: 'usd' })
  t.match(await cli(t, ['approve', free, '--yes', '--as', 'ana'], env), {
    code: 0,
    stdout: /\napproved by ana: the next run .*\n$/,
  })
})

const withoutTerminals =
  process.platform === 'linux' && existsSync('/usr/bin/script') ? false : 'no /usr/bin/script here'

t.test('on a terminal only a typed yes unfreezes an account', { skip: withoutTerminals }, async t => {
  const { db, url } = await testDatabase(t)
  const id = await addFinding(db, { kind: 'payout-unexplained', details: JSON.stringify({ account: 'acct_A' }) })
  const question = 'Let money leave acct_A again? Type yes: '
  const answered = async (answer: string) =>
    await typeInto(t, ['findings', 'resolve', id, '--note', 'x'], { DATABASE_URL: url }, question, answer)
  t.match(await answered('y\n'), { code: 1, shown: /nothing was resolved/ })
  t.match(await readAll(db, 'jobs.findings'), [{ state: 'open' }])
  t.match(await answered('yes\n'), { code: 0, shown: /is resolved now/ })
})

t.test('on a terminal only a typed yes approves', { skip: withoutTerminals }, async t => {
  const { db, url } = await testDatabase(t)
  const held = await addOperation(db, { account: 'acct_A' })
  const question = 'Pay EUR 60.00 to acct_A? Type yes: '
  const others = ['y\n', '\u0003', ...(isFullRun ? ['no\n', '\n', '\u0004'] : [])]
  for (const answer of others) {
    const { code, shown } = await typeInto(t, ['approve', held], { DATABASE_URL: url }, question, answer)
    t.equal(code, 1, JSON.stringify(answer))
    t.match(shown, 'nothing was approved')
  }
  t.same(await readAll(db, 'jobs.audit_entries'), [])
  const { code, shown } = await typeInto(t, ['approve', held], { DATABASE_URL: url }, question, 'yes\n')
  t.equal(code, 0)
  t.match(shown, /held because +it is larger than MONEY_MAX_SINGLE[^]*approved by /)
  t.match(await readAll(db, 'jobs.money_operations'), [{ state: 'planned' }])
})

t.test('a plan reads like a statement: amounts, totals by currency, and waits by reason', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  const pay = (account: string, amountCents: number, currency: string) => ({
    kind: 'create-payout',
    subject: `${account} ${currency}`,
    amountCents,
    currency,
    destination: account,
    rows: [
      { paymentTransferId: 12, amountCents: amountCents - 10, eligibleSince: '2026-03-09T10:00:00.000Z' },
      { paymentTransferId: 14, amountCents: 10, eligibleSince: '2026-03-08T10:00:00.000Z' },
    ],
    why: '2 bookings eligible',
  })
  const wait = (row: number, reason: string, more: Record<string, unknown> = {}) => {
    return {
      subject: `payment_transfers ${row}`,
      reason,
      amountCents: 150,
      currency: 'eur',
      destination: 'acct_1',
      ...more,
    }
  }
  const plan = {
    effects: [
      pay('acct_1', 1_234_510, 'eur'),
      pay('acct_2', 5000, 'jpy'),
      pay('acct_3', 990, 'EUR'),
      { ...pay('acct_4', 100, 'eur'), kind: 'hold-payout', hold: 'before_cut_over' },
      {
        kind: 'record-transfer',
        subject: 'payment_transfers 9',
        amountCents: 50,
        currency: 'eur',
        destination: 'acct_5',
      },
      { kind: 'settle-payout', subject: 'an operation', currency: 'eur', destination: 'acct_6', why: 'it has arrived' },
    ],
    waits: [
      wait(3, 'payment_age', { until: '2026-03-12T06:00:00.000Z', why: 'too young' }),
      wait(1, 'awaiting_funds', { availableCents: 20, why: 'too little' }),
      wait(2, 'payment_age', { until: '2026-03-11T06:00:00.000Z', why: 'too young' }),
    ],
    findings: [{ kind: 'balance-unexplained', subject: 'acct_9 eur', message: 'find out where it comes from' }],
    failures: [],
    left: 7,
  }
  const report = { planned: 4, sums: { eur: 550, jpy: 550 } }
  const runId = await addRun(db, { dry_run: true, plan: JSON.stringify(plan), report: JSON.stringify(report) })
  const operation = await addOperation(db, { run_id: runId })
  const { code, stdout } = await cli(t, ['runs', runId], env)
  t.equal(code, 0)
  t.match(stdout, /sum eur +EUR 5\.50\n +sum jpy +JPY 550\n/)
  t.match(
    stdout,
    /^create-payout +EUR 12,345\.10 +acct_1 +2 rows: 12 EUR 12,345\.00; 14 EUR 0\.10 +2026-03-08 10:00:00 +2 bookings eligible$/m,
  )
  t.match(stdout, /^create-payout + JPY 5,000 +acct_2 +2 rows: 12 JPY 4,990; 14 JPY 10 /m)
  t.match(
    stdout,
    /^hold-payout + EUR 1\.00 .* held because the payment is before MONEY_SINCE: .*; 2 bookings eligible$/m,
  )
  t.match(stdout, /^record-transfer + EUR 0\.50 +acct_5 +payment_transfers 9 +-$/m)
  t.match(stdout, /^settle-payout + - +acct_6 +an operation +- +it has arrived$/m)
  t.match(
    stdout,
    new RegExp(
      [
        'total by currency',
        'currency .*',
        'EUR +create-payout +2 +EUR 12,355\\.00',
        'EUR +hold-payout +1 +EUR 1\\.00',
        'EUR +record-transfer +1 +EUR 0\\.50',
        'JPY +create-payout +1 +JPY 5,000\\n',
      ].join('\\n'),
    ),
    'currencies are never added together, nor what is held to what is paid',
  )
  t.match(stdout, /waits: 3\npayment_age: 2, EUR 3\.00, the earliest until 2026-03-11 06:00:00 UTC; too young\n/)
  t.match(stdout, /\npayment_transfers 2 +EUR 1\.50 +acct_1 +2026-03-11 06:00:00\npayment_transfers 3 /)
  t.match(stdout, /\nawaiting_funds: 1, EUR 1\.50; too little\n.*\npayment_transfers 1 .* - +available EUR 0\.20\n/)
  t.match(stdout, /findings: 1\n.*\nbalance-unexplained +acct_9 eur +find out where it comes from\n/)
  t.match(stdout, /left for the next run: 7\n/)
  t.match(stdout, new RegExp(`operations that it began or moved\\n.*\\n.* ${operation} `))
  t.match((await json(t, ['runs', runId], env)).document, {
    operations: [{ id: operation, items: [{ amount: 6000 }] }],
  })
})

t.test('a plan of thousands of effects stays readable', async t => {
  const { db, url } = await testDatabase(t)
  const effects = Array.from({ length: 3000 }, (_, n) => ({
    kind: 'create-payout',
    subject: `acct_${n} eur`,
    amountCents: 100,
    currency: 'eur',
  }))
  const waits = Array.from({ length: 500 }, (_, n) => ({ subject: `payment_transfers ${n}`, reason: 'payment_age' }))
  const findings = Array.from({ length: 30 }, (_, n) => ({
    kind: 'odd',
    subject: `payment_transfers ${n}`,
    message: 'look',
  }))
  const runId = await addRun(db, { plan: JSON.stringify({ effects, waits, findings }) })
  const { stdout } = await cli(t, ['runs', runId], { DATABASE_URL: url })
  t.ok(stdout.split('\n').length < 130, `${stdout.split('\n').length} lines`)
  for (const more of [2950, 490, 10]) t.match(stdout, `… and ${more} more: --json has all\n`)
  t.match(stdout, /EUR +create-payout +3000 +EUR 3,000\.00\n/, 'the total is of all')
  const whole = await json(t, ['runs', runId], { DATABASE_URL: url })
  t.equal((whole.document['plan'] as unknown as { effects: unknown[] }).effects.length, 3000)
})

t.test('waits that were not kept with a run are counted with the others, and it says so', async t => {
  const { db, url } = await testDatabase(t)
  const money = { amountCents: 100, currency: 'eur', destination: 'acct_1' }
  const waits = Array.from({ length: 12 }, (_, n) => ({ subject: `payment_transfers ${n}`, reason: 'young', ...money }))
  const cutWaits = [
    { reason: 'young', cut: 30, amountCents: 3000, currency: 'eur' },
    { reason: 'young', cut: 2, amountCents: 50, currency: 'usd' },
  ]
  const other = { subject: 'payment_transfers 99', reason: 'old', ...money }
  const plan = { effects: [], waits: [other, ...waits], cutWaits, left: 3, unread: 7 }
  const runId = await addRun(db, { plan: JSON.stringify(plan) })
  const { stdout } = await cli(t, ['runs', runId], { DATABASE_URL: url })
  t.match(stdout, /waits: 45\nyoung: 44, EUR 42\.00, USD 0\.50\n/)
  t.match(
    stdout,
    /… and 2 more: --json has all\n… and 32 that were not kept with the run: a dry run tells of all\nold: 1, /,
  )
  t.match(stdout, /left for the next run: 3\nnot read, because they wait: 7\n/)
})

t.test('a wrong command line about money says what to type', async t => {
  const cases = [
    [['findings', '--state', 'closed'], /Allowed choices are open, acknowledged, resolved, all/],
    [['findings', 'resolve', '1'], /required option '--note <text>' not specified/],
    [['findings', 'resolve', '1', '--note', ' '], /1 to 500 characters/],
    [['findings', 'resolve', 'x', '--note', 'x'], /A finding has a number/],
    [['findings', 'forget'], /too many arguments|unknown command/],
    [['operations', '--state', 'done'], /Allowed choices are planned, held/],
    [['operations', 'show', 'x'], /An operation id looks like/],
    [['approve'], /missing required argument 'operation'/],
    [['approve', 'x'], /An operation id looks like/],
  ] as const
  for (const [args, stderr] of cases) {
    t.match(await cli(t, args), { code: 1, stdout: '', stderr }, args.join(' '))
  }
})
