import { CompiledQuery, sql } from 'kysely'
import t, { type Test } from 'tap'
import { createDatabase, type Db } from '../../src/database/connection.ts'
import { prepared } from '../../src/database/prepared-statements.ts'
import { testDatabase } from '../support/database.ts'

const marked = prepared('select $1::integer as one')

interface Statement {
  readonly name: string
  readonly statement: string
}

async function open(t: Test): Promise<{ db: Db; errors: Error[] }> {
  const { url } = await testDatabase(t)
  const errors: Error[] = []
  const db = createDatabase({ connectionString: url, maxConnections: 1, onError: err => errors.push(err) })
  t.teardown(async () => {
    await db.destroy()
  })
  return { db, errors }
}

async function ask(db: Db, text = marked): Promise<unknown> {
  return (await db.executeQuery(CompiledQuery.raw(text, [1]))).rows
}

async function listPrepared(db: Db): Promise<Statement[]> {
  return (await sql<Statement>`select name, statement from pg_prepared_statements`.execute(db)).rows
}

t.test('a marked statement is prepared once, under a name that tells its text; others are not', async t => {
  const { db, errors } = await open(t)
  t.same([await ask(db), await ask(db)], [[{ one: 1 }], [{ one: 1 }]])
  await ask(db, 'select $1::integer as other')
  const statements = await listPrepared(db)
  t.same(
    statements.map(({ statement }) => statement),
    [marked],
  )
  t.match(statements[0]?.name, /^jobs_[0-9a-f]{16}$/)
  t.same(errors, [])
})

t.test('a pooler that lost the name costs nothing but one warning', async t => {
  const { db, errors } = await open(t)
  await ask(db)
  await sql`deallocate all`.execute(db)
  t.same([await ask(db), await ask(db)], [[{ one: 1 }], [{ one: 1 }]])
  t.equal(errors.length, 1)
  t.match(errors[0]?.message, /prepared statements are refused/)
  await ask(db, prepared('select $1::integer as later'))
  t.same(await listPrepared(db), [], 'no name is tried again')
})

t.test('nor does one that gives a connection on which somebody else used the name', async t => {
  const { db: first } = await open(t)
  await ask(first)
  const name = (await listPrepared(first))[0]?.name ?? ''
  const { db, errors } = await open(t)
  await sql.raw(`prepare ${name} as select 2 as two`).execute(db)
  t.same(await ask(db), [{ one: 1 }])
  t.equal(errors.length, 1)
})

t.test('a result that has another shape now is asked for without the name', async t => {
  const { db, errors } = await open(t)
  await sql`create table shapes (one integer)`.execute(db)
  const text = prepared('select * from shapes where $1::integer = 1')
  await ask(db, text)
  await sql`alter table shapes add column two integer`.execute(db)
  await sql`insert into shapes values (1, 2)`.execute(db)
  t.same(await ask(db, text), [{ one: 1, two: 2 }])
  t.equal(errors.length, 1)
})

t.test('any other error is the caller’s, and is not tried again', async t => {
  const { db, errors } = await open(t)
  await sql`create sequence calls`.execute(db)
  const text = prepared(`select 1 / (nextval('calls') * 0 * $1::integer)`)
  await t.rejects(ask(db, text), { code: '22012' })
  const { rows } = await sql<{ calls: string }>`select last_value as calls from calls`.execute(db)
  t.equal(Number(rows[0]?.calls), 1)
  t.same(errors, [])
})
