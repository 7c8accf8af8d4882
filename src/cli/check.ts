import { type Config, ConfigError, loadConfig } from '../config.ts'
import type { Db } from '../database/connection.ts'
import { checkMarketplace } from '../database/marketplace-check.ts'
import { listMissingIndexes } from '../database/marketplace-indexes.ts'
import { marketplaceNeeds } from '../database/marketplace-needs.ts'
import { readMigrationState } from '../database/migrator.ts'
import { findCutOver } from '../database/open-transfers.ts'
import { toError } from '../errors.ts'
import { jobs } from '../jobs/index.ts'
import { doubtMoneySince, moneySinceAdvice } from '../runner/money-since.ts'
import { redact } from '../runner/redact.ts'
import { withDatabase } from './connect.ts'
import { printJson, printTable, type Style, toUtc } from './print.ts'

interface Checked {
  readonly check: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly message: string
  readonly advice?: string
}

/** Checks everything that a start needs, without changing anything. Gives 1 when the service could not work. */
export async function check({ json = false }: { readonly json?: boolean }): Promise<number> {
  const config = checkConfig()
  const checks = [...config.checks, ...(await checkDatabase(config.config)), ...checkHeartbeats(config.config)]
  const failed = checks.some(({ status }) => status === 'fail')
  if (json) printJson({ ok: !failed, checks })
  else {
    printTable(
      ['status', 'check', 'what', 'advice'],
      checks.map(({ advice = '', check, message, status }) => [
        { text: status, style: styles[status] },
        check,
        message,
        advice,
      ]),
    )
  }
  return failed ? 1 : 0
}

const styles: Readonly<Record<Checked['status'], Style>> = { ok: 'green', warn: 'yellow', fail: 'red' }

function checkConfig(): { readonly config: Config | undefined; readonly checks: Checked[] } {
  try {
    return { config: loadConfig(), checks: [{ check: 'configuration', status: 'ok', message: 'complete' }] }
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown
    const advice = '.env.example describes each variable'
    return {
      config: undefined,
      checks: thrown.problems.map(message => ({ check: 'configuration', status: 'fail', message, advice })),
    }
  }
}

async function checkDatabase(config: Config | undefined): Promise<Checked[]> {
  const askedAt = performance.now()
  try {
    return await withDatabase(async db => [
      { check: 'database', status: 'ok', message: `answered after ${Math.round(performance.now() - askedAt)} ms` },
      ...(await checkMigrations(db)),
      ...(await checkSchema(db)),
      ...(await checkIndexes(db)),
      ...(await checkMoneySince(db, config)),
    ])
  } catch (thrown) {
    const message = thrown instanceof ConfigError ? 'not asked: DATABASE_URL is not usable' : toError(thrown).message
    return [{ check: 'database', status: 'fail', message: redact(message) }]
  }
}

async function checkMigrations(db: Db): Promise<Checked[]> {
  const { newer, pending } = await readMigrationState(db)
  if (pending.length > 0) {
    const advice = 'run `npm run migrate`'
    return [{ check: 'migrations', status: 'fail', message: `not applied: ${pending.join(', ')}`, advice }]
  }
  if (newer.length > 0) {
    const advice = 'expected after a rollback only'
    return [{ check: 'migrations', status: 'warn', message: `ahead of this build: ${newer.join(', ')}`, advice }]
  }
  return [{ check: 'migrations', status: 'ok', message: 'current' }]
}

async function checkSchema(db: Db): Promise<Checked[]> {
  const { degraded, missing } = await checkMarketplace(db, marketplaceNeeds)
  const problems: Checked[] = [
    ...missing.map(message => ({ check: 'marketplace', status: 'fail' as const, message })),
    ...degraded.map(message => ({ check: 'marketplace', status: 'warn' as const, message })),
  ]
  if (problems.length > 0) return problems
  return [{ check: 'marketplace', status: 'ok', message: 'has everything that the jobs need' }]
}

async function checkIndexes(db: Db): Promise<Checked[]> {
  const missing = await listMissingIndexes(db)
  if (missing.length === 0) return [{ check: 'indexes', status: 'ok', message: 'as the queries need them' }]
  return missing.map(name => {
    const message = `${name} is missing or unusable, so that runs read whole tables`
    return { check: 'indexes', status: 'warn', message, advice: '`npm run migrate` builds it' }
  })
}

/** From when on payments are known to be ours to pay. Our own tables know when nobody has said so. */
async function checkMoneySince(db: Db, config: Config | undefined): Promise<Checked[]> {
  if (config === undefined) return []
  const { since } = config.money
  const isMigrated = (await readMigrationState(db)).pending.length === 0
  const firstBootAt = isMigrated ? ((await findCutOver(db, undefined)) ?? null) : undefined
  const doubt = doubtMoneySince({ since, firstBootAt }, new Date())
  if (doubt !== undefined) return [{ check: 'money', status: 'warn', message: doubt, advice: moneySinceAdvice }]
  return [{ check: 'money', status: 'ok', message: `payments since ${toUtc(since)} UTC are ours to pay out` }]
}

function checkHeartbeats(config: Config | undefined): Checked[] {
  if (config === undefined) return [{ check: 'heartbeats', status: 'warn', message: 'unknown without a configuration' }]
  if (config.preview) return [{ check: 'heartbeats', status: 'ok', message: 'silent: this is a preview' }]
  return jobs.map(({ heartbeat, name }) => {
    if (config.heartbeats.has(heartbeat)) return { check: 'heartbeat', status: 'ok', message: `${name} has one` }
    const advice = `set ${heartbeat} to the address of its heartbeat`
    return { check: 'heartbeat', status: 'warn', message: `${name} has none: it can die unseen`, advice }
  })
}
