import type { Db } from '../database/connection.ts'
import type { HeldLease, Operation, OperationItem } from '../database/money-operations.ts'
import type { MoneyRow } from '../database/money-rows.ts'
import type { PaymentReads, PaymentWrites } from '../providers/payments.ts'
import type { LedgerRun, MoneyLimits, Posting } from './ledger.ts'

/**
 * Named moments of an operation, for tests that cut it off exactly there:
 * `intent` committed and nothing read since · `looked-up` a look-up has answered, nothing written · `facts` read again
 * and all right · `sending` committed, the socket opens next · `answered` the answer is in hand, nothing of it written ·
 * `receipt` committed.
 */
export type LedgerStep = 'intent' | 'looked-up' | 'facts' | 'sending' | 'answered' | 'receipt'

export interface LedgerParts {
  readonly db: Db
  readonly payments: PaymentReads
  readonly writes: PaymentWrites
  readonly limits: MoneyLimits
  readonly newId: () => string
  readonly onStep?: (step: LedgerStep, operationId: string) => Promise<void> | void
}

/** A run that may write: it has a lease. */
export type LeasedRun = LedgerRun & { readonly lease: HeldLease }

/** An operation, what it pays, and the rows as they were read last. */
export interface Undertaking {
  readonly operation: Operation
  readonly items: readonly OperationItem[]
  readonly rows: readonly MoneyRow[]
}

/** A posting of an order that moved nothing. */
export function nothingMoved(reason: string, more: Partial<Posting> = {}): Posting {
  return { counts: { [reason]: 1 }, findings: [], amountCents: 0, ...more }
}

/** An error of an item that may work when the run comes back; the code is what reports and heartbeats show. */
export function comeBack(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code })
}
