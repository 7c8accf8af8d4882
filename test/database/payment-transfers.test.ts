import { sql } from 'kysely'
import t from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { findCutOver, listGivenUpRows, listOpenTransfers } from '../../src/database/open-transfers.ts'
import { listTransferCandidates } from '../../src/database/payment-transfers.ts'
import type { OperationState } from '../../src/database/tables.ts'
import { addBooking } from '../support/bookings.ts'
import { testDatabase } from '../support/database.ts'
import { addOperation } from '../support/operations.ts'

const by = new Date('2026-03-10T12:00:00Z')

interface NewOperation {
  readonly state: OperationState
  readonly kind?: 'transfer' | 'payout'
  readonly createdAt?: string
  readonly wakeAt?: string
}

/** An operation of one row, as the ledger would have left it; gives its id. */
async function addRowOperation(db: Db, rowId: number, wanted: NewOperation): Promise<string> {
  const { createdAt = '2026-03-10T10:00:00Z', kind = 'transfer', state, wakeAt } = wanted
  const rows = { [rowId]: 8_500 }
  const times = wakeAt === undefined ? {} : { wake_at: new Date(wakeAt) }
  return await addOperation(db, { state, kind, rows, account: 'acct_1', created_at: new Date(createdAt), ...times })
}

/** Counts the statements that go through it. */
function countQueries(db: Db): { db: Db; count: () => number } {
  let queries = 0
  const counting = db.withPlugin({
    transformQuery: ({ node }) => {
      queries += 1
      return node
    },
    transformResult: async ({ result }) => result,
  })
  return { db: counting, count: () => queries }
}

const idsOf = async (db: Db): Promise<number[]> =>
  (await listTransferCandidates(db, { by })).rows.map(({ paymentTransferId }) => paymentTransferId)

t.test(
  'rows that wait for their transfer are candidates, the oldest appointment first, whatever their schedule',
  async t => {
    const { db } = await testDatabase(t)
    const late = await addBooking(db, { status: 'PENDING', startsAt: '2026-03-02T09:00:00Z' })
    const early = await addBooking(db, { status: 'READY', startsAt: '2026-02-01T09:00:00Z' })
    const middle = await addBooking(db, { status: 'APPROVED', startsAt: '2026-02-02T09:00:00Z' })
    const twin = await addBooking(db, { status: 'READY', startsAt: '2026-02-02T09:00:00Z' })
    for (const status of ['COMPLETED', 'PAID_OUT', 'FAILED', 'REFUNDED', 'DISPUTED'] as const)
      await addBooking(db, { status })
    t.same(await idsOf(db), [early, middle, twin, late])
    const limited = await listTransferCandidates(db, { by, limit: 3 })
    t.same([limited.rows.length, limited.left], [3, 1])
    t.same(await listTransferCandidates(db, { by, limit: 4 }).then(({ left }) => left), 0)
  },
)

t.test('an appointment ends with its meeting, else with its event, else nobody knows when', async t => {
  const { db } = await testDatabase(t)
  const startsAt = '2026-03-29T00:30:00Z'
  const meeting = await addBooking(db, { startsAt, meetingEndsAt: '2026-03-29T02:45:00.123Z' })
  const event = await addBooking(db, { startsAt, meetingEndsAt: null, durationMinutes: 45 })
  const gone = await addBooking(db, { startsAt, meetingEndsAt: null, durationMinutes: null })
  const noUuid = await addBooking(db, { startsAt, meetingEndsAt: null, durationMinutes: null, eventId: 'UNKNOWN' })
  const upperCase = await addBooking(db, {
    startsAt,
    meetingEndsAt: null,
    eventId: 'ABCDEF00-0000-4000-8000-000000000001',
  })
  const ends = new Map(
    (await listTransferCandidates(db, { by })).rows.map(row => [
      row.paymentTransferId,
      row.appointmentEndsAt?.toISOString(),
    ]),
  )
  t.equal(ends.get(meeting), '2026-03-29T02:45:00.123Z')
  t.equal(ends.get(event), '2026-03-29T01:15:00.000Z', 'UTC knows no change of clocks')
  t.equal(ends.get(gone), undefined)
  t.equal(ends.get(noUuid), undefined)
  t.equal(ends.get(upperCase), '2026-03-29T01:30:00.000Z')
})

