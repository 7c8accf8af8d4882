import pMap from 'p-map'
import { listBookings } from '../database/bookings.ts'
import { payableStatuses, type MoneyRow } from '../database/money-rows.ts'
import { areAsDecided } from '../money/as-decided.ts'
import type { Payment, Payout, Transfer } from '../providers/payments.ts'
import { findPayoutObjection, findTransferObjection, listOthers, listPaidRows, type Objection } from './fact-rules.ts'
import { thawPayout, thawTransfer } from './frozen-request.ts'
import type { LedgerRun } from './ledger.ts'
import { listOldPayouts, listUnexplained } from './old-payouts.ts'
import type { LedgerParts, Undertaking } from './parts.ts'

/** A bound on how much one operation asks at once; the provider's limiter decides how fast. */
const readsAtOnce = 5
/** A day of doubt: lists go by the vendor's clock, and an object that is not listed would be made a second time. */
export const clockDoubtMs = 24 * 60 * 60_000
/** From so long before an operation on, a payout of somebody else's speaks against it; the plan has seen the older ones. */
const othersSinceMs = 60 * 60_000

export type Facts =
  | { readonly kind: 'right' }
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
  { db, payments }: LedgerParts,
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
  const transfers = await payments.listTransfers({ destination, from }, run.signal)
  const objects = transfers.filter(transfer => transfer.operationId === operation.id)
  if (objects.length > 0) return { kind: 'exists', objects }
  const booking = (await listBookings(db, [row.id])).get(row.id)
  const facts = { now: run.clock(), booking, payment, account, balance, transfers }
  return conclude(findTransferObjection(facts, row, chargeId))
}

async function readPayoutFacts(
  { db, payments }: LedgerParts,
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
  const payouts = own.filter(({ createdAt }) => createdAt >= from)
  // Nothing to ask our tables about unless somebody else pays out of this account at this very time.
  const since = operation.created_at.getTime() - othersSinceMs
  const recent = payouts.filter(({ createdAt }) => createdAt.getTime() >= since)
  const unexplained = await listUnexplained(db, account, listOthers(recent, operation.id))
  const booked = ofRows.map(each => ({ ...each, booking: bookings.get(each.row.id) }))
  const paidRows = listPaidRows([...own, ...elsewhere], operation.id, ids)
  const facts = { now: run.clock(), payments: booked, account: connect, balance, unexplained, paidRows }
  return conclude(findPayoutObjection(facts, currency, amountCents))
}

/** A row's payment, and where the charge made no transfer of its own, the transfers that somebody made by a call. */
async function readPaymentOf(row: MoneyRow, payments: LedgerParts['payments'], run: LedgerRun) {
  const payment: Payment = await payments.readPayment(row.paymentIntentId, run.signal)
  const { charge } = payment
  if (charge === undefined || charge.transfer !== undefined) return { row, payment, transfers: [] }
  const from = new Date(charge.paidAt.getTime() - clockDoubtMs)
  const transfers = await payments.listTransfers({ destination: row.account, from }, run.signal)
  return { row, payment, transfers }
}

function conclude(objection: Objection | undefined): Facts {
  return objection === undefined ? { kind: 'right' } : { kind: 'wrong', objection }
}
