import { sql } from 'kysely'
import type { Db } from '../../database/connection.ts'
import type { StripeStandIn } from '../stripe.ts'
import { accountId, type AccountName, accountOf } from './accounts.ts'
import { type DemoCase, type DemoPayment, feeOf, type Made, type RowChanges } from './case.ts'
import { experts } from './experts.ts'
import { type BookingRow, insertBookings } from './insert-bookings.ts'

/** A case as it stands in the database. */
export interface DemoRow {
  readonly name: string
  readonly of: DemoCase
  readonly paymentTransferId: number
  readonly account: string
  /** In lower case. */
  readonly currency: string
  readonly amountCents: number
}

const dayMs = 24 * 60 * 60_000
const hourMs = 60 * 60_000

/**
 * Makes the payments of `cases` at Stripe, lets happen what happened to them later, and writes their rows, in that order:
 * nothing but our rows knows how it went. Days count from `origin`.
 */
export async function seedCases(
  db: Db,
  stripe: StripeStandIn,
  cases: readonly DemoCase[],
  origin: Date,
): Promise<readonly DemoRow[]> {
  const ids = await reserveIds(db, cases.length)
  const at = (days: number): Date => new Date(origin.getTime() + days * dayMs)
  const made = cases.map((each, index) => ({ of: each, made: pay(each, ids[index] ?? 0, stripe, at) }))
  const rows = made.map(({ made: payment, of }) => toRow(of, payment, of.later?.(payment) ?? {}))
  await insertBookings(db, rows)
  return rows.map((row, index) => ({
    name: cases[index]?.name ?? '',
    of: cases[index] as DemoCase,
    paymentTransferId: row.id,
    account: row.account,
    currency: row.currency.toLowerCase(),
    amountCents: row.amount,
  }))
}

/** From the table's own sequence, so that rows which the site writes later get ids of their own. */
async function reserveIds(db: Db, count: number): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    select nextval(pg_get_serial_sequence('payment_transfers', 'id'))::integer as id
    from generate_series(1, ${count})`.execute(db)
  return rows.map(({ id }) => id)
}

function pay(of: DemoCase, paymentTransferId: number, stripe: StripeStandIn, at: Made['at']): Made {
  const grossCents = of.priceCents ?? 6_000
  const feeCents = feeOf(grossCents)
  const account = accountId(accountNameOf(of))
  const currency = (of.row?.currency ?? 'eur').toLowerCase()
  const price = { amountCents: grossCents, feeCents, currency }
  const ids = collect(of.payment, { ...price, destination: account }, stripe, at)
  const paymentIntentId = ids.paymentIntentId ?? `pi_1Gone${paymentTransferId}`
  const { chargeId = '', transferId = null } = ids
  const netCents = grossCents - feeCents
  return {
    paymentTransferId,
    paymentIntentId,
    chargeId,
    transferId,
    account,
    grossCents,
    netCents,
    currency,
    stripe,
    at,
  }
}

interface Collected {
  readonly paymentIntentId?: string
  readonly chargeId?: string
  readonly transferId?: string | null
}

interface Price {
  readonly amountCents: number
  readonly feeCents: number
  readonly currency: string
  readonly destination: string
}

function collect(payment: DemoPayment, price: Price, stripe: StripeStandIn, at: Made['at']): Collected {
  switch (payment.by) {
    case 'card': {
      const { availableDays, paidDays, sentTo } = payment
      const available = availableDays === undefined ? {} : { availableAt: at(availableDays) }
      const order = { ...price, paidAt: at(paidDays), ...available }
      if (sentTo === null) return stripe.pay({ ...order, destination: null, feeCents: null })
      return stripe.pay(sentTo === undefined ? order : { ...order, destination: accountId(sentTo) })
    }
    case 'voucher': {
      const { issuedDays, paidDays } = payment
      return stripe.pay({ ...price, method: 'multibanco', createdAt: at(issuedDays), paidAt: at(paidDays) })
    }
    case 'unpaid voucher':
      return stripe.issueVoucher({ ...price, createdAt: at(payment.issuedDays), expiresAt: at(payment.issuedDays + 8) })
    case 'settling voucher':
      return stripe.issueVoucher({ ...price, createdAt: at(payment.issuedDays), expiresAt: at(payment.issuedDays + 7) })
    case 'canceled voucher': {
      const order = { ...price, createdAt: at(payment.issuedDays), expiresAt: at(payment.issuedDays + 10) }
      const { paymentIntentId } = stripe.issueVoucher(order)
      stripe.cancelPayment(paymentIntentId)
      return { paymentIntentId }
    }
    case 'nobody':
      return {}
  }
}

function toRow(of: DemoCase, made: Made, later: RowChanges): BookingRow {
  const { at, grossCents, netCents, paymentIntentId, paymentTransferId: id } = made
  const changes = { ...of.row, ...later }
  const createdDays = of.payment.by === 'card' ? of.payment.paidDays : of.payment.issuedDays
  const endsAt = at(of.endsDays)
  const reached = changes.status === 'COMPLETED' || changes.status === 'PAID_OUT'
  return {
    id,
    paymentIntentId,
    expert: of.expert,
    clerkUserId: experts[of.expert].clerkUserId,
    account: made.account,
    amount: netCents,
    currency: 'eur',
    fee: grossCents - netCents,
    startsAt: new Date(endsAt.getTime() - hourMs),
    endsAt,
    createdAt: at(createdDays),
    isGone: of.isGone ?? false,
    status: 'PENDING',
    transfer_id: reached ? made.transferId : null,
    requires_approval: false,
    ...changes,
  }
}

function accountNameOf({ account, expert }: DemoCase): AccountName {
  const name = account ?? accountOf(expert)
  if (name === null) throw new Error(`the expert ${expert} has no account: the case has to name one`)
  return name
}
