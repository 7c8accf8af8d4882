import type { Test } from 'tap'
import type { Outside } from '../../src/app.ts'
import type { Db } from '../../src/database/connection.ts'
import type { PaymentTransferStatus } from '../../src/database/tables.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'
import { startStripe, type StripeStandIn } from '../../src/sandbox/stripe.ts'
import { type Reply, type TestApp, testApp } from './app.ts'
import { addBooking, addUser } from './bookings.ts'
import { requireDescribed, specPath } from './stripe.ts'

export const path = '/jobs/process-pending-payouts'

export interface PayoutWorld extends TestApp {
  readonly stripe: StripeStandIn
  /** One user with an account that can be paid; gives the account. */
  addExpert(expert: string, account?: string): Promise<string>
  /** A paid booking of 85.00 net whose money is available, and its row; gives the row's id. */
  addBooking(account: string, wanted?: WantedBooking): Promise<Booked>
  pay(messageId?: string): Promise<Reply>
  rows(): Promise<readonly PaidRow[]>
  findings(): Promise<string[]>
  /** Cents that left for banks, by account, in euros. */
  outflow(): Record<string, number>
}

export interface WantedBooking extends BookingRow {
  /** The charge; 10000 unless given. */
  readonly grossCents?: number
  readonly feeCents?: number
  readonly paidAt?: Date
  readonly availableAt?: Date
}

interface BookingRow {
  readonly expert?: string
  readonly endsAt?: Date
  readonly status?: PaymentTransferStatus
  readonly rowCents?: number
  readonly rowCurrency?: string
  readonly payoutId?: string
  /** The client was given a voucher and has not paid it. */
  readonly isUnpaid?: boolean
}

export interface Booked {
  readonly id: number
  readonly paymentIntentId: string
  readonly chargeId: string
}

export interface PaidRow {
  readonly id: number
  readonly status: PaymentTransferStatus
  readonly payout_id: string | null
}

/** The real service with its payouts job, against the Stripe stand-in; it is 10 March 2026, 12:00:30, and stays so. */
export async function payoutWorld(
  t: Test,
  env: Readonly<Record<string, string>> = {},
  outside: Outside = {},
): Promise<PayoutWorld> {
  let clock = () => new Date('2026-03-10T12:00:30.000Z')
  const stripe = await startStripe({ clock: () => clock(), specPath })
  requireDescribed(t, stripe)
  t.teardown(stripe.close)
  const app = await testApp(t, {
    env: {
      STRIPE_SECRET_KEY: stripe.secretKey,
      STRIPE_API_BASE_URL: stripe.url,
      MONEY_SINCE: '2026-01-01T00:00:00Z',
      ...env,
    },
    jobs: [processPendingPayouts],
    ...outside,
  })
  clock = app.clock
  const { db } = app
  return {
    ...app,
    stripe,
    addExpert: async (expert, account = stripe.addAccount()) => {
      await addUser(db, expert, account)
      return account
    },
    addBooking: async (destination, { availableAt, feeCents = 1_500, grossCents = 10_000, paidAt, ...row } = {}) => {
      const paid = paidAt ?? new Date('2026-03-01T10:00:00Z')
      const ids = stripe.pay({
        amountCents: grossCents,
        feeCents,
        destination,
        paidAt: paid,
        availableAt: availableAt ?? paid,
      })
      const id = await addRow(db, destination, ids, { rowCents: grossCents - feeCents, createdAt: paid, ...row })
      return { id, paymentIntentId: ids.paymentIntentId, chargeId: ids.chargeId }
    },
    pay: async messageId => await app.deliver(path, messageId === undefined ? {} : { messageId }),
    rows: async () =>
      await db.selectFrom('payment_transfers').select(['id', 'status', 'payout_id']).orderBy('id').execute(),
    findings: async () => {
      const rows = await db.selectFrom('jobs.findings').select(['kind', 'subject']).orderBy('id').execute()
      return rows.map(({ kind, subject }) => `${kind} ${subject}`)
    },
    outflow: () =>
      Object.fromEntries(
        Object.entries(stripe.outflow().payouts).map(([account, cents]) => [account, cents['eur'] ?? 0]),
      ),
  }
}

/** The row of a booking of an hour that ended on 5 March 2026 unless told otherwise; it adds no user. */
export async function addRow(
  db: Db,
  account: string,
  { paymentIntentId, transferId }: { readonly paymentIntentId: string; readonly transferId: string | null },
  booking: BookingRow & { readonly createdAt: Date },
): Promise<number> {
  const { createdAt, endsAt = new Date('2026-03-05T11:00:00Z'), expert = `expert of ${account}`, rowCents } = booking
  const { isUnpaid = false, payoutId = null, rowCurrency = 'eur', status = 'COMPLETED' } = booking
  return await addBooking(db, {
    hasUser: false,
    expert,
    account,
    paymentIntentId,
    transferId: status === 'READY' ? null : transferId,
    payoutId,
    amountCents: rowCents ?? 8_500,
    currency: rowCurrency,
    status,
    requiresApproval: false,
    isUnpaid,
    startsAt: new Date(endsAt.getTime() - 3_600_000).toISOString(),
    meetingEndsAt: endsAt.toISOString(),
    createdAt: createdAt.toISOString(),
  })
}