t.test('a candidate carries what decides about it', async t => {
  const { db } = await testDatabase(t)
  const id = await addBooking(db, {
    account: 'acct_old',
    currentAccount: 'acct_new',
    country: 'us',
    currency: 'EUR',
    status: 'PENDING',
    requiresApproval: true,
    approvedBy: 'user_admin',
    transferId: 'tr_1',
    payoutId: 'po_1',
    createdAt: '2026-02-20T10:00:00Z',
    paymentIntentId: 'pi_x',
    expert: 'user_ana',
  })
  t.strictSame(await listTransferCandidates(db, { by }), {
    left: 0,
    unread: 0,
    rows: [
      {
        paymentTransferId: id,
        status: 'PENDING',
        paymentIntentId: 'pi_x',
        account: 'acct_old',
        currentAccount: 'acct_new',
        accountShared: false,
        amountCents: 8_500,
        currency: 'eur',
        country: 'us',
        requiresApproval: true,
        approvedBy: 'user_admin',
        appointmentEndsAt: new Date('2026-02-25T10:00:00Z'),
        createdAt: new Date('2026-02-20T10:00:00Z'),
        transferId: 'tr_1',
        payoutId: 'po_1',
        hasTwin: false,
        hasPayout: false,
        operation: undefined,
        declined: undefined,
        expert: 'user_ana',
      },
    ],
  })
})

t.test('an expert who is gone, a shared account and a second row of one payment are seen', async t => {
  const { db } = await testDatabase(t)
  await sql`alter table payment_transfers drop constraint payment_transfers_payment_intent_unique`.execute(db)
  await addBooking(db, { expert: 'user_gone', account: 'acct_gone' })
  await addBooking(db, { expert: 'user_a', account: 'acct_both' })
  await addBooking(db, { expert: 'user_b', account: 'acct_both' })
  await addBooking(db, { expert: 'user_c', account: 'acct_c', paymentIntentId: 'pi_twice' })
  await addBooking(db, { expert: 'user_c', paymentIntentId: 'pi_twice', status: 'PAID_OUT', meetingEndsAt: null })
  await sql`delete from users where "clerkUserId" = 'user_gone'`.execute(db)
  const { rows } = await listTransferCandidates(db, { by })
  t.match(
    rows.map(({ accountShared, country, currentAccount, hasTwin }) => ({
      accountShared,
      country,
      currentAccount,
      hasTwin,
    })),
    [
      { accountShared: false, country: null, currentAccount: null, hasTwin: false },
      { accountShared: true, currentAccount: 'acct_both', hasTwin: false },
      { accountShared: true, currentAccount: 'acct_both', hasTwin: false },
      { accountShared: false, currentAccount: 'acct_c', hasTwin: true },
    ],
  )
  t.equal(rows.length, 4, 'nothing is listed twice')
  await sql`update payment_transfers set status = 'FAILED' where status = 'PAID_OUT'`.execute(db)
  t.notOk((await listTransferCandidates(db, { by })).rows.at(-1)?.hasTwin, 'one that was closed is no twin')
  await sql`update payment_transfers set payout_id = 'po_1' where status = 'FAILED'`.execute(db)
  t.ok((await listTransferCandidates(db, { by })).rows.at(-1)?.hasTwin, 'unless it was paid')
})

t.test('the latest transfer of a row counts, and a payout of it is seen', async t => {
  const { db } = await testDatabase(t)
  const row = await addBooking(db)
  await addRowOperation(db, row, { state: 'canceled', createdAt: '2026-03-01T00:00:00Z' })
  const wakeAt = '2026-03-05T00:00:00Z'
  const latest = await addRowOperation(db, row, { state: 'blocked', createdAt: '2026-03-02T00:00:00Z', wakeAt })
  await addRowOperation(db, row, { state: 'failed', kind: 'payout' })
  const read = async () => (await listTransferCandidates(db, { by })).rows[0]
  t.match(await read(), {
    operation: {
      id: latest,
      state: 'blocked',
      reason: 'insufficient_funds',
      wakeAt: new Date(wakeAt),
      createdAt: new Date('2026-03-02'),
    },
    hasPayout: false,
  })
  await addRowOperation(db, row, { state: 'sending', kind: 'payout' })
  t.match(await read(), { operation: { id: latest }, hasPayout: true })
})

t.test('transfers that are not through are listed, whatever has become of their rows', async t => {
  const { db } = await testDatabase(t)
  const wanted: string[] = []
  for (const state of ['planned', 'sending', 'unknown'] as const) {
    wanted.push(await addRowOperation(db, await addBooking(db, { status: 'REFUNDED' }), { state }))
  }
  const wakeAt = '2026-03-11T00:00:00Z'
  const row = await addBooking(db)
  wanted.push(await addRowOperation(db, row, { state: 'blocked', wakeAt }))
  for (const state of ['held', 'created', 'failed', 'canceled', 'rejected'] as const) {
    await addRowOperation(db, await addBooking(db), { state })
  }
  wanted.push(await addRowOperation(db, await addBooking(db, { status: 'COMPLETED' }), { state: 'held' }))
  wanted.push(await addRowOperation(db, await addBooking(db, { transferId: 'tr_1' }), { state: 'held' }))
  await addRowOperation(db, await addBooking(db), { state: 'sending', kind: 'payout' })
  const open = await listOpenTransfers(db)
  t.same(
    open.map(({ id }) => id),
    wanted,
  )
  t.match(open.slice(4), [{ state: 'held' }, { state: 'held' }], 'held ones only where their row has changed')
  t.match(open[3], {
    state: 'blocked',
    wakeAt: new Date(wakeAt),
    amountCents: 8_500,
    currency: 'eur',
    account: 'acct_1',
    paymentTransferIds: [row],
  })
  t.equal((await listOpenTransfers(db, 2)).length, 2)
})

