import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import t from 'tap'
import { createDatabase, type Db } from '../../src/database/connection.ts'
import { migrateToLatest, readMigrationState } from '../../src/database/migrator.ts'
import { emptyDatabase } from '../support/database.ts'

const root = path.join(import.meta.dirname, '../..')
const names = (await readdir(path.join(root, 'migrations'))).map(file => path.basename(file, '.ts')).toSorted()
const run = promisify(execFile)

const listTables = async (db: Db): Promise<string[]> => {
  const { rows } = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'jobs' order by 1`.execute(db)
  return rows.map(({ name }) => name)
}

const listApplied = async (db: Db): Promise<string[]> => {
  const { rows } = await sql<{ name: string }>`select name from jobs.kysely_migration order by name`.execute(db)
  return rows.map(({ name }) => name)
}

t.test('migrations are pending, then applied in order, and a second call finds nothing to do', async t => {
  const { db } = await emptyDatabase(t)
  t.same(await readMigrationState(db), { pending: names, newer: [] })
  t.same(await migrateToLatest(db), names)
  t.same(await readMigrationState(db), { pending: [], newer: [] })
  const tables = await listTables(db)
  t.same(await migrateToLatest(db), [])
  t.same(await listTables(db), tables)
  t.same(await listApplied(db), names)
})

t.test('everything that migrations make is in schema jobs', async t => {
  const { db } = await emptyDatabase(t)
  await migrateToLatest(db)
  const { rows } = await sql`
    select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname not in ('jobs', 'pg_catalog', 'information_schema', 'pg_toast')
    union all
    select n.nspname, p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname not in ('jobs', 'pg_catalog', 'information_schema')`.execute(db)
  t.same(rows, [])
})

t.test('two connections that migrate at once apply each migration once', async t => {
  for (let round = 0; round < 3; round += 1) {
    const { db, url } = await emptyDatabase(t)
    const other = createDatabase({ connectionString: url, onError: () => {} })
    const applied = await Promise.all([migrateToLatest(db), migrateToLatest(other), migrateToLatest(other)])
    await other.destroy()
    t.same(applied.flat().toSorted(), names)
    t.same(await listApplied(db), names)
  }
})

t.test('two processes that migrate at once apply each migration once', async t => {
  const { db, url } = await emptyDatabase(t)
  const script = `
    import { createDatabase } from ${JSON.stringify(path.join(root, 'src/database/connection.ts'))}
    import { migrateToLatest } from ${JSON.stringify(path.join(root, 'src/database/migrator.ts'))}
    const db = createDatabase({ connectionString: process.argv[1], onError: () => {} })
    console.log(JSON.stringify(await migrateToLatest(db)))
    await db.destroy()`
  const outputs = await Promise.all(
    [1, 2].map(async () => await run(process.execPath, ['--input-type=module', '--eval', script, url], { cwd: root })),
  )
  t.same(outputs.flatMap(({ stdout }) => JSON.parse(stdout) as string[]).toSorted(), names)
  t.same(await listApplied(db), names)
})

t.test('a database that is ahead of this build is left as it is', async t => {
  const { db } = await emptyDatabase(t)
  await migrateToLatest(db)
  await sql`insert into jobs.kysely_migration (name, timestamp) values ('9999_later', '')`.execute(db)
  t.same(await migrateToLatest(db), [])
  t.same(await readMigrationState(db), { pending: [], newer: ['9999_later'] })
  t.same(await listApplied(db), [...names, '9999_later'])
})

t.test('a database that is ahead and behind at once is refused and left as it is', async t => {
  const { db } = await emptyDatabase(t)
  await migrateToLatest(db)
  const last = names.at(-1) ?? ''
  await sql`update jobs.kysely_migration set name = '9999_later' where name = ${last}`.execute(db)
  await t.rejects(migrateToLatest(db), new RegExp(`9999_later.*lacks ${last}`))
  t.same(await readMigrationState(db), { pending: [last], newer: ['9999_later'] })
})

t.test('a migration that fails leaves nothing behind, and can be repeated', async t => {
  const { db } = await emptyDatabase(t)
  // What the last migration wants to create is there already.
  await sql`create schema jobs`.execute(db)
  await sql`create table jobs.token_refreshes (id integer)`.execute(db)
  const err: unknown = await migrateToLatest(db).catch((thrown: unknown) => thrown)
  t.match(err, { message: /0005_token_refreshes failed/, cause: { message: /already exists/ } })
  t.same(
    (await listTables(db)).filter(name => !name.startsWith('kysely_')),
    ['token_refreshes'],
  )
  t.same((await readMigrationState(db)).pending, names)
  await sql`drop table jobs.token_refreshes`.execute(db)
  t.same(await migrateToLatest(db), names)
})
