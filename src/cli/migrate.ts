import type { Db } from '../database/connection.ts'
import { migrateToLatest, readMigrationState } from '../database/migrator.ts'
import { toError } from '../errors.ts'
import { withDatabase } from './connect.ts'
import { printJson, printLine } from './print.ts'

export interface MigrateOptions {
  readonly dryRun?: boolean
  readonly json?: boolean
}

const changesPending = 2
// An index over many rows takes its time, and another machine may hold the lock meanwhile.
const statementTimeoutMs = 10 * 60_000

/** Brings schema `jobs` up to this build. A dry run lists what is missing, and gives 2 when there is something. */
export async function migrate({ dryRun = false, json = false }: MigrateOptions): Promise<number> {
  return await withDatabase(async db => {
    const applied = dryRun ? [] : await applyAll(db)
    const { newer, pending } = await readMigrationState(db)
    if (json) printJson({ dryRun, applied, pending, newer })
    else {
      for (const name of applied) printLine('applied', name)
      for (const name of pending) printLine('pending', name)
      if (applied.length + pending.length === 0) printLine('nothing to do: the database is up to date')
      if (newer.length > 0) printLine(`the database is ahead of this build: ${newer.join(', ')}`)
    }
    return pending.length === 0 ? 0 : changesPending
  }, statementTimeoutMs)
}

/** Says what Postgres said too: the migration's name alone helps nobody. */
async function applyAll(db: Db): Promise<string[]> {
  try {
    return await migrateToLatest(db)
  } catch (thrown) {
    const { cause, message } = toError(thrown)
    throw new Error(cause instanceof Error ? `${message}: ${cause.message}` : message, { cause: thrown })
  }
}
