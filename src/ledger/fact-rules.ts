import { findGate, isReturned } from '../money/payout-gates.ts'
import { findTransfer } from '../money/transfer-checks.ts'
import type { Balance, Charge, ConnectAccount, Payment, Payout, Transfer } from '../providers/payments.ts'
import type { MoneyRow } from '../database/money-rows.ts'

/** What speaks against sending now. `passing` may be over by itself one day; anything else will not. */
export interface Objection {
  readonly reason: string
  readonly passing: boolean
}

/** What Stripe says, read again right before a transfer is made. */
export interface TransferFacts {
  readonly payment: Payment
  readonly account: ConnectAccount
  readonly balance: Balance
  /** To the account, since the charge was paid. */
  readonly transfers: readonly Transfer[]
}

/** Why no transfer may be made for a row now; undefined when nothing speaks against it. */
export function findTransferObjection(
  { account, balance, payment, transfers }: TransferFacts,
  row: MoneyRow,
  chargeId: string,
): Objection | undefined {
  const paid = findPaymentObjection(payment)
  if (paid !== undefined) return paid
  const { charge } = payment
  if (charge?.id !== chargeId) return lasting('charge_changed')
  if (findTransfer(owed(row), charge, transfers).kind !== 'none') return lasting('transfer_exists')
  if (charge.settlementCurrency !== undefined && charge.settlementCurrency !== row.currency) {
    return lasting('settlement_currency')
  }
  if (row.amountCents > charge.amountCents) return lasting('above_charge')
  if (!account.transfersActive) return passing('transfers_inactive')
  // Money sent to an account in debt fills the hole and pays nobody (reference/stripe.md section 3.7).
  if ((balance.available[row.currency] ?? 0) < 0) return passing('negative_balance')
  return undefined
}

/** What Stripe says, read again right before a payout is made. */
export interface PayoutFacts {
  readonly payments: readonly {
    readonly row: MoneyRow
    readonly payment: Payment
    readonly transfers: readonly Transfer[]
  }[]
  readonly account: ConnectAccount
  readonly balance: Balance
  /** Made since shortly before the operation, by anybody but this operation, and explained by nobody. */
  readonly unexplained: readonly string[]
}

/** Why a payout may not be made now; undefined when nothing speaks against it. */
export function findPayoutObjection(facts: PayoutFacts, currency: string, amountCents: number): Objection | undefined {
  const { account, balance, payments, unexplained } = facts
  for (const { payment, row, transfers } of payments) {
    const objection = findPaymentObjection(payment) ?? findTransferFault(payment.charge, row, transfers)
    if (objection !== undefined) return objection
  }
  if (unexplained.length > 0) return passing('payout_unexplained')
  const gate = findGate(
    { ...account, available: balance.available, pending: balance.pending, payouts: [] },
    currency,
    false,
  )
  if (gate !== undefined) return passing(gate)
  if (!((balance.available[currency] ?? 0) >= amountCents)) return passing('awaiting_funds')
  return undefined
}

/** The guest has paid, has nothing back, and has not complained to the bank. */
function findPaymentObjection({ charge, status }: Payment): Objection | undefined {
  if (status !== 'paid' || charge === undefined) return passing('not_paid')
  if (charge.refundedCents !== 0) return lasting('refunded')
  if (charge.disputeLost) return lasting('dispute_lost')
  return charge.disputed ? passing('disputed') : undefined
}

/** The money reached the row's account, all of it, and was not taken back. */
function findTransferFault(
  charge: Charge | undefined,
  row: MoneyRow,
  transfers: readonly Transfer[],
): Objection | undefined {
  if (charge === undefined) return passing('not_paid')
  const found = findTransfer(owed(row), charge, transfers)
  if (found.kind === 'none') return lasting('transfer_missing')
  if (found.kind === 'mismatch') return lasting(`transfer_${found.mismatches[0]?.kind ?? 'wrong'}`)
  return row.transferId === null || row.transferId === found.transfer.id ? undefined : lasting('transfer_differs')
}

/** Payouts of an account that are not this operation's and whose money did not come back. */
export function listOthers(payouts: readonly Payout[], operationId: string): Payout[] {
  return payouts.filter(payout => payout.operationId !== operationId && !isReturned(payout))
}

function owed({ account, amountCents, currency, id }: MoneyRow) {
  return { paymentTransferId: id, account, amountCents, currency }
}

function passing(reason: string): Objection {
  return { reason, passing: true }
}

function lasting(reason: string): Objection {
  return { reason, passing: false }
}
