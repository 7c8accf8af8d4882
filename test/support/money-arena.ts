import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { sql } from 'kysely'
import pg from 'pg'
import type { Test } from 'tap'
import type { Db } from '../../src/database/connection.ts'
import { startStripe, type StripeStandIn } from '../../src/sandbox/stripe.ts'
import { testDatabase } from './database.ts'
import { type MoneyChild, startMoneyChild } from './money-processes.ts'
import { type Reply, send } from './processes.ts'
import { requireDescribed, specPath } from './stripe.ts'

export type MoneyJob = 'process-expert-transfers' | 'process-pending-payouts'

/** One database, one Stripe and one clock, which processes of the service share; scenarios follow each other in it. */
export interface Arena {
  readonly db: Db
  readonly url: string
  readonly stripe: StripeStandIn
  readonly now: () => Date
  readonly advance: (ms: number) => void
  /** A running process; another one is made ready meanwhile. */
  take(): Promise<MoneyChild>
  /** Takes a process back that lives and stands nowhere. */
  giveBack(child: MoneyChild): void
  deliver(child: MoneyChild, job: MoneyJob, message: Message): Promise<Reply>
  /** What a killed process held runs out at once; otherwise every scenario would wait for it. */
  expireLeases(): Promise<void>
  /** Removes all that a scenario left in our tables and the marketplace's. */
  clear(): Promise<void>
}

export interface Message {
  readonly messageId: string
  readonly retried?: number
  readonly dryRun?: boolean
}

const start = '2026-03-10T06:00:30.000Z'

export async function createArena(t: Test, env: Readonly<Record<string, string>> = {}): Promise<Arena> {
  const { db, url } = await testDatabase(t)
  const clock = createClockFile(t)
  const stripe = await startStripe({ clock: clock.now, specPath })
  requireDescribed(t, stripe)
  t.teardown(async () => await stripe.close())
  const { secretKey: stripeKey, url: stripeUrl } = stripe
  const options = { databaseUrl: url, stripeUrl, stripeKey, clockFile: clock.file, env }
  const spares: Promise<MoneyChild>[] = []
  const prepare = (): void => {
    const spare = startMoneyChild(t, options)
    // Whoever takes it hears of it.
    spare.catch(() => {})
    spares.push(spare)
  }
  return {
    db,
    url,
    stripe,
    now: clock.now,
    advance: clock.advance,
    take: async () => {
      if (spares.length === 0) prepare()
      const child = await spares.shift()
      if (child === undefined) throw new Error('there is no process')
      if (spares.length === 0) prepare()
      return child
    },
    giveBack: child => {
      spares.unshift(Promise.resolve(child))
    },
    deliver: async (child, job, { dryRun = false, messageId, retried = 0 }) => {
      const query = dryRun ? '?dryRun=true' : ''
      return await send(child, { job, messageId, retried, query, now: clock.now() })
    },
    expireLeases: async () => {
      await sql`update jobs.leases set expires_at = clock_timestamp() - interval '1 second' where run_id is not null`.execute(
        db,
      )
    },
    clear: async () => await clearTables(url),
  }
}

const tables = [
  'jobs.money_operation_items',
  'jobs.money_operations',
  'jobs.outbox',
  'jobs.findings',
  'jobs.audit_entries',
  'jobs.runs',
  'jobs.leases',
  'jobs.delivery_tokens',
  'jobs.heartbeat_pings',
  'payment_transfers',
  'meetings',
  'events',
  'users',
]

/** Removes all that a scenario left in our tables and the marketplace's. */
export async function clearTables(url: string): Promise<void> {
  await withClient(url, async client => {
    await client.query(tables.map(table => `delete from ${table}`).join('; '))
  })
}

/** A copy of every table that knows of money, and of the rows it pays; `restore` puts it back as a backup would. */
export async function backUp(url: string): Promise<{ restore(): Promise<void> }> {
  const kept = tables.map((table, index) => [table, `backup_${index}`] as const)
  await withClient(url, async client => {
    const copies = kept.map(([table, copy]) => `drop table if exists ${copy}; create table ${copy} as table ${table}`)
    await client.query(copies.join('; '))
  })
  return {
    restore: async () => {
      await withClient(url, async client => {
        const steps = kept.flatMap(([table, copy]) => [
          `delete from ${table}`,
          `insert into ${table} overriding system value select * from ${copy}`,
        ])
        // As a replica: what was checked when it was written is not checked again, and no trigger fires.
        await client.query(`begin; set local session_replication_role = replica; ${steps.join('; ')}; commit`)
      })
    },
  }
}

/** Holds the rows of payment_transfers until `release`, so that whoever wants one waits. */
export async function holdRows(url: string): Promise<{ waited(): Promise<void>; release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: url })
  // The database may go while a scenario that failed still holds them: that failure is what has to be seen.
  client.on('error', () => {})
  await client.connect()
  await client.query('begin; select id from payment_transfers for update')
  const countWaiting = async (): Promise<number> => {
    // Within a transaction it is always the list of the first look: who connected since would never be seen.
    await client.query('select pg_stat_clear_snapshot()')
    const { rows } = await client.query<{ n: number }>(
      `select count(*)::integer as n from pg_locks where not granted and pid <> pg_backend_pid()
       and pid in (select pid from pg_stat_activity where datname = current_database())`,
    )
    return rows[0]?.n ?? 0
  }
  return {
    waited: async () => {
      while ((await countWaiting()) === 0) await new Promise(resolve => setTimeout(resolve, 10))
    },
    release: async () => {
      await client.query('rollback')
      await client.end()
    },
  }
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

function createClockFile(t: Test) {
  const directory = mkdtempSync(path.join(tmpdir(), 'eleva-jobs-clock-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  const file = path.join(directory, 'now')
  let now = new Date(start)
  const set = (to: Date): void => {
    now = to
    // In one piece, because others may be reading.
    writeFileSync(`${file}.next`, now.toISOString())
    renameSync(`${file}.next`, file)
  }
  set(now)
  return {
    file,
    now: () => now,
    advance: (ms: number) => {
      set(new Date(now.getTime() + ms))
    },
  }
}
