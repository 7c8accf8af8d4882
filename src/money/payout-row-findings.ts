import { type MoneyFinding, subjectOf } from './findings.ts'
import { stopSentences } from './eligibility.ts'
import { mismatchSentences } from './transfer-checks.ts'
import type { ListedPayout, PayoutFacts, PayoutRow, RowOperation } from './payout-facts.ts'
import { listPossiblePayers } from './payout-gates.ts'
import { listDoubts, type PaidBy, type RowProblem } from './payout-rows.ts'
import { sharedPaymentSentence } from './transfer-reasons.ts'

/** A row that must not be paid as it is. */
export function findingOfRow(row: PayoutRow, problem: RowProblem): MoneyFinding {
  const told = tellProblem(problem, row)
  return {
    kind: told.kind,
    subject: subjectOf(row),
    message: told.message,
    details: { ...factsOf(row), ...told.details },
  }
}

type Doubted = Pick<PayoutFacts, 'accounts' | 'owners' | 'since'>

/** A row whose payout a person has to approve; `paidAt` while Stripe was asked. Undefined for a hold told elsewhere. */
export function findingOfHold(
  row: PayoutRow,
  hold: string | null | undefined,
  facts: Doubted,
  paidAt: Date | undefined,
): MoneyFinding | undefined {
  const told = tellHold(row, hold, facts, paidAt)
  if (told === undefined) return undefined
  const operation = row.operation === undefined ? {} : { operationId: row.operation.id }
  return { ...told, subject: subjectOf(row), details: { ...factsOf(row), ...operation, ...told.details } }
}

function tellHold(
  row: PayoutRow,
  hold: string | null | undefined,
  facts: Doubted,
  paidAt: Date | undefined,
): Told | undefined {
  if (hold === 'before_cut_over') return tellBeforeCutOver(row, facts, paidAt)
  if (hold === 'may_be_paid_already') return tellMayBePaid(row, facts, paidAt)
  if (hold === 'account_changed') return tellAccountChanged(row)
  return undefined
}

function tellBeforeCutOver(row: PayoutRow, { accounts, owners, since }: Doubted, paidAt: Date | undefined): Told {
  const payouts = listPossiblePayers(accounts.get(row.account), owners, paidAt ?? row.createdAt)
  return {
    kind: 'before-cut-over',
    message:
      'this booking was paid before the cut-over, and the old jobs paid some rows without writing it down: compare the ' +
      "account's payouts of that time; approve its held operation if it was never paid out, else write the payout's id " +
      'into the row and set it to PAID_OUT',
    details: { ...momentOf(paidAt), cutOverAt: since, payouts: payouts.map(showPayout) },
  }
}

function tellMayBePaid(row: PayoutRow, facts: Doubted, paidAt: Date | undefined): Told {
  const payouts = listDoubts(row, facts, paidAt ?? row.createdAt)
  return {
    kind: 'may-be-paid-already',
    message:
      'somebody else has made a payout out of the account since this booking was paid, and no rows say what it was for: if ' +
      "it was for this one, write the payout's id into the row and set it to PAID_OUT; else approve its held operation",
    details: { ...momentOf(paidAt), payouts: payouts.map(showPayout) },
  }
}

function tellAccountChanged({ currentAccount }: PayoutRow): Told {
  return {
    kind: 'account-changed',
    message:
      "the booking's money is on an account that is not (or no longer) the expert's: ask which one is right; approve the " +
      'held operation to pay it out of the account where it is',
    details: { currentAccount },
  }
}

interface Told {
  readonly kind: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

function tellProblem(problem: RowProblem, row: PayoutRow): Told {
  switch (problem.kind) {
    case 'already_paid':
      return tellAlreadyPaid(problem.payouts, row)
    case 'already_paid_by_operation':
      return tellPaidByUs(problem.operation)
    case 'booking_stopped':
      return tellStopped(problem)
    case 'payment_missing': {
      const message =
        'Stripe does not know the payment of this row: correct payment_intent_id, or set the row to FAILED'
      return { kind: 'payment-missing', message, details: { code: problem.code } }
    }
    case 'payment_shared':
      return { kind: 'payment-shared', message: sharedPaymentSentence, details: {} }
    case 'account_missing': {
      const message = "the row names no Connect account: write the one that has the booking's money into it"
      return { kind: 'row-account-missing', message, details: {} }
    }
    case 'transfer_missing':
    case 'transfer_wrong':
    case 'transfer_other':
      return tellTransfer(problem, row)
  }
}

function tellPaidByUs({ id, stripeId }: RowOperation): Told {
  const message =
    "our own operation has paid this row's payment, and the row does not say so: write the payout's id into the row and set it to PAID_OUT"
  return { kind: 'row-already-paid', message, details: { operationId: id, payoutId: stripeId } }
}

function tellStopped({ reason, refundedCents }: RowProblem & { readonly kind: 'booking_stopped' }): Told {
  const details = refundedCents === undefined ? {} : { refundedCents }
  const kind = reason === 'dispute_lost' ? 'dispute-lost' : `row-${reason.replaceAll('_', '-')}`
  return { kind, message: stopSentences[reason], details }
}

type TransferProblem = Extract<RowProblem, { readonly kind: 'transfer_missing' | 'transfer_wrong' | 'transfer_other' }>

function tellTransfer(problem: TransferProblem, { transferId }: PayoutRow): Told {
  switch (problem.kind) {
    case 'transfer_missing': {
      const message =
        'the row is COMPLETED and no transfer brought its money to the account: clear transfer_id and set it to READY'
      return { kind: 'transfer-missing', message, details: { transferId } }
    }
    case 'transfer_wrong': {
      const { mismatches, transferIds } = problem
      const message = mismatches.map(({ kind }) => mismatchSentences[kind]).join('; ')
      const isReversed = mismatches.some(({ kind }) => kind === 'reversed')
      const kind = isReversed ? 'transfer-reversed' : 'transfer-mismatch'
      return { kind, message, details: { mismatches, transferIds } }
    }
    case 'transfer_other': {
      const message = 'the row names another transfer than the one that its payment has: find out which one is right'
      const details = { transferId: problem.transferId, transferIds: [problem.foundId] }
      return { kind: 'transfer-mismatch', message, details }
    }
  }
}

function tellAlreadyPaid(payouts: readonly PaidBy[], { booking }: PayoutRow): Told {
  const paidCents = payouts
    .filter(({ payout }) => payout.currency === booking.currency)
    .reduce((sum, { payout }) => sum + payout.amountCents, 0)
  const message =
    "payouts at Stripe name this row, so an old job has paid it: write the payout's id into the row and set it to " +
    (paidCents === booking.amountCents
      ? 'PAID_OUT'
      : 'PAID_OUT; the amounts differ: settle the difference with the expert')
  const shown = payouts.map(({ account, payout }) => ({
    payoutId: payout.id,
    account,
    amountCents: payout.amountCents,
    currency: payout.currency,
    status: payout.status,
    createdAt: payout.createdAt,
  }))
  return { kind: 'row-already-paid', message, details: { payouts: shown, paidCents } }
}

function showPayout({ amountCents, createdAt, currency, id, status }: ListedPayout) {
  return { payoutId: id, amountCents, currency, status, createdAt }
}

function momentOf(paidAt: Date | undefined) {
  return paidAt === undefined ? {} : { paidAt }
}

function factsOf({ account, booking }: PayoutRow) {
  return { account, amountCents: booking.amountCents, currency: booking.currency }
}
