import type { Db } from '../database/connection.ts'
import { buildIndexes, type BuiltIndexes, listMissingIndexes } from '../database/marketplace-indexes.ts'
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

/**
 * Brings schema `jobs` up to this build, and builds the indexes that our queries need on the site's tables. A dry run
 * lists what is missing, and gives 2 when there is something. An index that cannot be built is said, and is no failure.
 */
export async function migrate({ dryRun = false, json = false }: MigrateOptions): Promise<number> {
  return await withDatabase(async db => {
    const applied = dryRun ? [] : await applyAll(db)
    const { newer, pending } = await readMigrationState(db)
    const indexes = await addIndexes(db, dryRun)
    if (json) printJson({ dryRun, applied, pending, newer, indexes })
    else {
      for (const name of applied) printLine('applied', name)
      for (const name of pending) printLine('pending', name)
      for (const name of indexes.built) printLine('built', name)
      for (const { name, reason } of indexes.missing) printLine('missing', `${name}: ${reason}`)
      const found = [applied, pending, indexes.built, indexes.missing]
      if (found.every(({ length }) => length === 0)) printLine('nothing to do: the database is up to date')
      if (newer.length > 0) printLine(`the database is ahead of this build: ${newer.join(', ')}`)
    }
    return pending.length === 0 && !(dryRun && indexes.missing.length > 0) ? 0 : changesPending
  }, statementTimeoutMs)
}

async function addIndexes(db: Db, dryRun: boolean): Promise<BuiltIndexes> {
  if (!dryRun) return await buildIndexes(db)
  const names = await listMissingIndexes(db)
  return { built: [], missing: names.map(name => ({ name, reason: 'it is built by `npm run migrate`' })) }
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
