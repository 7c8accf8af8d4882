import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../../src/database/connection.ts'
import { checkMarketplace } from '../../src/database/marketplace-check.ts'
import { type MarketplaceNeed, marketplaceNeeds, type TypeFamily } from '../../src/database/marketplace-needs.ts'
import { jobs } from '../../src/jobs/index.ts'
import { createLedger } from '../../src/ledger/create-ledger.ts'
import { applyMarketplace, type MarketplaceVariant } from '../../src/sandbox/marketplace.ts'
import { scripted } from '../ledger/vendors.ts'
import { emptyDatabase, testDatabase } from '../support/database.ts'
import { bookingOf } from '../support/holds.ts'
import { applyAll, planOf, testContext } from '../support/job-context.ts'
import { takeLease } from '../support/leases.ts'

const variants: readonly MarketplaceVariant[] = [
  {},
  { slotUnique: 'event-start-guest' },
  { paymentTransferUniques: false },
  { guestColumns: false, guestPhone: false, packSnapshots: false, processedEvents: false },
]

const execute = async (db: Db, statement: string): Promise<void> => {
  await sql.raw(statement).execute(db)
}

const read = async <Row>(db: Db, query: string): Promise<Row[]> => (await sql.raw<Row>(query).execute(db)).rows

/** Tries something on a database and takes it back. */
async function within(db: Db, work: (tx: Db) => Promise<void>): Promise<void> {
  const rollback = new Error('rollback')
  await db
    .transaction()
    .execute(async tx => {
      await work(tx)
      throw rollback
    })
    .catch((err: unknown) => {
      if (err !== rollback) throw err
    })
}

async function newMarketplace(t: Test, variant?: MarketplaceVariant): Promise<Db> {
  const { db } = await emptyDatabase(t)
  await applyMarketplace(db, variant)
  return db
}

t.test('the marketplace has the enums, keys, indexes and defaults that the site has', async t => {
  const db = await newMarketplace(t)
  t.same(
    await read(
      db,
      `select t.typname as type, string_agg(e.enumlabel, ' ' order by e.enumsortorder) as labels
       from pg_enum e join pg_type t on t.oid = e.enumtypid group by 1 order by 1`,
    ),
    [
      { type: 'day', labels: 'monday tuesday wednesday thursday friday saturday sunday' },
      { type: 'pack_purchase_status', labels: 'active fully_redeemed expired cancelled' },
      {
        type: 'payment_transfer_status_enum',
        labels: 'PENDING APPROVED READY COMPLETED FAILED REFUNDED DISPUTED PAID_OUT',
      },
      {
        type: 'subscription_status',
        labels: 'active canceled incomplete incomplete_expired past_due trialing unpaid',
      },
    ],
  )
  const indexes = await read<{ name: string }>(
    db,
    `select indexname as name from pg_indexes where schemaname = 'public' and tablename in ('payment_transfers',
      'blocked_dates', 'meetings', 'slot_reservations') order by 1`,
  )
  t.same(
    indexes.map(({ name }) => name),
    [
      'blocked_dates_pkey',
      'meetings_clerkUserId_idx',
      'meetings_eventId_idx',
      'meetings_paymentIntentId_idx',
      'meetings_payoutId_idx',
      'meetings_pkey',
      'meetings_sessionId_idx',
      'meetings_stripeApplicationFeeId_unique',
      'meetings_stripePaymentIntentId_unique',
      'meetings_stripeRefundId_unique',
      'meetings_stripeSessionId_unique',
      'meetings_stripeTransferId_unique',
      'meetings_stripe_payout_id_unique',
      'meetings_transferId_idx',
      'payment_transfers_checkout_session_unique',
      'payment_transfers_payment_intent_unique',
      'payment_transfers_pkey',
      'slot_reservations_active_slot_unique',
      'slot_reservations_clerk_user_id_idx',
      'slot_reservations_event_id_idx',
      'slot_reservations_expires_at_idx',
      'slot_reservations_payment_intent_id_idx',
      'slot_reservations_pkey',
      'slot_reservations_session_id_idx',
      'slot_reservations_stripe_payment_intent_id_unique',
      'slot_reservations_stripe_session_id_unique',
    ],
  )
  await execute(db, addBooking('pi_1', 'cs_1'))
  t.match(await read(db, 'select status::text, currency, retry_count, requires_approval from payment_transfers'), [
    { status: 'PENDING', currency: 'eur', retry_count: 0, requires_approval: false },
  ])
  const zoned = await read<{ where: string }>(
    db,
    `select table_name || '.' || column_name as "where" from information_schema.columns
     where table_schema = 'public' and data_type = 'timestamp with time zone'`,
  )
  t.same(zoned, [], 'no time of the marketplace has a zone')
})

