import type { Asked } from './asked.ts'
import { judgeBooking, type StopReason, type WaitReason } from './eligibility.ts'
import type { Hold } from './hold-reasons.ts'
import type { LimitHold } from './limits.ts'
import type {
  ListedPayout,
  PayoutAccount,
  PayoutFacts,
  PayoutOwners,
  PayoutRow,
  RowOperation,
  RowPayment,
} from './payout-facts.ts'
import { isReturned, listPossiblePayers, type PaidOutAccount } from './payout-gates.ts'
import { findTransfer, type TransferMismatch } from './transfer-checks.ts'

/** Why a person has to approve the payout of a row although everything else is in order. */
export type RowHold = Exclude<Hold, LimitHold | 'failed_repeatedly'>

export type RowWait =
  | WaitReason
  | 'held'
  | 'declined'
  | 'operation_open'
  | 'account_unread'
  | 'account_unreachable'
  | 'payment_unread'

/** What is wrong with a row, in words that a finding is made of. */
export type RowProblem =
  | { readonly kind: 'already_paid'; readonly payouts: readonly PaidBy[] }
  | { readonly kind: 'already_paid_by_operation'; readonly operation: RowOperation }
  | { readonly kind: 'booking_stopped'; readonly reason: StopReason; readonly refundedCents: number | undefined }
  | { readonly kind: 'payment_missing'; readonly code: string }
  | { readonly kind: 'payment_shared' }
  | { readonly kind: 'account_missing' }
  | { readonly kind: 'transfer_missing' }
  | {
      readonly kind: 'transfer_wrong'
      readonly transferIds: readonly string[]
      readonly mismatches: readonly TransferMismatch[]
    }
  | { readonly kind: 'transfer_other'; readonly transferId: string; readonly foundId: string }

/** A payout that somebody else made for a row, and out of which account. */
export interface PaidBy {
  readonly account: string
  readonly payout: ListedPayout
}

export type RowVerdict =
  | { readonly kind: 'payable'; readonly since: Date; readonly paidAt: Date; readonly hold: RowHold | undefined }
  | {
      readonly kind: 'waits'
      readonly reason: RowWait
      readonly until?: Date
      readonly operation?: Pick<RowOperation, 'id'> & { readonly reason?: string | null }
    }
  | { readonly kind: 'stopped'; readonly problem: RowProblem }
  /** The run had no time left to ask about it. */
  | { readonly kind: 'left' }
  /** Only its payment can tell. */
  | { readonly kind: 'ask' }

type RowFacts = Pick<PayoutFacts, 'accounts' | 'owners' | 'payments' | 'since'> & {
  readonly paidBy: ReadonlyMap<number, readonly PaidBy[]>
}

/** Payouts whose metadata name a row and whose money is gone, by row: the old jobs made them. */
export function listPaidBy(accounts: Iterable<PayoutAccount>): ReadonlyMap<number, readonly PaidBy[]> {
  const paid = [...accounts].flatMap(({ atStripe, id }) =>
    atStripe.kind === 'known' ? atStripe.value.payouts.map(payout => ({ account: id, payout })) : [],
  )
  const byRow = new Map<number, PaidBy[]>()
  for (const each of paid) {
    const row = each.payout.paymentTransferId
    if (row !== null && !isReturned(each.payout)) byRow.set(row, [...(byRow.get(row) ?? []), each])
  }
  return byRow
}

/**
 * Whether a row may be paid out at `now`: (1) by the operation it is in, (2) by what our own rows say, (3) by what an
 * operator declined, (4) by the payouts of its accounts, (5) by its payment, (6) by its transfer. Without the payment's answer, `ask` when all depends on it.
 */
export function judgePayoutRow(row: PayoutRow, facts: RowFacts, now: Date): RowVerdict {
  return (
    judgeOperations(row, facts) ??
    judgeOwn(row, now) ??
    judgeDeclined(row, facts) ??
    judgeAccounts(row, facts) ??
    judgePayment(row, facts.payments.get(row.paymentTransferId), facts, now)
  )
}

/** Where whose payouts are makes no difference, or there are none. */
export const noOwners: PayoutOwners = {
  recorded: new Set(),
  unsettled: new Map(),
  rows: new Map(),
  resolved: new Set(),
  told: new Set(),
}

/** Rows that nothing decides but what Stripe says about their payment. */
export function listUndecided<Row extends PayoutRow>(
  rows: readonly Row[],
  facts: Pick<PayoutFacts, 'accounts' | 'since'>,
  now: Date,
): Row[] {
  const rowFacts = { ...facts, owners: noOwners, payments: new Map(), paidBy: listPaidBy(facts.accounts.values()) }
  return rows.filter(row => judgePayoutRow(row, rowFacts, now).kind === 'ask')
}

function judgeOperations(row: PayoutRow, { paidBy }: RowFacts): RowVerdict | undefined {
  const { hasTwin, operation } = row
  if (operation === undefined) return undefined
  const { state, wakeAt } = operation
  // It may have paid the other row.
  if (hasTwin && (state === 'created' || state === 'paid')) return stopped({ kind: 'payment_shared' })
  if (state === 'created' || state === 'paid') return stopped({ kind: 'already_paid_by_operation', operation })
  // Whoever approves it has to know first.
  if (state === 'held') return judgePayers(row, paidBy) ?? { kind: 'waits', reason: 'held', operation }
  return { kind: 'waits', reason: 'operation_open', operation, ...(wakeAt === null ? {} : { until: wakeAt }) }
}

