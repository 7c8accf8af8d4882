/** What is to be done about one row whose money has not been released to its expert. */

import type { State } from './operation-states.ts'
import { type Booking, eligibleFrom, judgeBooking, type PaymentFacts } from './eligibility.ts'
import { findHold, type Limits } from './limits.ts'
import { type ExistingTransfer, findTransfer, type OwedTransfer } from './transfer-checks.ts'
import { listPossibleTransfers } from './transfer-doubts.ts'
import type { payableStatuses } from './row-statuses.ts'
import type { Oddity, TransferHold, TransferWait } from './transfer-reasons.ts'

const hourMs = 60 * 60_000

/** What is due and still stuck after so long needs a person (CONTRIBUTING.md, rule of money 4). */
export const overdueAfterMs = 48 * hourMs

/** A row as our database knows it. */
export interface TransferRow extends Omit<Booking, 'status'>, OwedTransfer {
  readonly status: (typeof payableStatuses.transfer)[number]
  /** The expert's Connect account of today. */
  readonly currentAccount: string | null
  /** More than one user has the row's account. */
  readonly accountShared: boolean
  readonly transferId: string | null
  readonly payoutId: string | null
  /** Another row that is not closed has the same payment. */
  readonly hasTwin: boolean
  /** An operation pays it out, or has; or another row of its payment. */
  readonly hasPayout: boolean
  /** The latest transfer of this row's payment; undefined when there never was one. */
  readonly operation: RowOperation | undefined
  /** The operation by which an operator declined to send it, until somebody lets it be planned again. */
  readonly declined?: string | undefined
  /** Whose it is: a Clerk id. */
  readonly expert: string
}

export interface RowOperation {
  readonly id: string
  readonly state: State
  readonly reason: string | null
  readonly wakeAt: Date | null
  readonly createdAt: Date
}

/**
 * The payment of the row, and the transfers to its account and of its payment's group, which matter only where the charge
 * has none of its own.
 */
export interface PaymentAnswer {
  readonly payment: Omit<PaymentFacts, 'charge'> & { readonly charge: AnsweredCharge | undefined }
  readonly transfers: readonly ExistingTransfer[]
}

type AnsweredCharge = NonNullable<PaymentFacts['charge']> & {
  readonly id: string
  readonly settlementCurrency: string | undefined
  readonly feeCents: number | null
  readonly transfer: ExistingTransfer | undefined
  readonly transferGroup: string
}

export interface TransferRules {
  readonly limits: Limits
  /** Payments before it may have been paid by others; undefined: so may all of them. */
  readonly cutOver: Date | undefined
  /** Transfers that a row or an operation names. */
  readonly attributed: ReadonlySet<string>
  readonly now: Date
}

/** What was found out about a payment that may be released. */
export interface Release {
  readonly chargeId: string
  readonly paidAt: Date
  readonly since: Date
}

export type TransferDecision =
  /** Our rows do not say; the vendor has to be asked. */
  | { readonly kind: 'ask' }
  | { readonly kind: 'wait'; readonly reason: TransferWait; readonly until?: Date; readonly overdueSince?: Date }
  /** A person must look. */
  | {
      readonly kind: 'odd'
      /** At least one; the first names the finding. */
      readonly oddities: readonly Oddity[]
      readonly details: Readonly<Record<string, unknown>>
    }
  | ({ readonly kind: 'record'; readonly transferId: string; readonly isOld: boolean } & Release)
  | ({
      readonly kind: 'create'
      readonly hold: TransferHold | undefined
      /** Transfers that may have been made for it by hand. */
      readonly doubts: readonly string[]
    } & Release)

/** What to do about a row. Without `answer` only our own rows decide, and where they cannot: `ask`. */
export function decideTransfer(
  row: TransferRow,
  answer: PaymentAnswer | undefined,
  rules: TransferRules,
): TransferDecision {
  const early = decideByRecords(row, rules.now)
  if (early !== undefined) return early
  const verdict = judgeBooking(row, answer?.payment, rules.now)
  if (verdict.kind === 'stopped') return odd(verdict.reason, stopDetails(row, answer))
  if (verdict.kind === 'waits' && verdict.reason !== 'approval') return { ...verdict, kind: 'wait' }
  if (answer === undefined) return { kind: 'ask' }
  const { charge } = answer.payment
  // Whatever is eligible or approved has been paid: this only says so to the compiler.
  if (charge === undefined || row.appointmentEndsAt === null) return { kind: 'ask' }
  const since = eligibleFrom(charge.paidAt, row.appointmentEndsAt, row.country)
  if (verdict.kind === 'waits') return wait('approval', undefined, since, rules.now)
  return decideRelease(row, { charge, transfers: answer.transfers, since }, rules)
}