t.test('rows are given up when they FAILED three times, and not when their voucher ran out', async t => {
  const { db } = await testDatabase(t)
  const id = await addBooking(db, { status: 'FAILED', retryCount: 3 })
  await addBooking(db, { status: 'FAILED', retryCount: 2 })
  await addBooking(db, { status: 'FAILED', retryCount: null })
  await addBooking(db, { status: 'PENDING', retryCount: 3 })
  t.match(await listGivenUpRows(db, 3, 10), [{ paymentTransferId: id, retryCount: 3, amountCents: 8_500 }])
  t.equal((await listGivenUpRows(db, 3, 10)).length, 1)
})

t.test('the cut-over is what an operator set, else the first boot of the job that pays out', async t => {
  const { db } = await testDatabase(t)
  const since = new Date('2026-03-01T00:00:00Z')
  t.same(await findCutOver(db, since), since)
  t.equal(await findCutOver(db, undefined), undefined)
  const first_boot_at = new Date('2026-02-01T00:00:00Z')
  await db.insertInto('jobs.job_settings').values({ job: 'process-pending-payouts', first_boot_at }).execute()
  t.same(await findCutOver(db, undefined), first_boot_at)
})

t.test('rows whose expert was told are left out when they are not wanted', async t => {
  const { db } = await testDatabase(t)
  const told = await addBooking(db, { notifiedAt: '2026-03-01T12:00:00Z' })
  const untold = await addBooking(db)
  const { rows } = await listTransferCandidates(db, { by, unnotified: true })
  t.same(
    rows.map(({ paymentTransferId }) => paymentTransferId),
    [untold],
  )
  t.same(await idsOf(db), [told, untold])
})

t.test('the number of queries does not grow with the rows', async t => {
  const { db } = await testDatabase(t)
  await addBooking(db)
  const read = async (): Promise<number> => {
    const counted = countQueries(db)
    await listTransferCandidates(counted.db, { by })
    await listOpenTransfers(counted.db)
    await listGivenUpRows(counted.db, 3, 100)
    return counted.count()
  }
  const few = await read()
  for (let index = 0; index < 50; index += 1) await addBooking(db)
  t.equal(await read(), few)
  t.equal(few, 3)
})

t.test('rows that wait by what they say themselves crowd out none that may be due, and are not left', async t => {
  const { db } = await testDatabase(t)
  const startsAt = '2026-02-01T09:00:00Z'
  for (let index = 0; index < 5; index += 1)
    await addBooking(db, { startsAt, requiresApproval: true, approvedBy: null })
  await addRowOperation(db, await addBooking(db, { startsAt }), { state: 'held' })
  await addBooking(db, { startsAt: '2026-03-09T12:00:00.001Z' })
  const due = [
    await addBooking(db, { startsAt: '2026-03-01T09:00:00Z', requiresApproval: true, status: 'APPROVED' }),
    await addBooking(db, { startsAt: '2026-03-02T09:00:00Z', requiresApproval: true, approvedBy: 'user_admin' }),
    await addBooking(db, { startsAt: '2026-03-09T12:00:00.000Z' }),
  ]
  const read = async (limit: number, at = by) => {
    const { left, rows, unread } = await listTransferCandidates(db, { by: at, limit })
    return { left, unread, ids: rows.map(({ paymentTransferId }) => paymentTransferId) }
  }
  t.same(await read(3), { left: 0, unread: 7, ids: due })
  t.match(await read(5), { left: 0, ids: { length: 5 } })
  t.equal((await read(10)).ids.length, 10)
  t.match(await read(1), { left: 2, unread: 7, ids: { length: 1 } })
  const seen = new Set<number>()
  for (let hour = 0; hour < 48; hour += 1) {
    const { ids } = await read(1, new Date(by.getTime() + hour * 3_600_000))
    for (const id of ids) seen.add(id)
  }
  t.ok(
    due.every(id => seen.has(id)),
    'where not all of them fit, each has its turn',
  )
})
