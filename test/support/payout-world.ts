import { sql } from 'kysely'
import type { Test } from 'tap'
import type { Outside } from '../../src/app.ts'
import type { Db } from '../../src/database/connection.ts'
import type { PaymentTransferStatus } from '../../src/database/tables.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'
import { startStripe, type StripeStandIn } from '../../src/sandbox/stripe.ts'
import { type Reply, type TestApp, testApp } from './app.ts'
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

export async function addUser(db: Db, expert: string, account: string | null, country = 'PT'): Promise<void> {
  await sql`insert into users ("clerkUserId", email, country, stripe_connect_account_id)
    values (${expert}, ${`${expert}@expert.example`}, ${country}, ${account})`.execute(db)
}

export async function addRow(
  db: Db,
  account: string,
  { paymentIntentId, transferId }: { readonly paymentIntentId: string; readonly transferId: string | null },
  {
    createdAt,
    endsAt,
    expert,
    isUnpaid,
    payoutId,
    rowCents,
    rowCurrency,
    status,
  }: BookingRow & { readonly createdAt: Date },
): Promise<number> {
  const end = endsAt ?? new Date('2026-03-05T11:00:00Z')
  const start = new Date(end.getTime() - 3_600_000)
  const { rows } = await sql<{ id: number }>`
    with event as (insert into events (name, slug, "durationInMinutes", "clerkUserId") values ('Consultation', 'c', 60, 'u')
      returning id),
    meeting as (insert into meetings ("eventId", "clerkUserId", "guestEmail", "guestName", "startTime", "endTime", timezone,
        "stripePaymentIntentId", "stripePaymentStatus")
      select id, 'u', 'planted@guest.example', 'Planted Guest', ${start}, ${end}, 'UTC', ${paymentIntentId},
        ${isUnpaid === true ? 'pending' : 'succeeded'} from event)
    insert into payment_transfers (payment_intent_id, checkout_session_id, event_id, expert_connect_account_id,
      expert_clerk_user_id, amount, currency, platform_fee, session_start_time, scheduled_transfer_time, status,
      transfer_id, payout_id, guest_name, created)
    select ${paymentIntentId}, ${`cs_${paymentIntentId}`}, id, ${account}, ${expert ?? `expert of ${account}`},
      ${rowCents ?? 8_500}, ${rowCurrency ?? 'eur'}, 1500, ${start}, ${end}, ${status ?? 'COMPLETED'},
      ${status === 'READY' ? null : transferId}, ${payoutId ?? null}, 'Planted Guest', ${createdAt} from event
    returning id`.execute(db)
  return rows[0]?.id ?? 0
}
