import pMap from 'p-map'
import { listAttributedTransfers } from '../database/attributed-transfers.ts'
import { listBookings } from '../database/bookings.ts'
import type { Db } from '../database/connection.ts'
import { type Evidence, readHoldEvidence } from '../database/hold-evidence.ts'
import { type MoneyRow } from '../database/money-rows.ts'
import { payableStatuses } from '../money/row-statuses.ts'
import { findPayoutOwners } from '../database/payout-accounts.ts'
import { areAsDecided } from '../money/as-decided.ts'
import type { PayoutOwners } from '../money/payout-facts.ts'
import { noOwners } from '../money/payout-rows.ts'
import type { StandingHold } from '../money/standing-holds.ts'
import { isUnlabelled, listPossibleTransfers } from '../money/transfer-doubts.ts'
import type { Charge, Payment, Payout, Transfer } from '../providers/payments.ts'
import { findPayoutObjection, findTransferObjection, listOthers, listPaidRows, type Objection } from './fact-rules.ts'
import { thawPayout, thawTransfer } from './frozen-request.ts'
import type { LedgerRun } from './ledger.ts'
import { listOldPayouts } from './old-payouts.ts'
import { listPayoutHolds, listTransferHolds, listUnexplained } from './holds.ts'
import type { LedgerParts, Undertaking } from './parts.ts'

/** A bound on how much one operation asks at once; the provider's limiter decides how fast. */
const readsAtOnce = 5
/** A day of doubt: lists go by the vendor's clock, and an object that is not listed would be made a second time. */
export const clockDoubtMs = 24 * 60 * 60_000

export type Facts =
  /** Nothing forbids it; `holds` are what an operator has to have approved. */
  | { readonly kind: 'right'; readonly holds: readonly StandingHold[] }
  /** It exists at Stripe already, with this operation's id on it. */
  | { readonly kind: 'exists'; readonly objects: readonly (Transfer | Payout)[] }
  | { readonly kind: 'wrong'; readonly objection: Objection }

/**
 * Reads at Stripe and in our own tables, right before sending, whatever could speak against it. `rows`
 * must be fresh. Throws what the provider throws; then nothing is known.
 */
export async function readFacts(parts: LedgerParts, undertaking: Undertaking, run: LedgerRun): Promise<Facts> {
  const { items, operation, rows } = undertaking
  const { account, currency, kind } = operation
  if (!areAsDecided(rows, { kind, items, currency, account, statuses: payableStatuses[kind] })) {
    return { kind: 'wrong', objection: { reason: 'row_changed', passing: false } }
  }
  return kind === 'transfer'
    ? await readTransferFacts(parts, undertaking, run)
    : await readPayoutFacts(parts, undertaking, run)
}

async function readTransferFacts(
  { db, limits, payments }: LedgerParts,
  { operation, rows }: Undertaking,
  run: LedgerRun,
): Promise<Facts> {
  const { chargeId, destination } = thawTransfer(operation)
  const [row] = rows
  if (row === undefined) throw new Error(`the transfer ${operation.id} has no row`)
  const [payment, account, balance] = await Promise.all([
    payments.readPayment(row.paymentIntentId, run.signal),
    payments.readAccount(destination, run.signal),
    payments.readBalance(destination, run.signal),
  ])
  const from = new Date((payment.charge?.paidAt ?? operation.created_at).getTime() - clockDoubtMs)
  const transfers = await listTransfersFor(payment.charge, { destination, from }, payments, run)
  const objects = transfers.filter(transfer => transfer.operationId === operation.id)
  if (objects.length > 0) return { kind: 'exists', objects }
  const booking = (await listBookings(db, [row.id])).get(row.id)
  const facts = { now: run.clock(), booking, payment, account, balance, transfers }
  const objection = findTransferObjection(facts, row, chargeId)
  if (objection !== undefined) return { kind: 'wrong', objection }
  const evidence = await readHoldEvidence(db, operation)
  const attributed = await listAttributedTransfers(
    db,
    transfers.filter(isUnlabelled).map(({ id }) => id),
  )
  const possible = payment.charge === undefined ? [] : listPossibleTransfers(row, payment.charge, transfers, attributed)
  return { kind: 'right', holds: listTransferHolds(payment, possible, evidence, sinceOf(limits, evidence)) }
}

