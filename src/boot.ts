import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { Db } from './database/connection.ts'
import { recordFirstBoot } from './database/job-settings.ts'
import { checkMarketplace } from './database/marketplace-check.ts'
import { listMissingIndexes } from './database/marketplace-indexes.ts'
import { marketplaceNeeds } from './database/marketplace-needs.ts'
import { readMigrationState } from './database/migrator.ts'
import { findPinnedAccount } from './database/stripe-account.ts'
import { toError } from './errors.ts'
import type { PaymentReads } from './providers/payments.ts'
import { withinTime } from './time-limit.ts'

/** The database is there and does not have what the jobs need: starting again cannot help, so the process ends. */
export class SchemaError extends Error {
  constructor(problems: readonly string[]) {
    super(`the marketplace's schema does not fit:\n${problems.map(problem => `  - ${problem}`).join('\n')}`)
    this.name = 'SchemaError'
  }
}

/** The key is of another Stripe account or mode than this database: each run would pay the wrong people, or nobody. */
export class AccountError extends Error {
  constructor(problem: string) {
    super(`${problem}: set the STRIPE_SECRET_KEY of this database's account, or the DATABASE_URL of this key's`)
    this.name = 'AccountError'
  }
}

export interface BootOptions {
  readonly db: Db
  readonly jobs: readonly string[]
  /** Whether our Stripe key moves real money. */
  readonly live: boolean
  readonly clock: () => Date
  readonly log: FastifyBaseLogger
  /** Fires when the process has to end before it was ever ready. */
  readonly signal: AbortSignal
  readonly retryMs?: number
}

/**
 * Waits until the database can be used: reachable, migrated at least as far as this build, and with the marketplace's
 * columns that the jobs need. Keeps trying while it is away or behind; throws SchemaError when it will never fit, and
 * AccountError when it belongs to the other mode of Stripe.
 */
export async function waitForDatabase(options: BootOptions): Promise<void> {
  const { log, retryMs = 2_000, signal } = options
  for (;;) {
    signal.throwIfAborted()
    try {
      if (await isUsable(options)) return
    } catch (thrown) {
      if (thrown instanceof SchemaError || thrown instanceof AccountError) throw thrown
      log.error({ err: toError(thrown) }, 'database not reachable yet')
    }
    await sleep(retryMs, undefined, { signal })
  }
}

async function isUsable({ clock, db, jobs, live, log }: BootOptions): Promise<boolean> {
  const { newer, pending } = await readMigrationState(db)
  if (pending.length > 0) {
    log.error({ pending }, 'database is behind this build: run `npm run migrate`')
    return false
  }
  if (newer.length > 0) log.warn({ newer }, 'database is ahead of this build')
  const { degraded, missing } = await checkMarketplace(db, marketplaceNeeds)
  if (missing.length > 0) throw new SchemaError(missing)
  for (const problem of degraded) log.warn({ problem }, 'marketplace lacks something optional')
  for (const index of await listMissingIndexes(db)) {
    log.warn({ index }, 'index is missing or unusable, so that runs read whole tables: `npm run migrate` builds it')
  }
  const pinned = await findPinnedAccount(db)
  if (pinned !== undefined && pinned.live !== live) {
    const modeOf = (isLive: boolean): string => (isLive ? 'live' : 'test')
    throw new AccountError(
      `this database belongs to Stripe's ${modeOf(pinned.live)} mode, and the key to ${modeOf(live)} mode`,
    )
  }
  await recordFirstBoot(db, jobs, clock())
  return true
}

export interface AccountOptions {
  readonly db: Db
  readonly payments: Pick<PaymentReads, 'readPlatform'>
  readonly log: FastifyBaseLogger
  readonly signal: AbortSignal
  readonly budgetMs?: number
}

/**
 * Asks Stripe once whose key we have, and compares. Gives an AccountError when this process must end, undefined when all
 * is well, when nothing is pinned yet, and when Stripe or the database could not be asked: every run asks again anyway.
 */
export async function compareAccount(options: AccountOptions): Promise<AccountError | undefined> {
  const { budgetMs = 30_000, db, log, payments, signal } = options
  try {
    const pinned = await findPinnedAccount(db)
    if (pinned === undefined) return undefined
    const { account } = await withinTime(signal, budgetMs, async limited => await payments.readPlatform(limited))
    if (account === pinned.account) return undefined
    return new AccountError(`this database belongs to the Stripe account ${pinned.account}, and the key to ${account}`)
  } catch (thrown) {
    if (!signal.aborted) log.warn({ err: toError(thrown) }, 'could not ask stripe whose key this is')
    return undefined
  }
}