const addBooking = (paymentIntent: string, session: string): string =>
  `insert into payment_transfers (payment_intent_id, checkout_session_id, event_id, expert_connect_account_id,
     expert_clerk_user_id, amount, platform_fee, session_start_time, scheduled_transfer_time)
   values ('${paymentIntent}', '${session}', 'e', 'acct_1', 'user_1', 8500, 1500, '2026-05-10', '2026-05-20')`

const addEvent = `insert into events (id, name, slug, "durationInMinutes", "clerkUserId")
  values ('00000000-0000-0000-0000-000000000001', 'Talk', 'talk', 45, 'user_1')`

const addHold = (guest: string): string =>
  `insert into slot_reservations (event_id, clerk_user_id, guest_email, start_time, end_time, expires_at)
   values ('00000000-0000-0000-0000-000000000001', 'user_1', '${guest}', '2026-05-10 10:00', '2026-05-10 11:00',
     '2026-05-10 09:00')`

t.test('a slot belongs to one guest, or to one hold of each guest, as the variant says', async t => {
  const strict = await newMarketplace(t)
  await execute(strict, addEvent)
  await execute(strict, addHold('ana@example.com'))
  await t.rejects(execute(strict, addHold('rui@example.com')), /slot_reservations_active_slot_unique/)

  const loose = await newMarketplace(t, { slotUnique: 'event-start-guest' })
  await execute(loose, addEvent)
  await execute(loose, addHold('ana@example.com'))
  await execute(loose, addHold('rui@example.com'))
  await t.rejects(execute(loose, addHold('rui@example.com')), /slot_reservations_active_slot_unique/)
  await execute(loose, 'delete from events')
  t.same(await read(loose, 'select id from slot_reservations'), [], 'holds go with their event')
})

t.test('each drifting column, constraint and table can be left out', async t => {
  const full = await newMarketplace(t)
  await execute(full, addBooking('pi_1', 'cs_1'))
  await t.rejects(execute(full, addBooking('pi_1', 'cs_2')), /payment_intent_unique/)
  await t.rejects(execute(full, addBooking('pi_2', 'cs_1')), /checkout_session_unique/)

  const bare = await newMarketplace(t, { paymentTransferUniques: false, ...variants.at(-1) })
  await execute(bare, addBooking('pi_1', 'cs_1'))
  await execute(bare, addBooking('pi_1', 'cs_1'))
  const columns = `select table_name || '.' || column_name as name from information_schema.columns
    where table_schema = 'public' order by 1`
  const there = new Set((await read<{ name: string }>(bare, columns)).map(({ name }) => name))
  const gone = (await read<{ name: string }>(full, columns)).map(({ name }) => name).filter(name => !there.has(name))
  t.same(gone, [
    'pack_purchases.expert_clerk_user_id',
    'pack_purchases.gross_amount',
    'pack_purchases.net_amount',
    'pack_purchases.platform_fee_amount',
    'payment_transfers.guest_email',
    'payment_transfers.guest_name',
    'payment_transfers.guest_phone',
    'payment_transfers.service_name',
    'stripe_processed_events.event_id',
    'stripe_processed_events.event_type',
    'stripe_processed_events.processed_at',
  ])
})

