import { existsSync } from 'node:fs'
import path from 'node:path'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { jobs } from '../../src/jobs/index.ts'
import { accountId } from '../../src/sandbox/demo/accounts.ts'
import { type DemoCase, paidOut } from '../../src/sandbox/demo/case.ts'
import { type DemoRow, seedCases } from '../../src/sandbox/demo/seed-cases.ts'
import { accountFindings, demoCases, demoLimits, seedMoney } from '../../src/sandbox/demo/money.ts'
import { plantOldCode } from '../../src/sandbox/demo/old-code.ts'
import { seedDemo } from '../../src/sandbox/demo.ts'
import { startStripe, type StripeStandIn } from '../../src/sandbox/stripe.ts'
import { type TestApp, testApp } from '../support/app.ts'
import { testDatabase } from '../support/database.ts'

const dayMs = 24 * 60 * 60_000
const now = new Date('2026-03-10T12:00:30.000Z')
const since = new Date(now.getTime() - 21 * dayMs)
// Each has a service and a Stripe of its own, and most of the time goes by waiting for the limiter.
t.jobs = 3

const moneyJobs = ['process-expert-transfers', 'process-pending-payouts', 'check-upcoming-payouts']
const spec = path.join(import.meta.dirname, '../../../shared/data/stripe-openapi-subset.json')

interface MoneyWorld extends TestApp {
  readonly stripe: StripeStandIn
  /** Delivers each job that has to do with money once, transfers first. */
  readonly playRound: () => Promise<void>
}

async function startMoneyWorld(t: Test): Promise<MoneyWorld> {
  let clock = (): Date => now
  const stripe = await startStripe({ clock: () => clock(), specPath: existsSync(spec) ? spec : undefined })
  const world = await testApp(t, {
    jobs: jobs.filter(({ name }) => moneyJobs.includes(name)),
    env: {
      STRIPE_SECRET_KEY: stripe.secretKey,
      STRIPE_API_BASE_URL: stripe.url,
      MONEY_SINCE: since.toISOString(),
      MONEY_MAX_SINGLE: String(demoLimits.maxSingleCents),
      MONEY_MAX_TOTAL: String(demoLimits.maxTotalCents),
    },
  })
  t.teardown(stripe.close)
  const playRound = async (): Promise<void> => {
    for (const job of moneyJobs) {
      const answer = await world.deliver(`/jobs/${job}`)
      t.match(answer, { statusCode: 200, json: { outcome: 'succeeded', report: { failed: 0, left: 0 } } }, job)
    }
    t.same(stripe.notModelled(), [])
    t.same(stripe.invalid(), [])
  }
  world.clock.set(now.toISOString())
  clock = world.clock
  return { ...world, stripe, playRound }
}

interface Standing {
  readonly id: number
  readonly status: string
  readonly transfer: string | null
  readonly payout: string | null
  readonly findings: readonly string[] | null
  readonly told: readonly string[] | null
}

async function readStandings(db: Db): Promise<ReadonlyMap<number, Standing>> {
  const operation = (
    kind: string,
    shown: ReturnType<typeof sql>,
  ) => sql`(select ${shown} from jobs.money_operation_items i
    join jobs.money_operations o on o.id = i.operation_id
    where i.payment_transfer_id = p.id and i.kind = ${kind} and i.live)`
  const transfer = sql`case when o.state <> 'created' then o.state when o.origin = 'sent' then 'created' else o.origin end`
  const { rows } = await sql<Standing>`
    select p.id, p.status::text, ${operation('transfer', transfer)} as transfer, ${operation('payout', sql`o.state`)} as payout,
      (select json_agg(f.kind) from jobs.findings f where f.subject = 'payment_transfers ' || p.id) as findings,
      (select json_agg(o.kind order by o.kind) from jobs.outbox o, jsonb_array_elements(o.facts -> 'rows') as r
        where (r ->> 'paymentTransferId')::integer = p.id) as told
    from payment_transfers p`.execute(db)
  return new Map(rows.map(row => [row.id, row]))
}

/** What each booking waits for, by two dry runs: `payment_transfers <id>` to reason. */
async function readWaits({ deliver }: TestApp): Promise<ReadonlyMap<string, string>> {
  const waits = new Map<string, string>()
  for (const job of ['process-expert-transfers', 'process-pending-payouts']) {
    const { json } = await deliver(`/jobs/${job}?dryRun=true`)
    const plan = json['plan'] as { waits?: { subject: string; reason: string }[] }
    for (const { reason, subject } of plan.waits ?? []) waits.set(subject, reason)
  }
  return waits
}

