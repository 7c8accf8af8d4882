import { sql } from 'kysely'
import { type Db, readPoolUse } from '../database/connection.ts'
import { checkMarketplace } from '../database/marketplace-check.ts'
import { listMissingIndexes } from '../database/marketplace-indexes.ts'
import { marketplaceNeeds } from '../database/marketplace-needs.ts'
import { readMigrationState } from '../database/migrator.ts'
import { fail, type Look, warn } from './component.ts'
import { judge, thresholds, toPercent } from './thresholds.ts'

/** What to do when our own tables cannot be read. */
export const databaseAdvice = "look at the component database; if that is fine, at the service's log"

const reachAdvice = "look at the database's console: is it up, and are its connections used up? then check DATABASE_URL"

/** The pool of this process, the way to the server, and both schemas. The pool is known even when nobody answers. */
export function lookAtDatabase(db: Db): readonly Look[] {
  return [
    { reads: 'the pool', advice: databaseAdvice, ofThisProcess: true, see: () => seePool(db) },
    { reads: 'anything from the database', advice: reachAdvice, see: async () => await seeAnswer(db) },
    { reads: 'the migrations', advice: reachAdvice, see: async () => await seeMigrations(db) },
    { reads: "the marketplace's schema", advice: reachAdvice, see: async () => await seeMarketplace(db) },
  ]
}

function seePool(db: Db) {
  const { max, used, waiting: queued } = readPoolUse(db)
  // Every query is queued for a moment, also where a connection lies idle.
  const waiting = used < max ? 0 : queued
  const share = used / max
  const advice = 'look for runs that hang (GET /runs?state=running) and for locks in the database; then restart'
  const issues = judge(share, thresholds.poolUse, `${used} of ${max} connections of the pool are in use`, advice)
  if (waiting > 0) issues.push(fail(`${waiting} queries wait for a connection`, advice))
  return { issues, details: { poolSize: max, poolUsed: used, poolUse: toPercent(share), poolWaiting: waiting } }
}

async function seeAnswer(db: Db) {
  const firstMs = await timeAnswer(db)
  // The first one may have waited for a database that slept, or for a process that was busy starting.
  const answerMs = firstMs >= thresholds.databaseAnswerMs.warnFrom ? await timeAnswer(db) : firstMs
  const advice = "look at the database's load and locks in its console, and how far away its region is"
  const issue = `the database answered after ${answerMs} ms`
  const issues = judge(answerMs, thresholds.databaseAnswerMs, issue, advice)
  return { issues, details: { answerMs } }
}

async function timeAnswer(db: Db): Promise<number> {
  const askedAt = performance.now()
  await sql`select 1`.execute(db)
  return Math.round(performance.now() - askedAt)
}

async function seeMigrations(db: Db) {
  const { newer, pending } = await readMigrationState(db)
  const issues = [
    ...(pending.length === 0 ? [] : [fail(`migrations are missing: ${pending.join(', ')}`, 'run `npm run migrate`')]),
    ...(newer.length === 0
      ? []
      : [warn(`the database is ahead of this build: ${newer.join(', ')}`, 'expected after a rollback only: deploy')]),
  ]
  return { issues, details: { missingMigrations: pending.length } }
}

async function seeMarketplace(db: Db) {
  const [{ degraded, missing }, indexes] = await Promise.all([
    checkMarketplace(db, marketplaceNeeds),
    listMissingIndexes(db),
  ])
  const schemaAdvice = 'deploy the site’s migrations, or take back what was changed there'
  const issues = [
    ...missing.map(line => fail(line, schemaAdvice)),
    ...degraded.map(line => warn(line, schemaAdvice)),
    ...indexes.map(name => warn(`the index ${name} is missing: queries read whole tables`, 'run `npm run migrate`')),
  ]
  return { issues, details: { missingIndexes: indexes } }
}
