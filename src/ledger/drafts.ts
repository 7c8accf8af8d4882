import type { OperationItem } from '../database/money-operations.ts'
import type { OperationKind, PaymentTransferStatus } from '../database/tables.ts'
import type { Hold } from '../money/hold-reasons.ts'
import { payableStatuses } from '../money/row-statuses.ts'
import type { StandingHold } from '../money/standing-holds.ts'
import { freezeRequest } from './frozen-request.ts'
import type { PayoutOrder, RecordOrder, TransferOrder } from './ledger.ts'

/** An operation that is not written yet. */
export interface Draft {
  readonly id: string
  readonly kind: OperationKind
  readonly subject: string
  readonly amountCents: number
  readonly currency: string
  readonly account: string
  readonly items: readonly OperationItem[]
  /** The rows must be in one of these, or nothing is written. */
  readonly statuses: readonly PaymentTransferStatus[]
  readonly replaces: string | null
  /** Why a person has to approve it, by the plan; none where nothing is. */
  readonly holds: readonly StandingHold[]
  readonly frozen: { readonly request: string; readonly request_hash: string }
}

/** A transfer to be made, or one to be written down. */
export function draftTransfer(order: TransferOrder | RecordOrder, id: string): Draft {
  const { account, amountCents, chargeId, expectedStatus, paymentTransferId } = order
  const currency = order.currency.toLowerCase()
  return {
    id,
    kind: 'transfer',
    subject: String(paymentTransferId),
    amountCents,
    currency,
    account,
    items: [{ paymentTransferId, amountCents }],
    statuses: [expectedStatus],
    replaces: null,
    holds: 'hold' in order ? listPlanned(order.hold, order.doubts) : [],
    frozen: freezeRequest({
      amountCents,
      currency,
      destination: account,
      chargeId,
      operationId: id,
      paymentTransferId,
    }),
  }
}

/** A payout to be made. Throws for an order whose amount is not the sum of its rows. */
export function draftPayout(order: PayoutOrder, id: string): Draft {
  const { account, amountCents, hold, replaces, rows } = order
  const currency = order.currency.toLowerCase()
  const sum = rows.reduce((total, row) => total + row.amountCents, 0)
  if (rows.length === 0 || sum !== amountCents) throw new Error(`a payout of ${amountCents} cannot pay rows of ${sum}`)
  return {
    id,
    kind: 'payout',
    subject: `${account} ${currency} ${id}`,
    amountCents,
    currency,
    account,
    items: rows.map(({ amountCents, paymentTransferId }) => ({ paymentTransferId, amountCents })),
    statuses: payableStatuses.payout,
    replaces: replaces ?? null,
    holds: listPlanned(hold),
    frozen: freezeRequest({ account, amountCents, currency, operationId: id }),
  }
}

function listPlanned(reason: Hold | undefined, doubts: readonly string[] = []): StandingHold[] {
  const made: StandingHold[] = doubts.length === 0 ? [] : [{ reason: 'may_be_transferred_already', of: doubts }]
  if (reason === undefined || reason === made[0]?.reason) return made
  return [{ reason, of: [] }, ...made]
}
