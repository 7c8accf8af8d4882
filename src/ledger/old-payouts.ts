import type { BookingRow } from '../database/bookings.ts'
import { PermanentError } from '../errors.ts'
import type { PaymentReads, Payout } from '../providers/payments.ts'
import type { LedgerRun } from './ledger.ts'

const dayMs = 24 * 60 * 60_000

export interface OldPayoutsQuery {
  /** The account of the rows. */
  readonly account: string
  /** At least since then. */
  readonly from: Date
  readonly bookings: readonly Pick<BookingRow, 'createdAt' | 'currentAccount'>[]
}

export interface OldPayouts {
  /** Out of the account of the rows. */
  readonly own: readonly Payout[]
  /** Out of the accounts that their experts have today, by account: the old jobs paid from those. */
  readonly elsewhere: ReadonlyMap<string, readonly Payout[]>
}

/** All payouts by which somebody may have paid the rows already: as far back as the oldest goes, with a day of doubt. */
export async function listOldPayouts(
  payments: PaymentReads,
  { account, bookings, from: latest }: OldPayoutsQuery,
  { signal }: LedgerRun,
): Promise<OldPayouts> {
  const oldest = bookings.map(({ createdAt }) => createdAt.getTime() - dayMs)
  const from = new Date(Math.min(latest.getTime(), ...oldest))
  const currentAccounts = bookings.flatMap(({ currentAccount }) => currentAccount ?? [])
  const others = [...new Set(currentAccounts)].filter(id => id !== account)
  const [own, ...elsewhere] = await Promise.all([
    payments.listPayouts({ account, from }, signal),
    ...others.map(async id => [id, await listUnlessHidden(payments, { account: id, from }, signal)] as const),
  ])
  return { own, elsewhere: new Map(elsewhere) }
}

/** An account that Stripe does not show us pays nobody that we could know of. */
async function listUnlessHidden(payments: PaymentReads, query: { account: string; from: Date }, signal: AbortSignal) {
  try {
    return await payments.listPayouts(query, signal)
  } catch (thrown) {
    if (thrown instanceof PermanentError) return []
    throw thrown
  }
}
