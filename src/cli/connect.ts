import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { loadDatabaseUrl } from '../config.ts'
import { createDatabase, type Db } from '../database/connection.ts'
import { readMigrationState } from '../database/migrator.ts'
import { toError } from '../errors.ts'

/** The database cannot be used; the message says what to check and shows no address. */
export class UnreachableError extends Error {
  /** Waiting may help. */
  readonly mayPass: boolean

  constructor(message: string, mayPass: boolean, options?: ErrorOptions) {
    super(message, options)
    this.name = 'UnreachableError'
    this.mayPass = mayPass
  }
}

/** Works with the database of DATABASE_URL and closes it. Throws ConfigError, or UnreachableError with advice. */
export async function withDatabase<T>(work: (db: Db) => Promise<T>, statementTimeoutMs?: number): Promise<T> {
  const db = createDatabase({
    connectionString: loadDatabaseUrl(),
    maxConnections: 2,
    ...(statementTimeoutMs === undefined ? {} : { statementTimeoutMs }),
    // The query that was under way, or the next one, reports it.
    onError: () => {},
  })
  try {
    await reachDatabase(db)
    return await work(db)
  } finally {
    await db.destroy()
  }
}

/** Like `withDatabase`, for commands that read or write our tables: they must be as new as this build. */
export async function withLedger<T>(work: (db: Db) => Promise<T>): Promise<T> {
  return await withDatabase(async db => {
    await requireMigrated(db)
    return await work(db)
  })
}

/** Waits until our tables can be used, at most `budgetMs`. Throws UnreachableError with the last reason. */
export async function waitForLedger(db: Db, budgetMs: number, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now()
  for (;;) {
    try {
      await reachDatabase(db)
      await requireMigrated(db)
      return
    } catch (thrown) {
      const waited = performance.now() - startedAt + retryMs > budgetMs
      if (waited || signal.aborted || !(thrown instanceof UnreachableError) || !thrown.mayPass) throw thrown
    }
    await sleep(retryMs)
  }
}

/** Asks the database for nothing. Throws UnreachableError, which says what to check. */
export async function reachDatabase(db: Db): Promise<void> {
  try {
    await sql`select 1`.execute(db)
  } catch (thrown) {
    const cause = toError(thrown)
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
    const advice = ourMistakes[code ?? '']
    const message = `the database cannot be reached (${code ?? 'no answer in time'}): ${advice ?? usualAdvice}`
    throw new UnreachableError(message, advice === undefined, { cause })
  }
}

const retryMs = 500
const usualAdvice = 'check that it is up and that DATABASE_URL has its host and port'
const ourMistakes: Readonly<Record<string, string>> = {
  '28P01': 'check the user and the password in DATABASE_URL',
  '28000': 'check the user in DATABASE_URL, and whether the server asks for TLS',
  '3D000': 'there is no database of the name that DATABASE_URL has',
  ENOTFOUND: 'check the host in DATABASE_URL, its name does not resolve',
}

async function requireMigrated(db: Db): Promise<void> {
  const { pending } = await readMigrationState(db)
  if (pending.length === 0) return
  const message = `the database is behind this build (it lacks ${pending.join(', ')}): run \`npm run migrate\``
  throw new UnreachableError(message, false)
}
