import { type RawNode, sql } from 'kysely'
import t from 'tap'
import { findPayoutOwners, listPayoutAccounts, listSentCents } from '../../src/database/payout-accounts.ts'
import { listOpenPayouts, listPayoutCandidates } from '../../src/database/payout-candidates.ts'
import type { Db } from '../../src/database/connection.ts'
import { wasSent, wasSentOnce } from '../../src/database/money-operations.ts'
import type { OperationState } from '../../src/database/tables.ts'
import { listUnexplained } from '../support/unexplained.ts'
import { addUser } from '../support/bookings.ts'
import { addFinding } from '../support/builders.ts'
import { testDatabase } from '../support/database.ts'
import { addOperation, addSettledRow } from '../support/operations.ts'
import { listedPayout } from '../support/payout-facts.ts'
import { addRow } from '../support/payout-world.ts'

const createdAt = new Date('2026-03-01T10:00:00Z')
const by = new Date('2026-03-10T12:00:00Z')
let last = 0

async function add(db: Db, wanted: Omit<Parameters<typeof addRow>[3], 'createdAt'> = {}, paymentIntentId?: string) {
  last += 1
  const ids = { paymentIntentId: paymentIntentId ?? `pi_candidate_${last}`, transferId: `tr_${last}` }
  return await addRow(db, 'acct_1', ids, { createdAt, expert: 'ana', ...wanted })
}

t.test(
  'candidates are COMPLETED rows that name no payout, oldest appointments first, and the rest is counted',
  async t => {
    const { db } = await testDatabase(t)
    await addUser(db, 'ana', 'acct_now', 'es')
    const younger = await add(db, { endsAt: new Date('2026-03-06T11:00:00Z') })
    const older = await add(db, { rowCurrency: 'EUR' })
    for (const status of ['PENDING', 'READY', 'APPROVED', 'FAILED', 'REFUNDED', 'DISPUTED', 'PAID_OUT'] as const) {
      await add(db, { status })
    }
    await add(db, { payoutId: 'po_1' })
    const { left, rows } = await listPayoutCandidates(db, { by })
    t.same([rows.map(row => row.paymentTransferId), left], [[older, younger], 0])
    t.match(rows[0], {
      account: 'acct_1',
      currentAccount: 'acct_now',
      expert: 'ana',
      hasTwin: false,
      createdAt,
      booking: {
        status: 'COMPLETED',
        requiresApproval: false,
        approvedBy: null,
        country: 'es',
        appointmentEndsAt: new Date('2026-03-05T11:00:00Z'),
        amountCents: 8_500,
        currency: 'eur',
      },
    })
    t.same([rows[0]?.operation, rows[0]?.earlier], [undefined, undefined])
    const first = await listPayoutCandidates(db, { by, limit: 1 })
    t.same([first.rows.length, first.left], [1, 1])
  },
)

t.test('an appointment ends as its meeting says, else by its event, else nobody knows', async t => {
  const { db } = await testDatabase(t)
  await add(db)
  const endOf = async () => (await listPayoutCandidates(db, { by })).rows[0]?.booking.appointmentEndsAt
  await sql`update payment_transfers set session_start_time = '2026-03-04 09:30'`.execute(db)
  t.same(await endOf(), new Date('2026-03-05T11:00:00Z'), 'a meeting that was moved')
  await addUser(db, 'ana', '')
  t.equal((await listPayoutCandidates(db, { by })).rows[0]?.currentAccount, null, 'an empty account is none')
  await sql`delete from users`.execute(db)
  await sql`delete from meetings`.execute(db)
  t.same(await endOf(), new Date('2026-03-04T10:30:00Z'))
  await sql`update payment_transfers set event_id = 'gone'`.execute(db)
  t.equal(await endOf(), null)
  t.match(
    (await listPayoutCandidates(db, { by })).rows[0],
    { currentAccount: null, booking: { country: null } },
    'nor the expert',
  )
})

