import { sql } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { SchemaError, waitForDatabase } from '../src/boot.ts'
import { testDatabase } from './support/database.ts'

function bootOptions(onLine: (message: string) => void) {
  const ending = new AbortController()
  const log = pino({ level: 'info' }, { write: line => onLine((JSON.parse(line) as { msg: string }).msg) })
  const clock = () => new Date('2026-03-10T12:00:00Z')
  return { ending, options: { jobs: ['keep-alive'], clock, log, signal: ending.signal, retryMs: 10 } }
}

t.test('a database that is one migration behind is waited for', async t => {
  const { db } = await testDatabase(t)
  const { rows } = await sql<{ name: string; timestamp: string }>`
    delete from jobs.kysely_migration where name = (select max(name) from jobs.kysely_migration)
    returning name, timestamp`.execute(db)
  const behind = Promise.withResolvers<void>()
  const { options } = bootOptions(message => {
    if (/behind this build/.test(message)) behind.resolve()
  })
  let booted = false
  const boot = waitForDatabase({ ...options, db }).finally(() => {
    booted = true
  })
  await behind.promise
  t.equal(booted, false)
  await sql`insert into jobs.kysely_migration (name, timestamp) values (${rows[0]?.name}, ${rows[0]?.timestamp})`.execute(
    db,
  )
  await boot
  t.same(await db.selectFrom('jobs.job_settings').select('job').execute(), [{ job: 'keep-alive' }])
})

t.test('a marketplace that lacks what the jobs need ends the wait with the whole list', async t => {
  const { db } = await testDatabase(t)
  await sql`alter table blocked_dates rename column timezone to zone`.execute(db)
  await sql`alter table blocked_dates rename column date to day`.execute(db)
  const { options } = bootOptions(() => {})
  const err = await waitForDatabase({ ...options, db }).catch((thrown: unknown) => thrown)
  t.ok(err instanceof SchemaError)
  t.match(String(err), /blocked_dates\.date[^]*blocked_dates\.timezone|blocked_dates\.timezone[^]*blocked_dates\.date/)
})

t.test('a process that has to end stops waiting', async t => {
  const { db } = await testDatabase(t)
  await sql`drop schema jobs cascade`.execute(db)
  const { ending, options } = bootOptions(message => {
    if (/behind this build/.test(message)) ending.abort()
  })
  await t.rejects(waitForDatabase({ ...options, db }), { name: 'AbortError' })
})
