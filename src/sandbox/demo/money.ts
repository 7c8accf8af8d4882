import { sql } from 'kysely'
import type { Db } from '../../database/connection.ts'
import type { StripeStandIn } from '../stripe.ts'
import { accountId, accountOf, closeAccounts, openAccounts } from './accounts.ts'
import { type DemoCase, feeOf } from './case.ts'
import { accountCases } from './cases/accounts.ts'
import { cutOverCases } from './cases/cut-over.ts'
import { dueCases } from './cases/due.ts'
import { ordinaryCases } from './cases/ordinary.ts'
import { stoppedCases } from './cases/stopped.ts'
import { waitingCases } from './cases/waiting.ts'
import { type ExpertName, experts } from './experts.ts'
import { eventIdOf } from './insert-bookings.ts'
import { type DemoRow, seedCases } from './seed-cases.ts'

export interface DemoMoney {
  /** MONEY_SINCE of the demo. */
  readonly since: Date
  readonly rows: readonly DemoRow[]
}

/** Every booking of the demo. */
export const demoCases: readonly DemoCase[] = [
  ...dueCases,
  ...waitingCases,
  ...stoppedCases,
  ...accountCases,
  ...cutOverCases,
  ...ordinaryCases,
]

/** Findings of the first round that are about accounts. */
export const accountFindings = [
  { kind: 'account-shared', account: 'aroha' },
  { kind: 'account-unreachable', account: 'lena' },
  { kind: 'balance-unexplained', account: 'grace' },
  { kind: 'balance-unexplained', account: 'marta' },
  { kind: 'payout-unexplained', account: 'bruno' },
] as const

/** What an operator lets go without being asked, in the demo: MONEY_MAX_SINGLE and MONEY_MAX_TOTAL, in cents. */
export const demoLimits = { maxSingleCents: 50_000, maxTotalCents: 500_000 }

const dayMs = 24 * 60 * 60_000
const cutOverDays = 21
const openedDays = 400

/** Adds a month of bookings and their money to the demo, the same ones at the same `now`. */
export async function seedMoney(db: Db, stripe: StripeStandIn, now: Date): Promise<DemoMoney> {
  await openDemoAccounts(db, stripe, now)
  const rows = await seedCases(db, stripe, demoCases, now)
  await sellPack(db, stripe, now)
  closeAccounts(stripe)
  return { since: new Date(now.getTime() - cutOverDays * dayMs), rows }
}

/** Opens the accounts at Stripe and writes them into the users. */
export async function openDemoAccounts(db: Db, stripe: StripeStandIn, now: Date): Promise<void> {
  openAccounts(stripe, new Date(now.getTime() - openedDays * dayMs))
  const accounts = (Object.keys(experts) as ExpertName[]).map(expert => {
    const name = accountOf(expert)
    return { id: experts[expert].clerkUserId, account: name === null ? null : accountId(name) }
  })
  await sql`
    update users u set stripe_connect_account_id = r.account, stripe_connect_payouts_enabled = r.account is not null,
      stripe_connect_onboarding_complete = r.account is not null
    from jsonb_to_recordset(${JSON.stringify(accounts)}) as r (id text, account text)
    where u."clerkUserId" = r.id`.execute(db)
}

/** Five sessions sold at once: its money is on the expert's account, and no row says so. */
async function sellPack(db: Db, stripe: StripeStandIn, now: Date): Promise<void> {
  const priceCents = 25_000
  const feeCents = feeOf(priceCents)
  const paidAt = new Date(now.getTime() - 10 * dayMs)
  const destination = accountId('marta')
  const { paymentIntentId } = stripe.pay({ amountCents: priceCents, feeCents, destination, paidAt })
  const { clerkUserId } = experts.marta
  await sql`
    with pack as (
      insert into session_packs (event_id, clerk_user_id, name, sessions_count, price)
      values (${eventIdOf({ expert: 'marta' })}, ${clerkUserId}, 'Five consultations', 5, ${priceCents}) returning id
    )
    insert into pack_purchases (pack_id, expert_clerk_user_id, buyer_email, stripe_payment_intent_id, currency,
      gross_amount, platform_fee_amount, net_amount, promotion_code, max_redemptions, "createdAt")
    select id, ${clerkUserId}, 'guest-pack@example.com', ${paymentIntentId}, 'eur', ${priceCents}, ${feeCents},
      ${priceCents - feeCents}, 'DEMO-PACK-1', 5, ${paidAt.toISOString()}::timestamp from pack`.execute(db)
}
