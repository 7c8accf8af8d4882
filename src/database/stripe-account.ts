import type { Db } from './connection.ts'

/** The account and mode that this database belongs to. */
export interface PinnedAccount {
  readonly account: string
  readonly live: boolean
}

/** The pinned account; undefined before the first real run. */
export async function findPinnedAccount(db: Db): Promise<PinnedAccount | undefined> {
  return await db.selectFrom('jobs.stripe_account').select(['account', 'live']).executeTakeFirst()
}

/** Pins the account unless one is pinned, and gives the one that is: the only row decides between two first runs. */
export async function pinAccount(db: Db, { account, live }: PinnedAccount, now: Date): Promise<PinnedAccount> {
  await db
    .insertInto('jobs.stripe_account')
    .values({ account, live, pinned_at: now })
    .onConflict(conflict => conflict.column('only_row').doNothing())
    .execute()
  return await db.selectFrom('jobs.stripe_account').select(['account', 'live']).executeTakeFirstOrThrow()
}
