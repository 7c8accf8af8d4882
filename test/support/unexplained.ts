import type { Db } from '../../src/database/connection.ts'
import { findPayoutOwners } from '../../src/database/payout-accounts.ts'
import type { ListedPayout } from '../../src/money/payout-facts.ts'
import { isExplained } from '../../src/money/payout-gates.ts'

/** The ids of those of an account's payouts that our tables do not explain. */
export async function listUnexplained(db: Db, account: string, payouts: readonly ListedPayout[]): Promise<string[]> {
  const owners = await findPayoutOwners(db, payouts)
  return payouts.filter(payout => !isExplained(payout, account, owners)).map(({ id }) => id)
}
