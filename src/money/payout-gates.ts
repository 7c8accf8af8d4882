import type {
  AccountAtStripe,
  ListedPayout,
  NamingRow,
  PayoutAccount,
  PayoutFacts,
  PayoutOwners,
} from './payout-facts.ts'
import { judgePayout } from './payout-results.ts'

/** Why nothing can be paid out of an account in a currency, whatever it holds. */
export type Gate =
  | 'account_frozen'
  | 'payouts_disabled'
  | 'schedule_not_manual'
  | 'bank_account_disabled'
  | 'no_bank_account'

/** A payout at Stripe that nobody can explain. */
export interface UnexplainedPayout {
  readonly account: string
  readonly payout: ListedPayout
  /** The rows that name it: somebody else has recorded it there. */
  readonly rows: readonly number[]
}

/** What an account holds beyond the money of its rows, in cents. */
export interface UnexplainedBalance {
  readonly account: string
  readonly currency: string
  readonly availableCents: number
  readonly pendingCents: number
  readonly explainedCents: number
  readonly unexplainedCents: number
}

/** Statuses of rows whose money is still on the account, or may be; never there is what nobody has paid. */
const explaining: readonly string[] = ['PENDING', 'READY', 'APPROVED', 'COMPLETED', 'DISPUTED']

/** The first thing that forbids a payout of this account and currency; undefined: none. */
export function findGate(atStripe: AccountAtStripe, currency: string, isFrozen: boolean): Gate | undefined {
  if (isFrozen) return 'account_frozen'
  if (!atStripe.payoutsEnabled) return 'payouts_disabled'
  if (atStripe.schedule !== 'manual') return 'schedule_not_manual'
  if (atStripe.bankCurrencies.includes(currency)) return undefined
  return atStripe.disabledBankCurrencies.includes(currency) ? 'bank_account_disabled' : 'no_bank_account'
}

/** The money of a payout is on the account again, as if it had never been made. */
export function isReturned(payout: ListedPayout): boolean {
  const result = judgePayout(payout)
  return result === 'failed' || result === 'canceled'
}

/**
 * Payouts made since the cut-over that no operation of ours explains and no person has (CONTRIBUTING.md, rule of money
 * 6). One whose money is back took nothing, as the ledger sees it too right before it sends.
 */
export function listUnexplainedPayouts({ accounts, owners, since }: PayoutFacts): UnexplainedPayout[] {
  return [...accounts.values()].flatMap(({ atStripe, id }) => {
    if (atStripe.kind !== 'known') return []
    return atStripe.value.payouts
      .filter(payout => payout.createdAt >= since && !isReturned(payout) && !isExplained(payout, id, owners))
      .map(payout => ({ account: id, payout, rows: idsOf(owners.rows.get(payout.id) ?? []) }))
  })
}

/**
 * Whether a payout of an account is one of our operations', or a person has resolved its finding, or written into rows what
 * all of its money was for. The one rule, for the plan and for the ledger right before it sends.
 */
export function isExplained(payout: ListedPayout, account: string, owners: PayoutOwners): boolean {
  const { id, operationId, paymentTransferId } = payout
  if (owners.resolved.has(id) || isOurs(payout, owners)) return true
  if (operationId !== null && owners.unsettled.get(operationId) === account) return true
  // The old jobs write rows into the metadata: then they still pay, and would pay the next row at the same time as we.
  return paymentTransferId === null && isWrittenDown(payout, account, owners)
}

function isOurs({ id }: ListedPayout, { recorded }: PayoutOwners): boolean {
  return recorded.has(id)
}

/** What a row is from when its payout was made. */
const paidStatuses: readonly string[] = ['PAID_OUT', 'DISPUTED', 'REFUNDED']

/** Somebody has written into rows of the account what all of this payout's money was for. */
function isWrittenDown({ amountCents, currency, id }: ListedPayout, account: string, { rows }: PayoutOwners): boolean {
  const paid = (rows.get(id) ?? []).filter(
    row => row.account === account && row.currency === currency && paidStatuses.includes(row.status),
  )
  return paid.length > 0 && paid.reduce((sum, row) => sum + row.amountCents, 0) === amountCents
}

/** Payouts whose finding is open although rows say by now what all of their money was for. */
export function listNowExplained({ accounts, owners }: Pick<PayoutFacts, 'accounts' | 'owners'>) {
  return [...accounts.values()].flatMap(({ atStripe, id: account }) => {
    if (atStripe.kind !== 'known') return []
    return atStripe.value.payouts
      .filter(payout => owners.told.has(payout.id) && payout.paymentTransferId === null && !isReturned(payout))
      .filter(payout => isWrittenDown(payout, account, owners))
      .map(payout => ({ account, payout }))
  })
}

/**
 * Payouts out of an account since `from` that may have paid any row of it: they are not ours, their money is gone, and no
 * rows say what it was for.
 */
export function listPossiblePayers(
  account: PayoutAccount | undefined,
  owners: PayoutOwners,
  from: Date,
): ListedPayout[] {
  if (account?.atStripe.kind !== 'known') return []
  return account.atStripe.value.payouts.filter(
    payout =>
      payout.createdAt >= from &&
      !isReturned(payout) &&
      !isOurs(payout, owners) &&
      !isWrittenDown(payout, account.id, owners),
  )
}

function idsOf(rows: readonly NamingRow[]): number[] {
  return rows.map(({ paymentTransferId }) => paymentTransferId)
}

/**
 * What an account holds, available and pending, beyond the money of its rows and of payouts that came back; nothing when
 * the rows explain it all. Never swept: it may be anybody's.
 */
export function listUnexplainedBalances(account: PayoutAccount, returnedCents: Readonly<Record<string, number>>) {
  const { atStripe, id, rowSums } = account
  if (atStripe.kind !== 'known') return []
  const { available, pending } = atStripe.value
  const currencies = [...new Set([...Object.keys(available), ...Object.keys(pending)])].toSorted()
  return currencies
    .map((currency): UnexplainedBalance => {
      const ofRows = rowSums.filter(sum => sum.currency === currency && explaining.includes(sum.status))
      const explainedCents = ofRows.reduce((sum, { cents }) => sum + cents, returnedCents[currency] ?? 0)
      const availableCents = available[currency] ?? 0
      const pendingCents = pending[currency] ?? 0
      const unexplainedCents = availableCents + pendingCents - explainedCents
      return { account: id, currency, availableCents, pendingCents, explainedCents, unexplainedCents }
    })
    .filter(({ unexplainedCents }) => unexplainedCents > 0)
}
