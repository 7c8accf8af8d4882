import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { createPreparing } from './prepared-statements.ts'
import type { Tables } from './tables.ts'

export type Db = Kysely<Tables>

export interface DatabaseOptions {
  readonly connectionString: string
  /** Most connections held at once. */
  readonly maxConnections?: number
  /** The server ends a statement that runs longer. */
  readonly statementTimeoutMs?: number
  /** Called for every error of a connection that no query is waiting for. */
  readonly onError: (err: Error) => void
}

const timestampOid = 1114
const dateOid = 1082

/**
 * Opens a bounded pool that never holds a caller for ever: 5 s to get a connection, 10 s for a statement (by the
 * server), 15 s for an answer (by us, for a server that went silent). Nothing connects before the first query.
 *
 * Marketplace timestamps have no zone and mean UTC, so they are read and
 * written as UTC whatever zone the process has; a `date` stays text, because it is a calendar day and no instant.
 */
export function createDatabase(options: DatabaseOptions): Db {
  const statementTimeoutMs = options.statementTimeoutMs ?? 10_000
  // Read by the driver at each parameter; the only way to send a Date to a zone-less column without the host's zone.
  pg.defaults.parseInputDatesAsUTC = true
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    application_name: 'eleva-jobs',
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    query_timeout: statementTimeoutMs + 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser },
    // Set by statement: as start-up parameters PgBouncer refuses them and Neon's pooler drops them.
    // oxlint-disable-next-line typescript/no-misused-promises -- the pool awaits it; only its types say void
    onConnect: async client => {
      await client.query(
        `select set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', '30000', false)`,
        [String(statementTimeoutMs)],
      )
    },
  })
  const prepare = createPreparing(options.onError)
  pool.on('error', options.onError)
  pool.on('connect', client => {
    // The pool listens for idle clients only: without this a connection lost in use would end the process.
    client.on('error', options.onError)
    hangUpOnSilence(client)
    prepare(client)
  })
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  pools.set(db, pool)
  return db
}

const pools = new WeakMap<object, pg.Pool>()

export interface PoolUse {
  readonly max: number
  /** Connections that a query, or a transaction, has at this moment. */
  readonly used: number
  /** Who wait for one. */
  readonly waiting: number
}

/** How much of the pool of a database from `createDatabase` is in use. */
export function readPoolUse(db: Db): PoolUse {
  const pool = pools.get(db)
  if (pool === undefined) throw new Error('this database has no pool of ours')
  return { max: pool.options.max, used: pool.totalCount - pool.idleCount, waiting: pool.waitingCount }
}

/** A connection whose answer did not come in time is broken: returned to the pool it would make the next query wait too. */
function hangUpOnSilence(client: pg.PoolClient): void {
  const inner = client as unknown as {
    query: (...args: unknown[]) => unknown
    connection: { stream: { destroy: () => void } }
  }
  const query = inner.query.bind(client)
  inner.query = (...args) => {
    const result = query(...args)
    if (result instanceof Promise) {
      result.catch((err: unknown) => {
        if (err instanceof Error && err.message === 'Query read timeout') inner.connection.stream.destroy()
      })
    }
    return result
  }
}

function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === timestampOid) return value => new Date(`${value.replace(' ', 'T')}Z`)
  if (oid === dateOid) return value => value
  return pg.types.getTypeParser(oid, format) as (value: string) => unknown
}
