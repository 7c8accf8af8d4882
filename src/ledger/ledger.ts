import type { FastifyBaseLogger } from 'fastify'
import type { HeldLease } from '../database/leases.ts'
import type { PaymentTransferStatus } from '../database/tables.ts'
import type { Foresight } from '../money/foresights.ts'
import type { Hold } from '../money/hold-reasons.ts'

/** The run that moves money: a job's context has all of it. */
export interface LedgerRun {
  readonly runId: string
  readonly job: string
  /** The time right before an effect. */
  readonly clock: () => Date
  readonly signal: AbortSignal
  readonly log: FastifyBaseLogger
  /** Undefined in a dry run, which may read and never write. */
  readonly lease: HeldLease | undefined
}

/** What an operator has set: MONEY_MAX_SINGLE, MONEY_MAX_TOTAL and MONEY_SINCE. */
export interface MoneyLimits {
  /** A larger operation is held, in minor units of its currency. */
  readonly maxSingleCents: number
  /** Once the operations sent in 24 hours would exceed it, per currency, new ones are held. */
  readonly maxTotalCents: number
  /** Payments before it may have been paid out by the old jobs. Undefined: the first boot of the payouts job. */
  readonly since: Date | undefined
}

/** A transfer that exists at Stripe already, to be written down for a row. Moves nothing. */
export interface RecordOrder {
  readonly paymentTransferId: number
  readonly expectedStatus: PaymentTransferStatus
  /** The row's net amount, in cents. */
  readonly amountCents: number
  readonly currency: string
  readonly account: string
  readonly transferId: string
  readonly chargeId: string
  /** The guest paid before the cut-over: the expert had the money long ago, and is not told of it as news. */
  readonly isOld?: boolean
}

/** A transfer to be made, for a charge that has none. */
export interface TransferOrder {
  readonly paymentTransferId: number
  readonly expectedStatus: PaymentTransferStatus
  readonly amountCents: number
  readonly currency: string
  readonly account: string
  readonly chargeId: string
  /** A person has to approve it first. */
  readonly hold?: Hold
  /** Transfers that may have been made for it by hand: only Stripe tells, and whoever approves it is shown them. */
  readonly doubts?: readonly string[]
}

/** A payout of rows of one account and currency; `amountCents` is the sum of its rows. */
export interface PayoutOrder {
  readonly account: string
  readonly currency: string
  readonly amountCents: number
  readonly rows: readonly { readonly paymentTransferId: number; readonly amountCents: number }[]
  /** The operation that paid these rows before, and failed. */
  readonly replaces?: string
  readonly hold?: Hold
}

/** What became of one order; fits into what a job's `apply` returns. */
export interface Posting {
  readonly counts: Readonly<Record<string, number>>
  readonly findings: readonly {
    readonly kind: string
    readonly subject: string
    readonly message: string
    readonly details?: Readonly<Record<string, unknown>>
    /** Written already, in the transaction that made it true. */
    readonly isRecorded?: boolean
  }[]
  /** The object's id at Stripe. */
  readonly receipt?: string
  /** Cents that really moved, by this call or by an earlier one that is now known: 0 when held, blocked or canceled. */
  readonly amountCents: number
  readonly operationId?: string
  /** Why it is held, blocked or canceled. */
  readonly reason?: string
  /** When a blocked one is worth another try. */
  readonly wakeAt?: Date
}

/**
 * The only code that moves money. Each order goes: intent committed (which requires the run's lease and that the job is
 * not paused), facts read again at Stripe, the call with the intent's key, receipt committed (CONTRIBUTING.md, "The
 * life of an operation").
 *
 * All of them throw StopRunError when the lease is gone or the job was paused, KeyRefusedError when Stripe refuses our
 * key, PermanentError for an item that needs a person, and a plain Error with a `code` for an item that may work when the
 * run comes back: then the operation says how far it came.
 */
export interface Ledger {
  /** For plans that want to say what will be held; the ledger decides by the same figures once more. */
  readonly limits: MoneyLimits
  /**
   * Compares the account and the mode behind our key with the ones that this database belongs to; a run with a lease
   * writes them down the first time. Compares the clocks too. Throws PermanentError `stripe_account_changed`, and a plain
   * Error `clocks_apart`.
   */
  checkAccount(run: LedgerRun): Promise<void>
  recordTransfer(order: RecordOrder, run: LedgerRun): Promise<Posting>
  createTransfer(order: TransferOrder, run: LedgerRun): Promise<Posting>
  createPayout(order: PayoutOrder, run: LedgerRun): Promise<Posting>
  /**
   * Takes an unfinished operation (planned, sending, unknown or blocked) as far as it can go now, and gives up a held one
   * whose rows have changed.
   */
  resume(operationId: string, run: LedgerRun): Promise<Posting>
  /** What `resume` would do with it now, as far as reading tells: for dry runs too, because it writes nothing. */
  foresee(operationId: string, run: LedgerRun): Promise<Foresight>
  /** Reads a payout's state at Stripe and writes down what became of it: `failed` and `canceled` reopen its rows. */
  settlePayout(operationId: string, run: LedgerRun): Promise<Posting>
}
