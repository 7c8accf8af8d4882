import { sql } from 'kysely'
import { pino } from 'pino'
import type { Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { createDatabase, type Db } from '../../src/database/connection.ts'
import type { HeldLease } from '../../src/database/leases.ts'
import type { PaymentTransferStatus } from '../../src/database/tables.ts'
import { createLedger } from '../../src/ledger/create-ledger.ts'
import type { Ledger, LedgerRun, MoneyLimits, PayoutOrder, TransferOrder } from '../../src/ledger/ledger.ts'
import type { LedgerParts, LedgerStep } from '../../src/ledger/parts.ts'
import { addBooking } from '../support/bookings.ts'
import { testDatabase } from '../support/database.ts'
import { stoppedClock, type StoppedClock } from '../support/runner.ts'
import { scripted, type Booked, type Vendor } from './vendors.ts'

export const netCents = 6000
const start = '2026-03-10T06:00:00.000Z'

export interface World {
  readonly db: Db
  readonly url: string
  readonly clock: StoppedClock
  readonly vendor: Vendor
  /** A ledger of a process of its own, on a pool of its own when asked for. */
  readonly ledger: (overrides?: Partial<LedgerParts>) => Ledger
  /** A run that holds the lease of its job. */
  readonly run: (job?: string, overrides?: Partial<LedgerRun>) => Promise<LedgerRun>
  readonly pool: () => Db
  readonly addRow: (status: PaymentTransferStatus, booked: Booked, overrides?: RowOverrides) => Promise<number>
  readonly operations: () => Promise<Operations>
  readonly row: (id: number) => Promise<Row>
}

type Operations = Awaited<ReturnType<typeof readOperations>>
type Row = Awaited<ReturnType<typeof readRow>>

interface RowOverrides {
  readonly transferId?: string | null
  readonly amountCents?: number
  readonly expert?: string
  /** The account that the expert has today; the row's unless given. */
  readonly currentAccount?: string | null
}

/** A database, a vendor and a clock that stands still. */
export async function moneyWorld(
  t: Test,
  makeVendor: (t: Test, clock: () => Date) => Promise<Vendor> | Vendor = scripted,
  limits: Partial<MoneyLimits> = {},
): Promise<World> {
  const { db, url } = await testDatabase(t)
  const clock = stoppedClock(start)
  const vendor = await makeVendor(t, clock)
  const { payments, writes } = vendor
  const parts = {
    db,
    payments,
    writes,
    limits: { maxSingleCents: 100_000, maxTotalCents: 1_000_000, since: new Date('2020-01-01T00:00:00Z'), ...limits },
    newId: () => uuidv7(),
  }
  return {
    db,
    url,
    clock,
    vendor,
    ledger: overrides => createLedger({ ...parts, ...overrides }),
    run: async (job = 'process-pending-payouts', overrides = {}) => {
      const lease = await takeLease(db, job)
      const log = pino({ level: 'silent' })
      return { runId: uuidv7(), job, clock, signal: new AbortController().signal, log, lease, ...overrides }
    },
    pool: () => {
      const other = createDatabase({ connectionString: url, maxConnections: 2, onError: () => {} })
      t.teardown(async () => await other.destroy())
      return other
    },
    addRow: async (status, booked, overrides) => await addRow(db, vendor.account, status, booked, overrides),
    operations: async () => await readOperations(db),
    row: async id => await readRow(db, id),
  }
}

/** Takes the lease over, whoever had it, as a run would whose predecessor's has expired. */
async function takeLease(db: Db, job: string): Promise<HeldLease> {
  const owner = uuidv7()
  const { rows } = await sql<{ term: string }>`
    insert into jobs.leases as l (job, lane, owner, term, run_id, expires_at)
    values (${job}, '', ${owner}, 1, ${uuidv7()}, clock_timestamp() + interval '10 minutes')
    on conflict (job, lane) do update set owner = excluded.owner, term = l.term + 1, run_id = excluded.run_id,
      expires_at = excluded.expires_at
    returning term`.execute(db)
  return { job, owner, term: rows[0]?.term ?? '', isHeld: () => true }
}

async function addRow(
  db: Db,
  account: string,
  status: PaymentTransferStatus,
  { paymentIntentId, transferId }: Booked,
  { amountCents = netCents, currentAccount = account, expert = 'user_expert', transferId: given }: RowOverrides = {},
): Promise<number> {
  return await addBooking(db, {
    expert,
    account,
    currentAccount,
    paymentIntentId,
    status,
    amountCents,
    currency: 'EUR',
    transferId: given === undefined && status === 'COMPLETED' ? transferId : (given ?? null),
    startsAt: '2026-03-01T10:00:00Z',
    meetingEndsAt: '2026-03-01T11:00:00Z',
    serviceName: 'Consultation',
  })
}

async function readOperations(db: Db) {
  return await db.selectFrom('jobs.money_operations').selectAll().orderBy('id').execute()
}

async function readRow(db: Db, id: number) {
  const columns = ['status', 'transfer_id', 'payout_id', 'stripe_error_code', 'updated'] as const
  return await db.selectFrom('payment_transfers').select(columns).where('id', '=', id).executeTakeFirstOrThrow()
}

export function payoutOrder(account: string, ids: readonly number[], more: Partial<PayoutOrder> = {}): PayoutOrder {
  const rows = ids.map(paymentTransferId => ({ paymentTransferId, amountCents: netCents }))
  return { account, currency: 'eur', amountCents: netCents * ids.length, rows, ...more }
}

export function transferOrder(account: string, id: number, { chargeId }: Booked): TransferOrder {
  return {
    paymentTransferId: id,
    expectedStatus: 'PENDING',
    amountCents: netCents,
    currency: 'eur',
    account,
    chargeId,
  }
}

/** COMPLETED rows with their money on the account, and the order to pay them out. */
export async function duePayout(world: World, count = 1) {
  const ids: number[] = []
  for (let made = 0; made < count; made += 1) {
    ids.push(await world.addRow('COMPLETED', world.vendor.book('destination')))
  }
  return { ids, id: ids[0] ?? 0, order: payoutOrder(world.vendor.account, ids) }
}

/** An `onStep` that acts at one step alone. */
export function at(wanted: LedgerStep, act: () => unknown) {
  return async (step: LedgerStep): Promise<void> => {
    if (step === wanted) await act()
  }
}

/** Pauses a job as an operator does. */
export async function pause({ db }: World, job: string): Promise<void> {
  await sql`insert into jobs.job_settings (job, first_boot_at, paused_at, paused_by, pause_reason)
    values (${job}, now(), now(), 'ana', 'a test')`.execute(db)
}

/** Resolves once somebody in this database waits for a lock. */
export async function untilSomebodyWaits({ db }: World): Promise<void> {
  for (;;) {
    const { rows } = await sql`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
    if (rows.length > 0) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
