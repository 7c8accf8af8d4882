import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { readMigrationState } from '../database/migrator.ts'
import { toError } from '../errors.ts'
import { createProbe, type Probe, type ProbeFinding, type ProbeOptions } from './probe.ts'

export type DatabaseProbeOptions = Pick<ProbeOptions, 'clock' | 'log' | 'random'> & {
  /** The pool that the jobs use. */
  readonly db: Db
  /** A query that takes longer is a warning, as the first one after the database slept; 1 s unless given. */
  readonly slowMs?: number
}

// A refused login, and a database that does not exist: no waiting repairs these.
const ourMistakes = new Set(['28000', '28P01', '3D000'])

/**
 * `neon-database`: one `select 1` on the app's own pool, judged down after 2 s; the query that is left behind then is
 * ended by the pool's own limits. `waitMs` is the wait for a connection, so that a pool that is used up and a database
 * that is slow can be told apart.
 */
export function createDatabaseProbe({ db, slowMs = 1_000, ...options }: DatabaseProbeOptions): Probe {
  return createProbe({
    ...options,
    name: 'neon-database',
    critical: true,
    ttlMs: 15_000,
    timeoutMs: 2_000,
    check: async () => await ping(db, slowMs).catch(judgeRefusal),
  })
}

async function ping(db: Db, slowMs: number): Promise<ProbeFinding> {
  const askedAt = performance.now()
  return await db.connection().execute(async connection => {
    const connectedAt = performance.now()
    await sql`select 1`.execute(connection)
    const waitMs = Math.round(connectedAt - askedAt)
    const queryMs = Math.round(performance.now() - connectedAt)
    const observed = { waitMs, queryMs }
    if (waitMs + queryMs <= slowMs) return { state: 'up', observed }
    return { state: 'slow', output: `waited ${waitMs} ms for a connection and ${queryMs} ms for the answer`, observed }
  })
}

function judgeRefusal(thrown: unknown): ProbeFinding {
  const err = toError(thrown)
  if (!('code' in err) || typeof err.code !== 'string' || !ourMistakes.has(err.code)) throw err
  return { state: 'misconfigured', output: `the database refused us (${err.code}): is DATABASE_URL right?` }
}

/** `migrations`: whether the schema is at least what this build needs. Newer is fine: that is a rollback. */
export function createMigrationsProbe({ db, ...options }: Omit<DatabaseProbeOptions, 'slowMs'>): Probe {
  return createProbe({
    ...options,
    name: 'migrations',
    critical: true,
    ttlMs: 60_000,
    failureTtlMs: 3_000,
    timeoutMs: 2_000,
    check: async () => {
      const { pending } = await readMigrationState(db)
      if (pending.length === 0) return { state: 'up' }
      return { state: 'misconfigured', output: `not applied: ${pending.join(', ')}` }
    },
  })
}
