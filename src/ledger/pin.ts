import { findPinnedAccount, pinAccount } from '../database/stripe-account.ts'
import { PermanentError } from '../errors.ts'
import type { LedgerRun } from './ledger.ts'
import type { LedgerParts } from './parts.ts'

const trustedForMs = 60_000
/** By how much our clock and the vendor's may differ: the ages of keys and the look-ups of objects rest on both. */
export const clocksApartMs = 5 * 60_000

/**
 * A check of the account and the mode behind our key against the ones this database belongs to, and of our clock against
 * Stripe's. It asks at most once a minute, because every order asks it. It throws PermanentError `stripe_account_changed`,
 * and a plain Error `clocks_apart`, because clocks are put right without us.
 */
export function createAccountCheck({
  db,
  payments,
}: Pick<LedgerParts, 'db' | 'payments'>): (run: LedgerRun) => Promise<void> {
  let trustedUntil = 0
  return async run => {
    const now = run.clock()
    const pinned = await findPinnedUnlessTrusted(now.getTime() < trustedUntil)
    if (pinned === 'trusted') return
    const platform = await payments.readPlatform(run.signal)
    requireSameTime(platform.now, run.clock())
    const belongsTo = pinned ?? (run.lease === undefined ? undefined : await pinAccount(db, platform, now))
    if (belongsTo === undefined) return
    if (belongsTo.account !== platform.account || belongsTo.live !== platform.live) {
      throw new PermanentError(
        `this database belongs to ${describe(belongsTo)} at Stripe and our key to ${describe(platform)}: nothing is sent; ` +
          'set the STRIPE_SECRET_KEY that belongs to this database',
        { code: 'stripe_account_changed' },
      )
    }
    trustedUntil = now.getTime() + trustedForMs
  }

  async function findPinnedUnlessTrusted(isTrusted: boolean) {
    return isTrusted ? 'trusted' : await findPinnedAccount(db)
  }
}

function requireSameTime(theirs: Date | undefined, ours: Date): void {
  if (theirs === undefined || Math.abs(ours.getTime() - theirs.getTime()) <= clocksApartMs) return
  const message =
    `our clock says ${ours.toISOString()} and Stripe's ${theirs.toISOString()}: no money moves until they agree; put the ` +
    'clock of this host right'
  throw Object.assign(new Error(message), { code: 'clocks_apart' })
}

function describe({ account, live }: { readonly account: string; readonly live: boolean }): string {
  return `${account} (${live ? 'live' : 'test'} mode)`
}