t.test('a row knows the operation that it is in, and the one that came back', async t => {
  const { db } = await testDatabase(t)
  const id = await add(db)
  const read = async () => {
    const [row] = (await listPayoutCandidates(db, { by })).rows
    return [row?.operation?.id, row?.operation?.state, row?.earlier?.id, row?.earlier?.state]
  }
  const at = (day: number) => ({ rows: { [id]: 8_500 }, created_at: new Date(Date.UTC(2026, 2, day)) })
  await addOperation(db, { ...at(1), state: 'canceled' })
  t.same(await read(), [undefined, undefined, undefined, undefined], 'one that moved nothing is no past')
  const failed = await addOperation(db, { ...at(2), state: 'failed' })
  await addOperation(db, { ...at(1), state: 'failed' })
  await addOperation(db, { ...at(3), state: 'rejected', reason: 'no' })
  t.same(await read(), [undefined, undefined, failed, 'failed'])
  const live = await addOperation(db, { ...at(4), state: 'blocked', wake_at: new Date('2026-03-20T06:00:00Z') })
  t.same(await read(), [live, 'blocked', failed, 'failed'])
  const [row] = (await listPayoutCandidates(db, { by })).rows
  t.same(row?.operation?.wakeAt, new Date('2026-03-20T06:00:00Z'))
  await addOperation(db, { ...at(5), kind: 'transfer', state: 'created' })
  t.same(await read(), [live, 'blocked', failed, 'failed'], 'transfers are no payouts')
})

t.test('two rows of one payment know of each other, whatever the other one is', async t => {
  const { db } = await testDatabase(t)
  await sql`alter table payment_transfers drop constraint payment_transfers_payment_intent_unique,
    drop constraint payment_transfers_checkout_session_unique`.execute(db)
  await sql`alter table meetings drop constraint "meetings_stripePaymentIntentId_unique"`.execute(db)
  await add(db, {}, 'pi_twin')
  await add(db, { status: 'PAID_OUT' }, 'pi_twin')
  await add(db)
  const { rows } = await listPayoutCandidates(db, { by })
  t.same(
    rows.map(({ hasTwin }) => hasTwin),
    [true, false],
    'and the two meetings make no second candidate',
  )
})

t.test('payouts that are not through are listed, with those that may still come back', async t => {
  const { db } = await testDatabase(t)
  const since = new Date('2026-03-05T00:00:00Z')
  const open: OperationState[] = ['planned', 'held', 'sending', 'unknown', 'blocked', 'created']
  const ids = []
  for (const state of open) ids.push(await addOperation(db, { state, account: `acct_${state}` }))
  const arrived = await addOperation(db, { state: 'paid', finished_at: new Date(since.getTime() + 1) })
  await addOperation(db, { state: 'paid', finished_at: since })
  for (const state of ['failed', 'canceled', 'rejected'] as const) await addOperation(db, { state, reason: 'no' })
  await addOperation(db, { kind: 'transfer', state: 'unknown' })
  const listed = await listOpenPayouts(db, since)
  t.same(
    listed.operations.map(({ id }) => id),
    [...ids, arrived],
  )
  t.match(listed.operations[4], { state: 'blocked', account: 'acct_blocked', amountCents: 6_000, currency: 'eur' })
  t.match(
    await listOpenPayouts(db, since, 6),
    { operations: { length: 6 }, left: 1 },
    'those that money hangs on come first',
  )
})

t.test('payouts of years ago cost a run nothing', async t => {
  const { db } = await testDatabase(t)
  const open = await addOperation(db, { state: 'created' })
  await db.transaction().execute(async trx => {
    // Their rows do not matter here.
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`
      insert into jobs.money_operations (id, kind, subject, state, origin, idempotency_key, amount, currency, account,
        stripe_id, request, request_hash, run_id, first_sent_at, sends, vendor_status, created_at,
        updated_at, finished_at)
      select id, 'payout', 's', 'paid', 'sent', 'payout:' || id || ':g1', 100, 'eur', 'acct_1', 'po_' || id, '{}', '', id,
        '2025-01-01', 1, 'paid', '2025-01-01', '2025-01-01', '2025-01-01'
      from (select gen_random_uuid() as id from generate_series(1, 20_000)) s`.execute(trx)
  })
  await sql`analyze jobs.money_operations`.execute(db)
  const since = new Date('2026-03-05T00:00:00Z')
  const listed = await listOpenPayouts(db, since)
  t.same(
    listed.operations.map(({ id }) => id),
    [open],
  )
  let plan = ''
  const explaining = db.withPlugin({
    transformQuery: ({ node }) => {
      const { sqlFragments } = node as RawNode
      return { ...(node as RawNode), sqlFragments: [`explain ${sqlFragments[0]}`, ...sqlFragments.slice(1)] }
    },
    transformResult: async ({ result }) => {
      plan = result.rows.map(row => row['QUERY PLAN']).join('\n')
      return result
    },
  })
  await listOpenPayouts(explaining, since)
  for (const index of ['unsettled', 'paid', 'odd']) t.match(plan, `money_operations_${index}`)
  t.notMatch(plan, /Seq Scan on money_operations /)
})

