import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { Test } from 'tap'
import { createDatabase, type Db } from '../../src/database/connection.ts'

export interface TestDatabase {
  readonly db: Db
  readonly url: string
}

/** A private copy of the migrated template database, dropped when the test ends. */
export async function testDatabase(t: Test): Promise<TestDatabase> {
  const name = `t_${randomBytes(6).toString('hex')}`
  await runAsAdmin(`create database ${name} template template_test`)
  const url = new URL(serverUrl())
  url.pathname = `/${name}`
  const db = createDatabase({ connectionString: url.href, onError: () => {} })
  t.teardown(async () => {
    await db.destroy()
    await runAsAdmin(`drop database if exists ${name} with (force)`)
  })
  return { db, url: url.href }
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