t.test('the marketplace is created whole or not at all', async t => {
  const { db } = await emptyDatabase(t)
  await execute(db, 'create table audit_logs (id integer)')
  await t.rejects(applyMarketplace(db), /audit_logs/)
  t.same(await read(db, "select tablename from pg_tables where schemaname = 'public'"), [{ tablename: 'audit_logs' }])
})

t.test('every known form of the marketplace has what the jobs cannot do without', async t => {
  for (const variant of variants) {
    const db = await newMarketplace(t, variant)
    const { degraded, missing } = await checkMarketplace(db, marketplaceNeeds)
    t.same(missing, [], JSON.stringify(variant))
    const lost = new Set(degraded.map(line => line.split(':')[0]))
    const expected = [
      ...(variant.paymentTransferUniques === false ? ['payment_transfers'] : []),
      ...(variant.guestColumns === false ? ['payment_transfers.service_name'] : []),
    ]
    t.same(lost, new Set(expected), JSON.stringify(variant))
  }
})

t.test('each column that a job needs is missed when it is gone, and when it has another type', async t => {
  const db = await newMarketplace(t)
  const others: Record<TypeFamily, string> = {
    boolean: 'text',
    date: 'text',
    integer: 'bigint',
    text: 'jsonb using null',
    timestamp: 'timestamptz',
    transfer_status: 'text',
    uuid: 'text',
  }
  // A key that another table refers to cannot change its type.
  for (const table of ['events', 'schedules']) {
    await execute(
      db,
      `alter table ${table} drop constraint ${table}_pkey cascade; alter table ${table} add primary key (id)`,
    )
  }
  for (const { columns, job, lost, table } of marketplaceNeeds) {
    const kind = lost === undefined ? 'missing' : 'degraded'
    for (const [column, family] of Object.entries(columns)) {
      const where = `${table}.${column}: expected`
      await within(db, async tx => {
        await execute(tx, `alter table ${table} drop column "${column}" cascade`)
        const lines = (await checkMarketplace(tx, marketplaceNeeds))[kind]
        t.match(
          lines.find(line => line.startsWith(where) && line.includes(`${job} needs it`)),
          /found no such column/,
        )
      })
      await within(db, async tx => {
        await execute(
          tx,
          `alter table ${table} alter "${column}" drop default, alter "${column}" type ${others[family]}`,
        )
        const lines = (await checkMarketplace(tx, marketplaceNeeds))[kind]
        const found = lines.find(line => line.startsWith(where) && line.includes(`${job} needs it`))
        t.match(found, /found (?:text|bigint|jsonb|timestamp with time zone)/)
        if (lost !== undefined) t.match(found, `without it ${lost}`)
      })
    }
  }
})

t.test('all that is missing is listed at once', async t => {
  const db = await newMarketplace(t)
  await execute(db, 'alter table blocked_dates drop column date, drop column timezone; drop table profiles')
  const { degraded, missing } = await checkMarketplace(db, marketplaceNeeds)
  t.same(
    missing.map(line => line.split(';')[0]),
    [
      'blocked_dates.date: expected date, found no such column',
      'blocked_dates.timezone: expected text or character varying or character, found no such column',
    ],
  )
  t.same(
    degraded.map(line => line.split(', and')[0]),
    [
      'profiles: expected a table, found none of that name; keep-alive needs it',
      'profiles: expected a table, found none of that name; process-tasks needs it',
    ],
  )
})