/** What left by the ledger, and what left the stand-in since `before`, in one form. */
async function readOutflows({ db, stripe }: MoneyWorld, before: ReturnType<StripeStandIn['outflow']>) {
  const { rows } = await sql<{ kind: string; account: string; currency: string; cents: number }>`
    select kind || 's' as kind, account, currency, sum(amount)::float8 as cents from jobs.money_operations
    where origin = 'sent' and state in ('created', 'paid') group by 1, 2, 3`.execute(db)
  const ledger = rows.map(({ account, cents, currency, kind }) => `${kind} ${account} ${currency} ${cents}`)
  const after = stripe.outflow()
  const left = (['payouts', 'transfers'] as const).flatMap(kind =>
    Object.entries(after[kind]).flatMap(([account, sums]) =>
      Object.entries(sums).map(([currency, cents]) => {
        const grown = cents - (before[kind][account]?.[currency] ?? 0)
        return grown === 0 ? '' : `${kind} ${account} ${currency} ${grown}`
      }),
    ),
  )
  return { ledger: ledger.toSorted(), left: left.filter(line => line !== '').toSorted() }
}

/** `base` is the moment that the days of the rows count from. */
async function checkEndings(t: Test, world: MoneyWorld, rows: readonly DemoRow[], base = now): Promise<void> {
  const standings = await readStandings(world.db)
  const waits = await readWaits(world)
  for (const { name, of, paymentTransferId } of rows) {
    const { ends } = of
    const found = standings.get(paymentTransferId)
    t.same(
      { ...found, waits: waits.get(`payment_transfers ${paymentTransferId}`) ?? null },
      {
        id: paymentTransferId,
        status: ends.status,
        transfer: ends.transfer ?? null,
        payout: ends.payout ?? null,
        findings: ends.finding === undefined ? null : [ends.finding],
        told: listNotices(of, base),
        waits: ends.waits ?? null,
      },
      name,
    )
  }
}

function listNotices({ ends, payment }: DemoRow['of'], base: Date): string[] | null {
  const { isTold = false, payout, transfer } = ends
  const isOld = 'paidDays' in payment && base.getTime() + payment.paidDays * dayMs < since.getTime()
  const kinds = [
    ...(payout === 'created' ? ['expert-payout-notification'] : []),
    ...(isTold ? ['payout-upcoming'] : []),
    ...(transfer === undefined || transfer === 'held' || isOld ? [] : ['transfer-recorded']),
  ]
  return kinds.length === 0 ? null : kinds
}

/** What the demo writes, row by row, without what the database makes up. */
async function readSeeded(db: Db): Promise<unknown[]> {
  const tables = {
    payment_transfers: 'guest_email',
    meetings: 'guestEmail',
    users: 'clerkUserId',
    pack_purchases: 'id',
  }
  const all = Object.entries(tables).map(async ([table, order]) => {
    const { rows } = await sql<{ row: unknown }>`
      select to_jsonb(t) - '{createdAt,updatedAt,pack_id}'::text[] - case when ${table} = 'payment_transfers' then '' else 'id' end as row
      from ${sql.table(table)} t order by ${sql.ref(order)}`.execute(db)
    return rows.map(({ row }) => row)
  })
  return (await Promise.all(all)).flat()
}

async function readTables(db: Db): Promise<{ readonly findings: readonly string[][] }> {
  const { rows } = await sql<{ findings: string[][] }>`
    select (select json_agg(p order by p.id) from payment_transfers p) as rows,
      (select json_agg(o order by o.id) from jobs.money_operations o) as operations,
      (select json_agg(json_build_array(o.kind, o.subject, o.recipient, o.occurrence) order by o.id)
        from jobs.outbox o) as outbox,
      (select json_agg(json_build_array(f.kind, f.subject, f.state) order by f.id) from jobs.findings f) as findings`.execute(
    db,
  )
  return rows[0] ?? { findings: [] }
}

t.test('the demo is the same at the same moment, and each of its cases has a name of its own', async t => {
  t.equal(new Set(demoCases.map(({ name }) => name)).size, demoCases.length)
  t.ok(demoCases.length >= 60 && demoCases.length <= 120, `${demoCases.length} bookings`)
  const seen: unknown[] = []
  for (const _ of [1, 2]) {
    const { db } = await testDatabase(t)
    const stripe = await startStripe({ clock: () => now })
    t.teardown(stripe.close)
    await seedDemo(db, now)
    const money = await seedMoney(db, stripe, now)
    // The vendor's ids are its own; their order is the demo's.
    const anonymous = (row: unknown): string =>
      JSON.stringify(row).replaceAll(/(?<=\b(?:pi|ch|py|tr|po)_1)[0-9a-f]{12}/g, '')
    const payouts = stripe
      .payouts()
      .map(({ account, amount, createdMs, status }) => ({ account, amount, createdMs, status }))
    const atStripe = { payouts, balances: stripe.balances(), outside: stripe.outside() }
    seen.push({ rows: (await readSeeded(db)).map(anonymous), atStripe, since: money.since })
  }
  t.same(seen[0], seen[1])
})

