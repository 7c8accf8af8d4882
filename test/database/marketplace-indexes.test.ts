import { sql } from 'kysely'
import t from 'tap'
import { createDatabase, type Db } from '../../src/database/connection.ts'
import { buildIndexes, listMissingIndexes } from '../../src/database/marketplace-indexes.ts'
import { cli, json } from '../support/cli.ts'
import { emptyDatabase, testDatabase } from '../support/database.ts'

const name = 'meetings_startTime_idx'

const drop = async (db: Db) => await sql`drop index if exists ${sql.id(name)}`.execute(db)

const isValid = async (db: Db): Promise<boolean | undefined> => {
  const { rows } = await sql<{ valid: boolean }>`
    select i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid where c.relname = ${name}`.execute(
    db,
  )
  return rows[0]?.valid
}

t.test('an index is built once, and what a build left unusable is built anew', async t => {
  const { db } = await testDatabase(t)
  t.same(await listMissingIndexes(db), [], 'the tests have it too')
  await drop(db)
  t.same(await listMissingIndexes(db), [name])
  t.same(await buildIndexes(db), { built: [name], missing: [] })
  t.same(await buildIndexes(db), { built: [], missing: [] })
  await sql`update pg_index set indisvalid = false
    where indexrelid = (select oid from pg_class where relname = ${name})`.execute(db)
  t.equal(await isValid(db), false)
  t.same(await listMissingIndexes(db), [name])
  t.same(await buildIndexes(db), { built: [name], missing: [] })
  t.equal(await isValid(db), true)
})

t.test("an index of the site's own will do, and a table that is not there needs none", async t => {
  const { db } = await testDatabase(t)
  await drop(db)
  await sql`create index anything on meetings ("startTime", id)`.execute(db)
  t.same(await buildIndexes(db), { built: [], missing: [] })
  await sql`drop index anything`.execute(db)
  await sql`create index partly on meetings ("startTime") where timezone = 'UTC'`.execute(db)
  t.same(await listMissingIndexes(db), [name], 'half an index will not')
  const empty = await emptyDatabase(t)
  t.same(await buildIndexes(empty.db), { built: [], missing: [] })
})

t.test('the site goes on writing meanwhile, and two who migrate at once do not disturb each other', async t => {
  const { db, url } = await testDatabase(t)
  await drop(db)
  const other = createDatabase({ connectionString: url, onError: () => {} })
  t.teardown(async () => await other.destroy())
  let building: ReturnType<typeof buildIndexes> | undefined
  await db.transaction().execute(async trx => {
    // A writer whose transaction is open makes the build wait.
    await sql`lock table meetings in row exclusive mode`.execute(trx)
    building = buildIndexes(other)
    while ((await isValid(db)) === undefined) await new Promise(resolve => setTimeout(resolve, 5))
    t.match(await buildIndexes(db), { built: [], missing: [{ name, reason: /building/ }] })
    await sql`insert into events (name, slug, "durationInMinutes", "clerkUserId") values ('a', 'a', 1, 'a')`.execute(db)
    await sql`insert into meetings ("eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime", timezone)
      select id, 'a', 'a', 'a', now(), now(), 'UTC' from events`.execute(db)
  })
  t.same(await building, { built: [name], missing: [] })
  t.equal(await isValid(db), true)
})

t.test('an index that cannot be built is said, and nothing is thrown', async t => {
  const { db } = await testDatabase(t)
  await drop(db)
  await sql`create table ${sql.id(name)} (id integer)`.execute(db)
  const { built, missing } = await buildIndexes(db)
  t.same(built, [])
  t.equal(missing[0]?.name, name)
})

t.test('migrate tells what is missing, builds it, and says so', async t => {
  const { db, url } = await testDatabase(t)
  const env = { DATABASE_URL: url }
  await drop(db)
  const warning = new RegExp(`^warn +indexes +${name} is missing.*npm run migrate`, 'm')
  t.match(await cli(t, ['check'], env), { stdout: warning })
  t.match(await cli(t, ['migrate', '--dry-run'], env), { code: 2, stdout: new RegExp(`^missing ${name}: .*migrate`) })
  t.match(await cli(t, ['migrate'], env), { code: 0, stdout: `built ${name}\n` })
  t.match(await json(t, ['migrate'], env), { code: 0, document: { applied: [], indexes: { built: [], missing: [] } } })
  t.match(await cli(t, ['check'], env), { stdout: /^ok +indexes/m })
})
