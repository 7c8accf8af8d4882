/** What goes into the plan of transfers, and what comes out of it. */

import type { Asked } from './asked.ts'
import type { AskedDispute } from './disputes.ts'
import type { AskedFailedRow } from './failed-rows.ts'
import type { Foresight } from './foresights.ts'
import type { Hold } from './hold-reasons.ts'
import type { Limits } from './limits.ts'
import type { RefundedRow } from './refunded-rows.ts'
import type { PaymentAnswer, TransferRow } from './transfer-decisions.ts'
import type { AccountAnswer } from './transfer-gates.ts'
import type { TransferHold } from './transfer-reasons.ts'

/** What asking about a row's payment came to. */
export type TransferAnswer = Asked<PaymentAnswer>

/** A transfer that was begun and is not through; `held` only where its row has changed since, so that it is held for nothing. */
export interface BegunTransfer {
  readonly id: string
  readonly state: 'planned' | 'held' | 'sending' | 'unknown' | 'blocked'
  readonly reason: string | null
  readonly wakeAt: Date | null
  readonly createdAt: Date
  readonly amountCents: number
  readonly currency: string
  readonly account: string
  readonly paymentTransferIds: readonly number[]
  readonly firstSentAt: Date | null
  /** Those of them that are not what it was made from any more. */
  readonly changedRows: readonly number[]
  /** Clerk ids of those whose money it is. */
  readonly experts: readonly string[]
  /** What operators approved of it; see standing-holds.ts. */
  readonly approvedFor: readonly string[]
}

/** A row that an old job has given up: no job looks at it again. */
export interface GivenUp {
  readonly paymentTransferId: number
  readonly retryCount: number
  readonly errorCode: string | null
  readonly amountCents: number
  readonly currency: string
  readonly account: string
}

export interface TransferFacts {
  /** Oldest first. */
  readonly rows: readonly TransferRow[]
  /** By payment_transfers id; nothing for a row about which nobody had to be asked. */
  readonly answers: ReadonlyMap<number, TransferAnswer>
  /** Of the transfers that the answers list, those that a row or an operation names. */
  readonly attributed: ReadonlySet<string>
  /** By Connect account: those to which a transfer is to be made. */
  readonly accounts: ReadonlyMap<string, AccountAnswer>
  readonly begun: readonly BegunTransfer[]
  /** By operation: what will come of those that are to be finished, as far as it was read. */
  readonly foresights: ReadonlyMap<string, Foresight>
  readonly givenUp: readonly GivenUp[]
  /** DISPUTED rows with neither a transfer nor a payout. */
  readonly disputes: readonly AskedDispute[]
  /** FAILED rows that no old job has given up. */
  readonly failed: readonly AskedFailedRow[]
  /** REFUNDED rows that were paid out, and that nobody was told of. */
  readonly refunded: readonly RefundedRow[]
  readonly limits: Limits
  /** Cents sent in the last 24 hours, by currency. */
  readonly sentCents: Readonly<Record<string, number>>
  /** Payments before it may have been transferred by the old jobs without a record; undefined: so may all of them. */
  readonly cutOver: Date | undefined
  /** Rows that this run did not even read. */
  readonly left: number
  /** As many more that wait, by what they say themselves. */
  readonly unread?: number
}

export interface Releasing {
  readonly subject: string
  readonly amountCents: number
  readonly currency: string
  /** The Connect account. */
  readonly destination: string
  /** Clerk ids of those whose money it is. */
  readonly experts: readonly string[]
  readonly why: string
  readonly paidAt: Date
  readonly appointmentEndedAt: Date | null
  readonly eligibleSince: Date
  readonly paymentTransferId: number
  readonly expectedStatus: TransferRow['status']
  readonly chargeId: string
}

export interface RecordTransfer extends Releasing {
  readonly kind: 'record-transfer'
  readonly transferId: string
  /** Of before the cut-over: its expert had the money long ago, and is not told. */
  readonly isOld: boolean
}

export interface CreateTransfer extends Releasing {
  readonly kind: 'create-transfer'
}

/** Like creating one, and nothing is sent before an operator has approved it. */
export interface HoldTransfer extends Releasing {
  readonly kind: 'hold-transfer'
  readonly hold: TransferHold
  /** Transfers that may have been made for it by hand. */
  readonly doubts: readonly string[]
}

export interface ResumeTransfer {
  readonly kind: 'resume-transfer'
  /** The operation. */
  readonly subject: string
  readonly amountCents: number
  readonly currency: string
  readonly destination: string
  readonly rows: readonly { readonly paymentTransferId: number; readonly amountCents: number }[]
  readonly experts: readonly string[]
  /** It is held, and not sent: nobody has approved that yet. */
  readonly hold?: Hold
  /** All that it will be held for, each with what it is about. */
  readonly holds?: readonly string[]
  readonly why: string
}

/** Gives up an operation that was not sent and whose row has changed, and moves nothing. */
export interface ReleaseTransfer {
  readonly kind: 'release-operation'
  /** The operation. */
  readonly subject: string
  readonly currency: string
  readonly destination: string
  readonly experts: readonly string[]
  readonly why: string
}

export type TransferEffect = RecordTransfer | CreateTransfer | HoldTransfer | ResumeTransfer | ReleaseTransfer

export interface TransferWaiting {
  readonly subject: string
  readonly reason: string
  readonly until?: Date
  readonly why: string
  readonly amountCents: number
  readonly currency: string
  readonly destination: string
  /** The row's latest transfer operation. */
  readonly operationId?: string
}
