import type { Asked } from './asked.ts'
import type {
  AccountAtStripe,
  ListedPayout,
  NamingRow,
  PayoutAccount,
  PayoutFacts,
  PayoutOwners,
} from './payout-facts.ts'
import { judgePayout } from './payout-results.ts'
import { afterPayout, type RowStatus, waitingStatuses } from './row-statuses.ts'

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
  readonly rows: readonly NamingRow[]
}

/** A payout whose finding is open, and has no cause any more. */
export interface ExplainedPayout {
  readonly account: string
  readonly payout: ListedPayout
  readonly by: 'rows' | 'operation' | 'return'
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
      .map(payout => ({ account: id, payout, rows: owners.rows.get(payout.id) ?? [] }))
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

/** Somebody has written into rows of the account what all of this payout's money was for. */
function isWrittenDown(payout: ListedPayout, account: string, { rows }: PayoutOwners): boolean {
  const { amountCents, currency, id } = payout
  const paid = (rows.get(id) ?? []).filter(
    row =>
      row.account === account &&
      row.currency === currency &&
      isOneOf(afterPayout, row.status) &&
      findContradiction(row, payout) === undefined,
  )
  return paid.length > 0 && paid.reduce((sum, row) => sum + row.amountCents, 0) === amountCents
}

/** Why a row that names a payout cannot be what that paid, whoever has written so; undefined when it can. */
export function findContradiction(row: NamingRow, payout: ListedPayout): string | undefined {
  if (row.isPaidOtherwise) return 'it was paid by another payout, which is ours, or may be yet'
  return row.createdAt > payout.createdAt ? 'its booking is younger than the payout' : undefined
}

/**
 * Payouts whose finding is open although it has no cause any more: rows say what all of their money was for, an operation
 * has them as its receipt, or their money is back.
 */
export function listNowExplained({ accounts, owners }: Pick<PayoutFacts, 'accounts' | 'owners'>): ExplainedPayout[] {
  return [...accounts.values()].flatMap(({ atStripe, id: account }) => {
    if (atStripe.kind !== 'known') return []
    return atStripe.value.payouts
      .filter(({ id }) => owners.told.has(id))
      .flatMap(payout => {
        const by = findExplanation(payout, account, owners)
        return by === undefined ? [] : [{ account, payout, by }]
      })
  })
}

function findExplanation(
  payout: ListedPayout,
  account: string,
  owners: PayoutOwners,
): ExplainedPayout['by'] | undefined {
  if (isReturned(payout)) return 'return'
  if (isOurs(payout, owners)) return 'operation'
  return payout.paymentTransferId === null && isWrittenDown(payout, account, owners) ? 'rows' : undefined
}

/** An account, as far as its payouts. */
export interface PaidOutAccount extends Pick<PayoutAccount, 'id'> {
  readonly atStripe: Asked<Pick<AccountAtStripe, 'payouts'>>
}

/**
 * Payouts out of an account since `from` that may have paid any row of it: they are not ours, their money is gone, and no
 * rows say what it was for.
 */
export function listPossiblePayers(
  account: PaidOutAccount | undefined,
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
      const ofRows = rowSums.filter(sum => sum.currency === currency && isOneOf(waitingStatuses, sum.status))
      const explainedCents = ofRows.reduce((sum, { cents }) => sum + cents, returnedCents[currency] ?? 0)
      const availableCents = available[currency] ?? 0
      const pendingCents = pending[currency] ?? 0
      const unexplainedCents = availableCents + pendingCents - explainedCents
      return { account: id, currency, availableCents, pendingCents, explainedCents, unexplainedCents }
    })
    .filter(({ unexplainedCents }) => unexplainedCents > 0)
}

/** Sums have a word more: UNPAID. */
function isOneOf(statuses: readonly RowStatus[], status: string): boolean {
  return statuses.some(each => each === status)
}
