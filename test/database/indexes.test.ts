import { sql } from 'kysely'
import t from 'tap'
import { jobDiagnostics } from '../../src/database/job-diagnostics.ts'
import { lastCall, noticeFigures, pingFigures, runFigures } from '../../src/database/service-figures.ts'
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
  // What operators look at must not cost more from year to year.
  ['runs_pkey', runFigures(new Date(0))],
  ['runs_pkey', lastCall],
  ['runs_pkey', jobDiagnostics('00000000-0000-7000-8000-000000000000')],
  ['heartbeat_pings_pkey', pingFigures(new Date(0))],
  ['heartbeat_pings_owed', pingFigures(new Date(0))],
  ['outbox_due', noticeFigures(new Date(0))],
  ['outbox_poison', noticeFigures(new Date(0))],
  ['outbox_pkey', noticeFigures(new Date(0))],
  ['audit_entries_run', sql`select subject from jobs.audit_entries where details ->> 'runId' = 'a run'`],
] as const

t.test('what is asked of records of many years is answered from an index', async t => {
  const { db } = await testDatabase(t)
  await db.transaction().execute(async trx => {
    // Of tables that are empty Postgres would rather read the whole.
    await sql`set local enable_seqscan = off`.execute(trx)
    for (const [index, question] of questions) {
      const { rows } = await sql`explain (format json) ${question}`.execute(trx)
      const plan = JSON.stringify(rows)
      t.match(plan, new RegExp(`"${index}"`), index)
      const whole = /"Node Type":"Seq Scan"[^{}]+"Relation Name":"(?:runs|heartbeat_pings|outbox)"/.exec(plan)
      t.equal(whole, null, `${index}: no table is read whole`)
    }
  })
})