t.test('a payout that was not sent names its rows that are not what it was made from any more', async t => {
  const { db } = await testDatabase(t)
  const changes = {
    unchanged: sql``,
    refunded: sql`set status = 'REFUNDED'`,
    corrected: sql`set amount = amount + 1`,
    paid: sql`set payout_id = 'po_1'`,
    currency: sql`set currency = 'USD'`,
    account: sql`set expert_connect_account_id = 'acct_2'`,
  }
  const rows: number[] = []
  for (const change of Object.values(changes)) {
    const id = await addSettledRow(db)
    rows.push(id)
    if (change !== changes.unchanged) await sql`update payment_transfers ${change} where id = ${id}`.execute(db)
  }
  const gone = 1_000_000
  const paid = Object.fromEntries([...rows, gone].map(id => [id, 6_000]))
  await addOperation(db, { account: 'acct_1', rows: paid })
  await addOperation(db, { account: 'acct_1', rows: { [gone + 1]: 6_000 }, state: 'blocked' })
  const { operations } = await listOpenPayouts(db, new Date('2026-03-05T00:00:00Z'))
  t.same(
    operations.map(({ changedRows }) => changedRows),
    [[...rows.slice(1), gone], [gone + 1]],
  )
  t.same(
    operations.map(operation => operation.rows),
    [[], [{ paymentTransferId: gone + 1, amountCents: 6_000 }]],
    'and what will be finished, all of its rows',
  )
})

t.test('accounts are the wanted ones and those of users, with their rows and the payouts that came back', async t => {
  const { db } = await testDatabase(t)
  await addUser(db, 'ana', 'acct_1')
  await addUser(db, 'rui', 'acct_1')
  await addUser(db, 'eva', 'acct_2')
  await addUser(db, 'none', null)
  await addUser(db, 'empty', '')
  const rows = { [await add(db)]: 8_500 }
  await add(db, { rowCurrency: 'EUR', rowCents: 500 })
  await add(db, { status: 'DISPUTED', rowCents: 300 })
  await add(db, { status: 'PAID_OUT', payoutId: 'po_1' })
  for (const status of ['PENDING', 'APPROVED', 'READY'] as const) await add(db, { status, isUnpaid: true })
  await add(db, { status: 'PENDING', rowCents: 700 })
  const transferred = await add(db, { status: 'PENDING', isUnpaid: true, rowCents: 50 })
  await sql`update payment_transfers set transfer_id = null where status in ('PENDING', 'APPROVED')
    and id <> ${transferred}`.execute(db)
  const day = (n: number) => new Date(Date.UTC(2026, 2, n))
  await addOperation(db, { rows, account: 'acct_1', state: 'failed', created_at: day(1) })
  await addOperation(db, { rows, account: 'acct_1', state: 'paid', created_at: day(2) })
  await addOperation(db, { rows, account: 'acct_1', state: 'failed', created_at: day(3) })
  await addOperation(db, { rows, account: 'acct_1', state: 'failed', created_at: day(4) })
  await addOperation(db, { rows, account: 'acct_1', state: 'failed', created_at: day(4), currency: 'usd' })
  const query = { wanted: ['acct_1', 'acct_gone'], othersLimit: 10, day: '2026-03-10' }
  const { accounts, left } = await listPayoutAccounts(db, query)
  t.same(accounts, [
    {
      id: 'acct_1',
      users: 2,
      rowSums: [
        { currency: 'eur', status: 'COMPLETED', cents: 9_000 },
        { currency: 'eur', status: 'DISPUTED', cents: 300 },
        { currency: 'eur', status: 'PENDING', cents: 750 },
        { currency: 'eur', status: 'READY', cents: 8_500 },
        { currency: 'eur', status: 'UNPAID', cents: 17_000 },
      ],
      failedPayouts: { eur: 2, usd: 1 },
    },
    { id: 'acct_gone', users: 0, rowSums: [], failedPayouts: {} },
    { id: 'acct_2', users: 1, rowSums: [], failedPayouts: {} },
  ])
  t.equal(left, 0)
})

