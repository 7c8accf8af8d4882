import { sql } from 'kysely'
import t from 'tap'
import { createDatabase } from '../../src/database/connection.ts'
import { testDatabase } from '../support/database.ts'

t.test('a connection that is lost in the middle of a transaction is reported and ends nothing else', async t => {
  const { db: admin, url } = await testDatabase(t)
  const errors: Error[] = []
  const db = createDatabase({ connectionString: url, onError: err => errors.push(err) })
  t.teardown(async () => {
    await db.destroy()
  })
  const trx = await db.startTransaction().execute()
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
  await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(admin)
  while (errors.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  await t.rejects(sql`select 1`.execute(trx))
  await trx
    .rollback()
    .execute()
    .catch(() => {})
  t.same((await sql`select 1 as one`.execute(db)).rows, [{ one: 1 }], 'the pool goes on')
})

t.test('a statement that takes too long is ended by the server', async t => {
  const { url } = await testDatabase(t)
  const db = createDatabase({ connectionString: url, statementTimeoutMs: 100, onError: () => {} })
  t.teardown(async () => {
    await db.destroy()
  })
  await t.rejects(sql`select pg_sleep(30)`.execute(db), { code: '57014' })
})
