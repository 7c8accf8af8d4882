import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import pg from 'pg'
import type { Test } from 'tap'
import { createDatabase, type Db } from '../../src/database/connection.ts'

export interface TestDatabase {
  readonly db: Db
  readonly url: string
}

/** A private copy of the migrated template database, dropped when the test ends and its runs and leases are sound. */
export async function testDatabase(t: Test): Promise<TestDatabase> {
  const name = `t_${randomBytes(6).toString('hex')}`
  await runAsAdmin(`create database ${name} template template_test`)
  const url = new URL(serverUrl())
  url.pathname = `/${name}`
  const db = createDatabase({ connectionString: url.href, onError: () => {} })
  t.teardown(async () => {
    let broken: string[]
    try {
      broken = await listBrokenRows(db)
    } finally {
      await db.destroy()
      await runAsAdmin(`drop database if exists ${name} with (force)`)
    }
    if (broken.length > 0) throw new Error(`the test left what must never be: ${broken.join(', ')}`)
  })
  return { db, url: url.href }
}

/** What a check in the schema would forbid, if checks cost nothing: see migrations/0001_runs.ts. */
async function listBrokenRows(db: Db): Promise<string[]> {
  const { rows: found } = await sql<{ table: string | null }>`select to_regclass('jobs.runs') as table`.execute(db)
  // A test may have dropped the schema.
  if (found[0]?.table === null) return []
  const { rows } = await sql<{ broken: string }>`
    select format('run %s %s, finished %s', id, state, finished_at) as broken from jobs.runs
    where (state = 'running') <> (finished_at is null)
    union all
    select format('lease %s, owner %s, run %s', job, owner, run_id) from jobs.leases
    where (owner is null) <> (run_id is null)`.execute(db)
  return rows.map(row => row.broken)
}

/** An empty database without our schema or the marketplace's, dropped when the test ends. */
export async function emptyDatabase(t: Test): Promise<TestDatabase> {
  const name = `e_${randomBytes(6).toString('hex')}`
  await runAsAdmin(`create database ${name}`)
  const url = new URL(serverUrl())
  url.pathname = `/${name}`
  const db = createDatabase({ connectionString: url.href, onError: () => {} })
  t.teardown(async () => {
    await db.destroy()
    await runAsAdmin(`drop database if exists ${name} with (force)`)
  })
  return { db, url: url.href }
}

/** True when the run was asked for whole matrices (`npm run test:full`), not samples. */
export const isFullRun = process.env['TEST_FULL'] === '1'

async function runAsAdmin(statement: string): Promise<void> {
  const admin = new pg.Client({ connectionString: serverUrl() })
  await admin.connect()
  try {
    await admin.query(statement)
  } finally {
    await admin.end()
  }
}

function serverUrl(): string {
  const url = process.env['TEST_DATABASE_URL']
  if (url === undefined) throw new Error('TEST_DATABASE_URL is not set: run the tests with `npm test`')
  return url
}