t.test('an empty database lacks every table and is no crash', async t => {
  const { db } = await emptyDatabase(t)
  const { degraded, missing } = await checkMarketplace(db, marketplaceNeeds)
  const lack = (lines: readonly string[]) => [...new Set(lines.map(line => line.split(',')[0] ?? ''))].toSorted()
  t.same(lack(missing), [
    'blocked_dates: expected a table',
    'events: expected a table',
    'meetings: expected a table',
    'payment_transfers: expected a table',
    'schedules: expected a table',
    'slot_reservations: expected a table',
    'users: expected a table',
  ])
  t.same(lack(degraded), [
    'meetings: expected a table',
    'payment_transfers: expected a table',
    'profiles: expected a table',
  ])
})

const need = (table: string, ...uniques: string[][]): MarketplaceNeed[] => [
  { job: 'test-job', table, columns: {}, uniques },
]

t.test('a unique constraint counts when it covers exactly those columns, of all rows', async t => {
  const db = await newMarketplace(t)
  const lacks = async (needs: MarketplaceNeed[]): Promise<boolean> =>
    (await checkMarketplace(db, needs)).missing.length > 0
  t.equal(await lacks(need('blocked_dates', ['id'])), false, 'a primary key')
  t.equal(await lacks(need('slot_reservations', ['event_id', 'start_time'], ['stripe_session_id'])), false)
  t.equal(await lacks(need('slot_reservations', ['start_time', 'event_id'])), false, 'in any order')
  t.equal(await lacks(need('slot_reservations', ['event_id'])), true, 'not more columns')
  t.equal(await lacks(need('slot_reservations', ['event_id', 'start_time', 'guest_email'])), true, 'not fewer')
  t.equal(await lacks(need('scheduleAvailabilities', ['id'])), false, 'a name in camel case')
  t.equal(await lacks(need('meetings', ['clerkUserId'])), true, 'a plain index is none')
  await execute(
    db,
    `create unique index on meetings ("clerkUserId") where "guestNotes" is null;
     create unique index on meetings (lower("clerkUserId"));
     create unique index on meetings ("guestName") include (timezone)`,
  )
  t.equal(await lacks(need('meetings', ['clerkUserId'])), true, 'nor one over some rows, or over an expression')
  t.equal(await lacks(need('meetings', ['guestName'])), false, 'columns that ride along do not count')
  await execute(db, 'alter table blocked_dates drop constraint blocked_dates_pkey')
  t.match((await checkMarketplace(db, marketplaceNeeds)).missing, [/blocked_dates: expected \(id\) to be unique/])
})

