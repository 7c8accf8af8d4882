import { sql } from 'kysely'
import t from 'tap'
import { testDatabase } from '../support/database.ts'

// What grows for years is asked about in every run, or once for each record that is purged.
const questions = [
  [
    'money_operations_replaces',
    sql`select from jobs.money_operations n where n.replaces = '00000000-0000-7000-8000-000000000000'`,
  ],
  [
    'money_operations_account',
    sql`select account from jobs.money_operations where kind = 'payout' and account = any('{acct_1,acct_2}'::text[])`,
  ],
  [
    'findings_resolved',
    sql`select f.subject from jobs.findings f
      where f.kind = 'payout-unexplained' and f.state = 'resolved' and f.subject = any('{po_1,po_2}'::text[])`,
  ],
  ['audit_entries_run', sql`select subject from jobs.audit_entries where details ->> 'runId' = 'a run'`],
] as const

t.test('what is asked of records of many years is answered from an index', async t => {
  const { db } = await testDatabase(t)
  await db.transaction().execute(async trx => {
    // Of tables that are empty Postgres would rather read the whole.
    await sql`set local enable_seqscan = off`.execute(trx)
    for (const [index, question] of questions) {
      const { rows } = await sql`explain (format json) ${question}`.execute(trx)
      t.match(JSON.stringify(rows), new RegExp(`"${index}"`), index)
    }
  })
})
