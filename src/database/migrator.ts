import fs from 'node:fs/promises'
import path from 'node:path'
import { sql } from 'kysely'
import type { Db } from './connection.ts'

const folder = path.join(import.meta.dirname, '../../migrations')
const schema = 'jobs'

/** What the database has compared with what this build brings. `newer` is what a later build left behind (rollback). */
export interface MigrationState {
  readonly pending: readonly string[]
  readonly newer: readonly string[]
}

/**
 * Brings schema `jobs` up to this build and returns the names that were applied. Forward only, all or nothing, and safe
 * to call twice or from several machines at once: the migrator holds a lock, the second one finds nothing to do.
 * A database that is newer than this build is left as it is.
 */
export async function migrateToLatest(db: Db): Promise<string[]> {
  const { newer, pending } = await readMigrationState(db)
  if (newer.length > 0) {
    if (pending.length === 0) return []
    throw new Error(
      `the database has migrations this build does not know (${newer.join(', ')}) and lacks ${pending.join(', ')}: deploy the newer build`,
    )
  }
  // Imported here because the migrator is the slowest part of kysely to load and a running service never needs it.
  const { FileMigrationProvider, Migrator } = await import('kysely/migration')
  const migrator = new Migrator({
    db,
    provider: new FileMigrationProvider({ fs, path, migrationFolder: folder }),
    migrationTableSchema: schema,
  })
  const { error, results } = await migrator.migrateToLatest()
  if (error !== undefined) {
    const failed = results?.find(result => result.status === 'Error')?.migrationName
    throw new Error(`the migration ${failed ?? 'of schema jobs'} failed and left nothing behind`, { cause: error })
  }
  return (results ?? []).map(result => result.migrationName)
}

/** Compares the applied migrations with the files of this build. Throws when the database cannot be reached. */
export async function readMigrationState(db: Db): Promise<MigrationState> {
  const known = await listMigrationNames()
  const applied = await listAppliedNames(db)
  return {
    pending: known.filter(name => !applied.has(name)),
    newer: [...applied].filter(name => !known.includes(name)).toSorted(),
  }
}

async function listMigrationNames(): Promise<string[]> {
  const files = await fs.readdir(folder)
  return files
    .filter(file => file.endsWith('.ts'))
    .map(file => path.basename(file, '.ts'))
    .toSorted()
}

async function listAppliedNames(db: Db): Promise<Set<string>> {
  const found = await sql<{ there: boolean }>`select to_regclass('jobs.kysely_migration') is not null as there`.execute(
    db,
  )
  if (found.rows[0]?.there !== true) return new Set()
  const applied = await sql<{ name: string }>`select name from jobs.kysely_migration`.execute(db)
  return new Set(applied.rows.map(row => row.name))
}