t.test('the whole check is one query, and every job that is named exists', async t => {
  const { db } = await testDatabase(t)
  let queries = 0
  const counted = new Proxy(db, {
    get: (target, name) => {
      if (name === 'getExecutor') queries += 1
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  await checkMarketplace(counted, marketplaceNeeds)
  t.equal(queries, 1)
  const names = new Set(jobs.map(job => job.name))
  t.same(
    marketplaceNeeds.filter(({ job }) => !names.has(job)),
    [],
  )
})

t.test('the jobs touch nothing of the marketplace but what they say they need', async t => {
  const { db } = await testDatabase(t)
  await execute(db, 'drop schema public cascade; create schema public')
  await createOnlyWhatIsNeeded(db)
  await runAll(t, db)
})

t.test('the jobs do without what they say they can do without', async t => {
  const { db } = await testDatabase(t)
  await execute(db, 'drop schema public cascade; create schema public')
  await createOnlyWhatIsNeeded(db)
  await execute(db, 'alter table payment_transfers drop column service_name')
  await runAll(t, db)
})

/** Runs every job on a marketplace where each of them has something to do. */
async function runAll(t: Test, db: Db): Promise<void> {
  await execute(db, `insert into blocked_dates values (1, '2026-05-01', 'UTC'); insert into profiles values ('user_1')`)
  const now = '2026-05-10T00:00:00Z'
  const { payments, writes, ...vendor } = scripted(t, () => new Date(now))
  const limits = { maxSingleCents: 100_000, maxTotalCents: 100_000, since: new Date('2026-01-01T00:00:00Z') }
  await addNeededBooking(db, vendor.account, vendor.book('destination'), '2026-05-01 10:00')
  await addNeededBooking(db, vendor.account, vendor.book('destination'), '2026-05-09 23:00')
  await execute(
    db,
    `insert into slot_reservations (id, guest_email, start_time, end_time, expires_at, stripe_payment_intent_id, created_at)
     values (gen_random_uuid(), 'g@example.com', '2026-06-01', '2026-06-01', '2026-05-12', 'pi_voucher', '2026-05-05'),
       (gen_random_uuid(), '', '2026-06-02', '2026-06-02', '2026-05-09', null, '2026-05-09');
     insert into events (id, name, price, "durationInMinutes")
     values ('00000000-0000-4000-8000-000000000001', 'Consultation', 1, 60);
     insert into meetings (id, "eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime", timezone,
       "stripePaymentStatus", "createdAt")
     select gen_random_uuid(), '00000000-0000-4000-8000-000000000001', 'user_1', 'g@example.com', 'G', starts, starts, 'UTC',
       'succeeded', '2026-05-01' from unnest('{2026-05-10 01:00,2026-05-11}'::timestamp[]) starts`,
  )
  const ledger = createLedger({ db, payments, writes, limits, newId: () => uuidv7() })
  const readBooking = async (id: string) =>
    bookingOf(id, { voucher: { ...bookingOf(id).voucher!, expiresAt: new Date('2026-05-12') } })
  for (const job of jobs) {
    const context = testContext(db, now, {
      job: job.name,
      ledger,
      lease: await takeLease(db, job.name),
      providers: {
        payments: { ...payments, readBooking },
        calendarTokens: { refresh: async () => 'refreshed', markDisconnected: async () => {} },
      },
    })
    const plan = await planOf(job, context)
    t.ok(plan.effects.length > 0, job.name)
    await applyAll(job, plan.effects, context)
  }
  t.same(await read(db, 'select status::text from payment_transfers order by id'), [
    { status: 'PAID_OUT' },
    { status: 'READY' },
  ])
  t.equal((await read(db, "select 1 from jobs.outbox where kind = 'payout-upcoming'")).length, 1)
}

/** The marketplace with nothing in it but the tables and columns that jobs say they need. */
async function createOnlyWhatIsNeeded(db: Db): Promise<void> {
  await execute(
    db,
    `create type payment_transfer_status_enum as enum ('PENDING', 'APPROVED', 'READY', 'COMPLETED', 'FAILED',
      'REFUNDED', 'DISPUTED', 'PAID_OUT')`,
  )
  const typeOf = (family: TypeFamily): string =>
    family === 'transfer_status' ? 'payment_transfer_status_enum' : family
  const tables = new Map<string, Set<string>>()
  for (const { columns, table } of marketplaceNeeds) {
    const known = tables.get(table) ?? new Set()
    for (const [name, family] of Object.entries(columns)) known.add(`"${name}" ${typeOf(family)}`)
    tables.set(table, known)
  }
  for (const [table, columns] of tables) await execute(db, `create table ${table} (${[...columns].join(', ')})`)
}

async function addNeededBooking(
  db: Db,
  account: string,
  { paymentIntentId }: { readonly paymentIntentId: string },
  endsAt: string,
): Promise<void> {
  await execute(
    db,
    `insert into payment_transfers (id, payment_intent_id, event_id, expert_connect_account_id, expert_clerk_user_id,
       amount, currency, session_start_time, status, created, updated)
     select count(*) + 1, '${paymentIntentId}', 'e', '${account}', 'user_1', 6000, 'eur', '${endsAt}', 'READY',
       '2026-04-20', '2026-04-20' from payment_transfers;
     insert into meetings ("stripePaymentIntentId", "endTime") values ('${paymentIntentId}', '${endsAt}');
     insert into users ("clerkUserId", country, stripe_connect_account_id)
     select 'user_1', 'PT', '${account}' where not exists (select from users)`,
  )
}
