import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { Db } from './database/connection.ts'
import { recordFirstBoot } from './database/job-settings.ts'
import { checkMarketplace } from './database/marketplace-check.ts'
import { marketplaceNeeds } from './database/marketplace-needs.ts'
import { readMigrationState } from './database/migrator.ts'
import { toError } from './errors.ts'

/** The database is there and does not have what the jobs need: starting again cannot help, so the process ends. */
export class SchemaError extends Error {
  constructor(problems: readonly string[]) {
    super(`the marketplace's schema does not fit:\n${problems.map(problem => `  - ${problem}`).join('\n')}`)
    this.name = 'SchemaError'
  }
}

export interface BootOptions {
  readonly db: Db
  readonly jobs: readonly string[]
  readonly clock: () => Date
  readonly log: FastifyBaseLogger
  /** Fires when the process has to end before it was ever ready. */
  readonly signal: AbortSignal
  readonly retryMs?: number
}

/**
 * Waits until the database can be used: reachable, migrated at least as far as this build, and with the marketplace's
 * columns that the jobs need. Keeps trying while it is away or behind; throws SchemaError when it will never fit.
 */
export async function waitForDatabase(options: BootOptions): Promise<void> {
  const { log, retryMs = 2_000, signal } = options
  for (;;) {
    signal.throwIfAborted()
    try {
      if (await isUsable(options)) return
    } catch (thrown) {
      if (thrown instanceof SchemaError) throw thrown
      log.error({ err: toError(thrown) }, 'database not reachable yet')
    }
    await sleep(retryMs, undefined, { signal })
  }
}

async function isUsable({ clock, db, jobs, log }: BootOptions): Promise<boolean> {
  const { newer, pending } = await readMigrationState(db)
  if (pending.length > 0) {
    log.error({ pending }, 'database is behind this build: run `npm run migrate`')
    return false
  }
  if (newer.length > 0) log.warn({ newer }, 'database is ahead of this build')
  const { degraded, missing } = await checkMarketplace(db, marketplaceNeeds)
  if (missing.length > 0) throw new SchemaError(missing)
  for (const problem of degraded) log.warn({ problem }, 'marketplace lacks something optional')
  await recordFirstBoot(db, jobs, clock())
  return true
}