t.test('where there are more accounts than a run looks at, each has its turn on some day', async t => {
  const { db } = await testDatabase(t)
  for (let id = 1; id <= 6; id += 1) await addUser(db, `expert ${id}`, `acct_${id}`)
  const seen = new Set<string>()
  for (let day = 1; day <= 30; day += 1) {
    const query = { wanted: ['acct_1'], othersLimit: 2, day: `2026-03-${day}` }
    const { accounts, left } = await listPayoutAccounts(db, query)
    t.same([accounts.length, accounts[0]?.id, left], [3, 'acct_1', 3])
    for (const { id } of accounts) seen.add(id)
  }
  t.equal(seen.size, 6)
})

t.test('a payout belongs to the operation that has it, or to one that may have made it', async t => {
  const { db } = await testDatabase(t)
  const made = await addOperation(db, { state: 'created', stripe_id: 'po_made' })
  const open = new Map<string, string>()
  for (const state of ['sending', 'unknown', 'blocked', 'planned', 'held'] as const) {
    open.set(state, await addOperation(db, { state, account: `acct_${state}` }))
  }
  // Approved after an earlier key had been sent, and known to have come to nothing.
  const renewed = { generation: 2, approved_by: 'ana', approved_at: createdAt }
  const id = await addOperation(db, { state: 'planned', account: 'acct_renewed' })
  await db
    .updateTable('jobs.money_operations')
    .set({ ...renewed, idempotency_key: `payout:${id}:g2` })
    .where('id', '=', id)
    .execute()
  open.set('renewed', id)
  const gone = await addOperation(db, { state: 'canceled' })
  const row = await add(db, { status: 'PAID_OUT', payoutId: 'po_row' })
  await addFinding(db, { kind: 'payout-unexplained', subject: 'po_open' })
  await addFinding(db, {
    kind: 'payout-unexplained',
    subject: 'po_closed',
    state: 'resolved',
    closed_at: createdAt,
    closed_by: 'ana',
  })
  const owners = await findPayoutOwners(db, [
    { id: 'po_made', operationId: made },
    ...[...open.values(), gone].map((operationId, index) => ({ id: `po_${index}`, operationId })),
    ...['po_row', 'po_open', 'po_closed'].map(id => ({ id, operationId: null })),
    { id: 'po_forged', operationId: "'; drop table users" },
  ])
  t.same([...owners.recorded], ['po_made'])
  t.same(
    owners.unsettled,
    new Map(['sending', 'unknown', 'blocked', 'renewed'].map(state => [open.get(state) ?? '', `acct_${state}`])),
    'what was never sent has made nothing',
  )
  const { rows } = await sql<{ id: string; sent: boolean }>`
    select o.id, ${wasSentOnce} as sent from jobs.money_operations o`.execute(db)
  const operations = await db.selectFrom('jobs.money_operations').selectAll().execute()
  t.same(
    new Map(rows.map(({ id, sent }) => [id, sent])),
    new Map(operations.map(operation => [operation.id, wasSent(operation)])),
    'the ledger says of each what the query does',
  )
  t.match([...owners.rows], [['po_row', [{ paymentTransferId: row, status: 'PAID_OUT', currency: 'eur' }]]])
  t.same([...owners.resolved], ['po_closed'])
  t.same([...owners.told], ['po_open'])
  t.same(await findPayoutOwners(db, []), {
    recorded: new Set(),
    unsettled: new Map(),
    rows: new Map(),
    resolved: new Set(),
    told: new Set(),
  })
})

t.test('the name of an operation explains a payout only where that may have made it', async t => {
  const { db } = await testDatabase(t)
  const account = 'acct_1'
  const others: Record<string, Parameters<typeof addOperation>[1]> = {
    'given up': { state: 'canceled' },
    'held, and never sent': { state: 'held' },
    'approved, and never sent': { state: 'planned', currency: 'usd' },
    'with another receipt': { state: 'created' },
    'of another account': { state: 'unknown', account: 'acct_2' },
    'a transfer': { state: 'unknown', kind: 'transfer' },
  }
  const payouts = [listedPayout('po_without_name')]
  for (const [name, other] of Object.entries(others)) {
    payouts.push(listedPayout(name, { operationId: await addOperation(db, { account, ...other }) }))
  }
  payouts.push(listedPayout('forged', { operationId: "'; drop table users" }))
  const sent = await addOperation(db, { account, state: 'unknown' })
  const blocked = await addOperation(db, { account, state: 'blocked' })
  const made = [sent, blocked].map(operationId => listedPayout(`po_of_${operationId}`, { operationId }))

  t.same((await listUnexplained(db, account, [...payouts, ...made])).toSorted(), payouts.map(({ id }) => id).toSorted())
})