/** As the plans have it: what an operator has set, else the first boot of the job that pays out. */
function sinceOf({ since }: LedgerParts['limits'], { firstBootAt }: Evidence): Date | undefined {
  return since ?? firstBootAt ?? undefined
}

async function readPayoutFacts(
  { db, limits, payments }: LedgerParts,
  { operation, rows }: Undertaking,
  run: LedgerRun,
): Promise<Facts> {
  const { account, amountCents, currency } = thawPayout(operation)
  const [ofRows, connect, balance] = await Promise.all([
    pMap(rows, async row => await readPaymentOf(row, payments, run), { concurrency: readsAtOnce }),
    payments.readAccount(account, run.signal),
    payments.readBalance(account, run.signal),
  ])
  const ids = rows.map(({ id }) => id)
  const bookings = await listBookings(db, ids)
  const from = new Date(operation.created_at.getTime() - clockDoubtMs)
  const { elsewhere, own } = await listOldPayouts(payments, { account, from, bookings: [...bookings.values()] }, run)
  const objects = own.filter(payout => payout.operationId === operation.id)
  if (objects.length > 0) return { kind: 'exists', objects }
  const evidence = await readHoldEvidence(db, operation)
  const since = sinceOf(limits, evidence)
  const others = new Map([...elsewhere, [account, own] as const].map(each => withoutOwn(each, operation.id)))
  const owners = await findOwners(db, [...others.values()].flat())
  const booked = ofRows.map(each => ({ ...each, booking: bookings.get(each.row.id) }))
  const asked = { others, owners, since }
  const facts = {
    now: run.clock(),
    payments: booked,
    account: connect,
    balance,
    unexplained: listUnexplained(account, asked),
    paidRows: listPaidRows([...others.values()].flat(), ids),
  }
  const objection = findPayoutObjection(facts, currency, amountCents)
  if (objection !== undefined) return { kind: 'wrong', objection }
  return { kind: 'right', holds: listPayoutHolds(booked, asked, evidence) }
}

function withoutOwn([account, payouts]: readonly [string, readonly Payout[]], operationId: string) {
  return [account, listOthers(payouts, operationId)] as const
}

/** Whose they are; nothing to ask our tables about where there are none. */
async function findOwners(db: Db, payouts: readonly Payout[]): Promise<PayoutOwners> {
  return payouts.length === 0 ? noOwners : await findPayoutOwners(db, payouts)
}

/** A row's payment, and where the charge made no transfer of its own, the transfers that somebody made by a call. */
async function readPaymentOf(row: MoneyRow, payments: LedgerParts['payments'], run: LedgerRun) {
  const payment: Payment = await payments.readPayment(row.paymentIntentId, run.signal)
  const { charge } = payment
  if (charge === undefined || charge.transfer !== undefined) return { row, payment, transfers: [] }
  const from = new Date(charge.paidAt.getTime() - clockDoubtMs)
  const transfers = await listTransfersFor(charge, { destination: row.account, from }, payments, run)
  return { row, payment, transfers }
}

/** To the account, and of the charge's group: a row's account may have been another one when they were made. */
async function listTransfersFor(
  charge: Charge | undefined,
  query: { readonly destination: string; readonly from: Date },
  payments: LedgerParts['payments'],
  { signal }: LedgerRun,
): Promise<Transfer[]> {
  const [listed, grouped] = await Promise.all([
    payments.listTransfers(query, signal),
    charge === undefined ? [] : payments.listTransferGroup(charge.transferGroup, signal),
  ])
  return [...new Map([...listed, ...grouped].map(transfer => [transfer.id, transfer])).values()]
}