/** A row that somebody is at work on already, or that contradicts itself, needs no question to the vendor. */
function decideByRecords(row: TransferRow, now: Date): TransferDecision | undefined {
  const { declined, hasPayout, hasTwin, operation, payoutId, status, transferId } = row
  // Where two rows share a payment, the operation may be the other one's.
  if (payoutId !== null || (hasPayout && !hasTwin)) return odd('names_payout', { status, payoutId, transferId })
  if (transferId !== null) return odd('names_transfer', { status, transferId })
  if (hasTwin) return odd('two_rows', { status })
  // A person has said no, and knows: it is not overdue.
  const early: TransferDecision | undefined = declined === undefined ? undefined : { kind: 'wait', reason: 'declined' }
  if (operation === undefined) return early
  const { createdAt, id, state, wakeAt } = operation
  switch (state) {
    case 'created':
    case 'paid':
      return odd('transferred_already', { status, operationId: id })
    case 'held':
      return wait('held', undefined, createdAt, now)
    case 'blocked':
      return wait('blocked', wakeAt ?? undefined, createdAt, now)
    case 'planned':
    case 'sending':
    case 'unknown':
      return wait('operation_open', undefined, createdAt, now)
    case 'failed':
    case 'canceled':
    case 'rejected':
      return early
  }
}

function decideRelease(
  row: TransferRow,
  { charge, since, transfers }: { charge: AnsweredCharge; transfers: readonly ExistingTransfer[]; since: Date },
  rules: TransferRules,
): TransferDecision {
  const release = { chargeId: charge.id, paidAt: charge.paidAt, since }
  const found = findTransfer(row, charge, transfers)
  if (found.kind === 'match') {
    return { kind: 'record', transferId: found.transfer.id, isOld: isOld(charge.paidAt, rules), ...release }
  }
  if (found.kind === 'mismatch') {
    const { mismatches, transferIds } = found
    const details = { mismatches, transferIds, chargeId: charge.id, feeCents: charge.feeCents }
    return { kind: 'odd', oddities: mismatches.map(({ kind }) => kind), details }
  }
  const { settlementCurrency } = charge
  if (settlementCurrency !== undefined && settlementCurrency.toLowerCase() !== row.currency.toLowerCase()) {
    return odd('settlement_currency', { chargeId: charge.id, currency: row.currency, settlementCurrency })
  }
  const doubts = listPossibleTransfers(row, charge, transfers, rules.attributed)
  return { kind: 'create', hold: holdOf(row, charge.paidAt, doubts, rules), doubts, ...release }
}

/** Why a person has to approve a new transfer first; the ledger decides about limits once more. */
function holdOf(
  row: TransferRow,
  paidAt: Date,
  doubts: readonly string[],
  rules: TransferRules,
): TransferHold | undefined {
  if (isOld(paidAt, rules)) return 'before_cut_over'
  if (doubts.length > 0) return 'may_be_transferred_already'
  if (row.accountShared) return 'account_shared'
  if (row.account !== row.currentAccount) return 'account_changed'
  if (row.operation?.state === 'rejected') return 'rejected_before'
  return findHold({ amountCents: row.amountCents, sentCents: 0 }, rules.limits)
}

/** Paid before the cut-over, or nobody knows whether it was. */
function isOld(paidAt: Date, { cutOver }: TransferRules): boolean {
  return cutOver === undefined || !(paidAt.getTime() >= cutOver.getTime())
}

/** Something waits, and is overdue when it has been due for too long. */
export function wait(reason: TransferWait, until: Date | undefined, dueSince: Date, now: Date): TransferDecision {
  const isOverdue = now.getTime() - dueSince.getTime() > overdueAfterMs
  return {
    kind: 'wait',
    reason,
    ...(until === undefined ? {} : { until }),
    ...(isOverdue ? { overdueSince: dueSince } : {}),
  }
}

function odd(oddity: Oddity, details: Readonly<Record<string, unknown>>): TransferDecision {
  return { kind: 'odd', oddities: [oddity], details }
}

function stopDetails(row: TransferRow, answer: PaymentAnswer | undefined): Readonly<Record<string, unknown>> {
  const { amountCents, currency, status } = row
  const charge = answer?.payment.charge
  if (charge === undefined) return { status, amountCents, currency }
  const { amountCents: paidCents, currency: paidCurrency, disputed, id, refundedCents } = charge
  return { status, amountCents, currency, chargeId: id, paidCents, paidCurrency, refundedCents, disputed }
}