function judgeOwn({ account, booking, hasTwin }: PayoutRow, now: Date): RowVerdict | undefined {
  if (account === '') return stopped({ kind: 'account_missing' })
  if (hasTwin) return stopped({ kind: 'payment_shared' })
  const verdict = judgeBooking(booking, undefined, now)
  if (verdict.kind === 'waits') return verdict
  if (verdict.kind !== 'stopped') return undefined
  return stopped({ kind: 'booking_stopped', reason: verdict.reason, refundedCents: undefined })
}

/** A person said no, and a person has to take that back; who does has to know what the old jobs paid. */
function judgeDeclined(row: PayoutRow, { paidBy }: RowFacts): RowVerdict | undefined {
  const { declined } = row
  if (declined === undefined) return undefined
  return judgePayers(row, paidBy) ?? { kind: 'waits', reason: 'declined', operation: { id: declined } }
}

/** The old jobs paid out of the expert's account of that day, which need not be the row's: both are looked at. */
function judgeAccounts(row: PayoutRow, { accounts, paidBy }: RowFacts): RowVerdict | undefined {
  const own = accounts.get(row.account)?.atStripe
  if (own?.kind === 'refused') return { kind: 'waits', reason: 'account_unreachable' }
  const current = row.currentAccount === null ? own : accounts.get(row.currentAccount)?.atStripe
  for (const asked of [own, current]) {
    if (asked === undefined || asked.kind === 'left') return { kind: 'left' }
    if (asked.kind === 'failed') return { kind: 'waits', reason: 'account_unread' }
  }
  return judgePayers(row, paidBy)
}

/** Only payouts of its own expert count: whoever has another account can name any row there. */
function judgePayers(
  { account, currentAccount, paymentTransferId }: PayoutRow,
  paidBy: RowFacts['paidBy'],
): RowVerdict | undefined {
  const payouts = (paidBy.get(paymentTransferId) ?? []).filter(
    payer => payer.account === account || payer.account === currentAccount,
  )
  return payouts.length === 0 ? undefined : stopped({ kind: 'already_paid', payouts })
}

function judgePayment(row: PayoutRow, asked: Asked<RowPayment> | undefined, facts: RowFacts, now: Date): RowVerdict {
  if (asked === undefined) return { kind: 'ask' }
  if (asked.kind === 'left') return { kind: 'left' }
  if (asked.kind === 'failed') return { kind: 'waits', reason: 'payment_unread' }
  if (asked.kind === 'refused') return stopped({ kind: 'payment_missing', code: asked.code })
  const { payment } = asked.value
  const verdict = judgeBooking(row.booking, payment, now)
  if (verdict.kind === 'stopped') {
    const refundedCents = payment.charge?.refundedCents
    return stopped({ kind: 'booking_stopped', reason: verdict.reason, refundedCents })
  }
  if (verdict.kind === 'waits') return verdict
  // Eligible says that there is a charge; the types do not know it.
  if (verdict.kind === 'unknown' || payment.charge === undefined) return { kind: 'waits', reason: 'payment_unread' }
  const problem = findTransferProblem(row, asked.value)
  if (problem !== undefined) return stopped(problem)
  const { paidAt } = payment.charge
  return { kind: 'payable', since: verdict.since, paidAt, hold: findRowHold(row, paidAt, facts) }
}

/** The money must have reached the row's account, all of it, and still be there as far as the transfer tells. */
function findTransferProblem(row: PayoutRow, { payment, transfers }: RowPayment): RowProblem | undefined {
  const { account, booking, paymentTransferId, recordedTransferId = null, transferId } = row
  if (payment.charge === undefined) return { kind: 'transfer_missing' }
  const { amountCents, currency } = booking
  const owed = { paymentTransferId, account, amountCents, currency, recordedTransferId }
  const found = findTransfer(owed, payment.charge, transfers)
  if (found.kind === 'none') return { kind: 'transfer_missing' }
  if (found.kind === 'mismatch') return { ...found, kind: 'transfer_wrong' }
  if (transferId === null || transferId === found.transfer.id) return undefined
  return { kind: 'transfer_other', transferId, foundId: found.transfer.id }
}

/** The doubt that weighs most comes first: money that the old jobs may have paid already. */
function findRowHold(row: PayoutRow, paidAt: Date, facts: RowFacts): RowHold | undefined {
  const { accounts, since } = facts
  if (!(paidAt >= since)) return 'before_cut_over'
  if (listDoubts(row, facts, paidAt).length > 0) return 'may_be_paid_already'
  if ((accounts.get(row.account)?.users ?? 0) > 1) return 'account_shared'
  if (row.currentAccount !== row.account) return 'account_changed'
  // Stripe has refused to pay it, for good: nothing says that the next try would end otherwise.
  return row.earlier?.state === 'rejected' ? 'rejected_before' : undefined
}

/**
 * Payouts since `from` that may have paid this row, although a person has answered for them: whoever resolves a finding
 * has not said which rows that money was for, unless the rows say it.
 */
export function listDoubts(
  { account, currentAccount }: Pick<PayoutRow, 'account' | 'currentAccount'>,
  { accounts, owners }: { readonly accounts: ReadonlyMap<string, PaidOutAccount>; readonly owners: PayoutOwners },
  from: Date,
): ListedPayout[] {
  return [...new Set([account, currentAccount ?? account])]
    .flatMap(id => listPossiblePayers(accounts.get(id), owners, from))
    .filter(({ id }) => owners.resolved.has(id))
}

function stopped(problem: RowProblem): RowVerdict {
  return { kind: 'stopped', problem }
}