t.test('one round brings every case of the demo where it belongs, and no cent more than the ledger says', async t => {
  const world = await startMoneyWorld(t)
  const { clock, db, playRound, stripe } = world
  await seedDemo(db, now)
  const { rows } = await seedMoney(db, stripe, now)
  const before = stripe.outflow()
  await playRound()

  await t.test('each named case', async t => await checkEndings(t, world, rows))
  await t.test('findings are about the accounts that something is the matter with, and nothing else', async t => {
    const { rows: found } = await sql<{ kind: string; account: string }>`
      select f.kind, coalesce(f.details ->> 'account', f.subject) as account from jobs.findings f
      where f.subject not like 'payment_transfers %' and f.kind <> 'operation-held' order by 1, 2`.execute(db)
    t.same(
      found,
      accountFindings.map(({ account, kind }) => ({ kind, account: accountId(account) })),
    )
    const { rows: held } = await sql<{ held: number; found: number }>`
      select (select count(*) from jobs.money_operations where state = 'held')::integer as held,
        (select count(*) from jobs.money_operations o join jobs.findings f
          on f.subject = o.id::text and f.kind = 'operation-held' where o.state = 'held')::integer as found`.execute(db)
    t.same(held, [{ held: 6, found: 6 }])
  })
  const first = await readOutflows(world, before)
  t.same(first.left, first.ledger)
  t.equal(first.ledger.length, 6, 'one transfer, and payouts of four accounts, one of them in two currencies')

  await t.test('a second round on the same day moves nothing more', async t => {
    const [tables, atStripe] = [await readTables(db), stripe.snapshot()]
    await playRound()
    const { findings: told, ...moved } = await readTables(db)
    const { findings: toldBefore, ...movedBefore } = tables
    t.same(moved, movedBefore)
    const news = told.slice(toldBefore.length)
    t.same([...new Set(news.map(([kind]) => kind))], ['hold-age'], 'what the first round held has waited for long')
    t.same(stripe.snapshot(), atStripe)
  })

  await t.test('a day later what became due is paid, and what still waits is not', async t => {
    clock.advance(dayMs)
    await playRound()
    const standings = await readStandings(db)
    const namesOf = (status: string): string[] =>
      rows
        .filter(row => row.of.ends.status !== status && standings.get(row.paymentTransferId)?.status === status)
        .map(row => row.name)
        .toSorted()
    t.same(namesOf('PAID_OUT'), ['complaint-window', 'money-pending', 'upcoming'])
    t.same(namesOf('COMPLETED'), [])
    const { ledger, left } = await readOutflows(world, before)
    t.same(left, ledger)
    t.not(ledger.join(), first.ledger.join())
  })

  await t.test('a payout that comes back is paid once more, to another bank account', async t => {
    const row = rows.find(({ name }) => name === 'older-than-pending')
    const statusOf = async (): Promise<string | undefined> =>
      (await readStandings(db)).get(row?.paymentTransferId ?? 0)?.status
    const [payout] = stripe.payouts(accountId('tia'))
    stripe.setPayout(payout?.id ?? '', 'failed', { code: 'account_closed' })
    await playRound()
    t.equal(await statusOf(), 'COMPLETED')
    await playRound()
    t.equal((await readWaits(world)).get(`payment_transfers ${row?.paymentTransferId}`), 'bank_account_disabled')
    stripe.replaceBank(accountId('tia'))
    await playRound()
    t.equal(await statusOf(), 'PAID_OUT')
    const { ledger, left } = await readOutflows(world, before)
    t.same(left, ledger)
  })
})

const paidSinceCutOver: readonly DemoCase[] = [
  { name: 'since-cut-over', expert: 'vera', payment: { by: 'card', paidDays: -9 }, endsDays: -6, ends: paidOut },
]

t.test('what the old code left is paid to nobody, and a person is told what to decide', async t => {
  const world = await startMoneyWorld(t)
  const { db, playRound, stripe } = world
  const { findings, rows } = await plantOldCode(db, stripe, since)
  const fresh = await seedCases(db, stripe, paidSinceCutOver, now)
  const before = stripe.outflow()
  await playRound()
  await checkEndings(t, world, rows, since)
  await checkEndings(t, world, fresh)
  const { ledger, left } = await readOutflows(world, before)
  t.same(ledger, [`payouts ${accountId('vera')} eur 5100`], 'all that leaves is the money of the booking since then')
  t.same(left, ledger)
  const { rows: found } = await sql<{ kind: string; account: string }>`
    select f.kind, coalesce(f.details ->> 'account', f.subject) as account from jobs.findings f
    where f.subject not like 'payment_transfers %' and f.kind <> 'operation-held' order by 1, 2`.execute(db)
  t.same(
    found,
    findings.map(({ account, kind }) => ({ kind, account: accountId(account) })),
  )
})