t.test('a payout is explained by the rows of its account that account for all of it', async t => {
  const { db } = await testDatabase(t)
  const payout = listedPayout('po_hand', { amountCents: 17_000 })
  await add(db, { status: 'PAID_OUT', payoutId: 'po_hand' })
  t.same(await listUnexplained(db, 'acct_1', [payout]), ['po_hand'], 'half of it')
  const other = await add(db, { status: 'REFUNDED', payoutId: 'po_hand', rowCurrency: 'EUR' })
  t.same(await listUnexplained(db, 'acct_1', [payout]), [])
  t.same(await listUnexplained(db, 'acct_2', [payout]), ['po_hand'], 'of another account')
  t.same(await listUnexplained(db, 'acct_1', [{ ...payout, currency: 'usd' }]), ['po_hand'])
  t.same(await listUnexplained(db, 'acct_1', [{ ...payout, paymentTransferId: other }]), ['po_hand'], 'of the old jobs')
})

t.test('what was sent in a day counts by currency, unless it is known to have moved nothing', async t => {
  const { db } = await testDatabase(t)
  const since = new Date('2026-03-09T06:00:00Z')
  const just = new Date(since.getTime() + 1)
  for (const state of ['sending', 'unknown', 'created', 'paid', 'failed'] as const) {
    await addOperation(db, { state, account: `acct_${state}`, first_sent_at: just, last_sent_at: just })
  }
  await addOperation(db, { state: 'created', currency: 'usd', first_sent_at: just, last_sent_at: just })
  await addOperation(db, { state: 'created', first_sent_at: since, last_sent_at: since })
  await addOperation(db, { state: 'rejected', reason: 'no', first_sent_at: just, last_sent_at: just })
  await addOperation(db, { state: 'created', origin: 'recorded', first_sent_at: null, last_sent_at: null, sends: 0 })
  await addOperation(db, { state: 'held' })
  t.same(await listSentCents(db, since), { eur: 30_000, usd: 6_000 })
})

t.test('rows that wait by what they say themselves crowd out none that may be due, and are not left', async t => {
  const { db } = await testDatabase(t)
  const old = new Date('2026-02-01T10:00:00Z')
  for (let index = 0; index < 4; index += 1) await add(db, { endsAt: old })
  await sql`update payment_transfers set requires_approval = true`.execute(db)
  const held = await add(db, { endsAt: old })
  await addOperation(db, { state: 'held', rows: { [held]: 8_500 } })
  await add(db, { endsAt: new Date('2026-03-10T11:00:00Z') })
  const due = [await add(db, { endsAt: new Date('2026-03-02T10:00:00Z') }), await add(db)]
  const { left, rows } = await listPayoutCandidates(db, { by, limit: 2 })
  t.same([rows.map(row => row.paymentTransferId), left], [due, 0])
  t.equal((await listPayoutCandidates(db, { by, limit: 1 })).left, 1)
})

t.test('rows of accounts that are frozen or out of reach crowd out none of the others', async t => {
  const { db } = await testDatabase(t)
  const ids = { paymentIntentId: 'pi_other', transferId: 'tr_other' }
  for (let count = 0; count < 3; count += 1) await add(db)
  const other = await addRow(db, 'acct_2', ids, { createdAt, expert: 'bob', endsAt: new Date('2026-03-06T11:00:00Z') })
  const first = async () => {
    const { left, rows, unread } = await listPayoutCandidates(db, { by: new Date('2026-03-10T09:00:00Z'), limit: 1 })
    return { id: rows[0]?.paymentTransferId, left, unread }
  }
  for (const finding of [
    { kind: 'account-unreachable', subject: 'acct_1' },
    { kind: 'payout-unexplained', subject: 'po_1', details: JSON.stringify({ account: 'acct_1' }) },
  ]) {
    await db.deleteFrom('jobs.findings').execute()
    const id = await addFinding(db, finding)
    t.same(await first(), { id: other, left: 0, unread: 3 }, finding.kind)
    const resolved = { state: 'resolved' as const, closed_at: createdAt }
    await db.updateTable('jobs.findings').set(resolved).where('id', '=', id).execute()
    t.match(await first(), { left: 3, unread: 0 }, 'until it is over')
  }
})
