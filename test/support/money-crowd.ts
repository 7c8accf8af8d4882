import { once } from 'node:events'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { startStripe, type StripeStandIn } from '../../src/sandbox/stripe.ts'
import { testDatabase, type TestDatabase } from './database.ts'
import type { Flow } from './money-dues.ts'
import type { MoneyJobName } from './money-players.ts'
import type { ScaleFigures } from './money-scale-child.ts'
import { forkScript } from './fork-script.ts'

export interface Crowd extends TestDatabase {
  readonly stripe: StripeStandIn
  readonly now: Date
}

const dayMs = 24 * 60 * 60_000
const rowsPerExpert = 20
const amountCents = 6000
const feeCents = 1000

/** So many rows that are due, twenty for each expert, all of one flow. */
export async function gatherCrowd(t: Test, flow: Flow, count: number): Promise<Crowd> {
  const database = await testDatabase(t)
  const now = new Date('2026-03-10T06:00:30.000Z')
  const stripe = await startStripe({ clock: () => now })
  t.teardown(async () => await stripe.close())
  const experts = Array.from({ length: Math.ceil(count / rowsPerExpert) }, (_, index) => ({
    clerk: `user_${index}`,
    account: stripe.addAccount({}),
  }))
  const paidAt = new Date(now.getTime() - 12 * dayMs)
  const booked = Array.from({ length: count }, (_, index) => {
    const { account = '', clerk = '' } = experts[index % experts.length] ?? {}
    const destination = flow === 'create' ? {} : { destination: account, feeCents }
    const paid = stripe.pay({ amountCents: amountCents + feeCents, ...destination, paidAt, availableAt: paidAt })
    return { account, clerk, intent: paid.paymentIntentId, transfer: flow === 'payout' ? paid.transferId : null }
  })
  const status = flow === 'payout' ? 'COMPLETED' : 'PENDING'
  const startsAt = new Date(paidAt.getTime() + dayMs)
  await sql`
    insert into users ("clerkUserId", email, stripe_connect_account_id, country)
    select clerk, clerk || '@experts.example', account, 'PT'
    from jsonb_to_recordset(${JSON.stringify(experts)}::jsonb) as e (clerk text, account text)`.execute(database.db)
  await sql`
    with event as (
      insert into events (name, slug, "durationInMinutes", "clerkUserId")
      values ('Consultation', 'consultation', 60, 'user_0') returning id
    )
    insert into payment_transfers (payment_intent_id, checkout_session_id, event_id, expert_connect_account_id,
      expert_clerk_user_id, amount, currency, platform_fee, session_start_time, scheduled_transfer_time, status,
      transfer_id, service_name, created, updated)
    select intent, intent, event.id::text, account, clerk, ${amountCents}::integer, 'eur', ${feeCents}::integer,
      ${startsAt}::timestamp, ${startsAt}::timestamp, ${status}::payment_transfer_status_enum, transfer,
      'Consultation', ${paidAt}::timestamp, ${paidAt}::timestamp
    from event, jsonb_to_recordset(${JSON.stringify(booked)}::jsonb)
      as b (account text, clerk text, intent text, transfer text)`.execute(database.db)
  await sql`analyze`.execute(database.db)
  return { ...database, stripe, now }
}

/** One expert, and so many rows whose appointments are still to come: nobody has to ask Stripe about their payments. */
export async function gatherWaiting(t: Test, count: number): Promise<Crowd> {
  const crowd = await gatherCrowd(t, 'payout', 1)
  await sql`
    insert into payment_transfers (payment_intent_id, checkout_session_id, event_id, expert_connect_account_id,
      expert_clerk_user_id, amount, currency, platform_fee, session_start_time, scheduled_transfer_time, status,
      transfer_id, service_name, created, updated)
    select 'pi_later_' || n, 'cs_later_' || n, event_id, expert_connect_account_id, expert_clerk_user_id, amount, currency,
      platform_fee, now_at, now_at, status, 'tr_later_' || n, service_name, created, updated
    from payment_transfers, generate_series(1, ${count - 1}::integer) n,
      (select ${crowd.now}::timestamp + interval '1 day' as now_at) later`.execute(crowd.db)
  await sql`update payment_transfers set session_start_time = ${crowd.now}::timestamp + interval '1 day'`.execute(
    crowd.db,
  )
  await sql`analyze`.execute(crowd.db)
  return crowd
}

/** Lets a process of its own do one run of the job for all of them. */
export async function serveCrowd(
  t: Test,
  { now, stripe, url }: Crowd,
  job: MoneyJobName,
  requestsPerSecond: number,
): Promise<ScaleFigures> {
  const child = forkScript('money-scale-child.ts', {
    execArgv: ['--expose-gc'],
    env: {
      TEST_DATABASE_URL: process.env['TEST_DATABASE_URL'] ?? '',
      DATABASE_URL: url,
      STRIPE_SECRET_KEY: stripe.secretKey,
      STRIPE_API_BASE_URL: stripe.url,
      REQUESTS_PER_SECOND: String(requestsPerSecond),
      CHILD_NOW: now.toISOString(),
      CHILD_JOB: job,
    },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit').then(([code]: unknown[]): never => {
    throw new Error(`the process ended (${String(code)}) without a word`)
  })
  const [figures] = (await Promise.race([once(child, 'message'), ended])) as [ScaleFigures]
  // It has said what it had to say.
  ended.catch(() => {})
  return figures
}

/** Calls by lane, as the limiter counts them: of one verb and one kind of object. */
export function countCalls({ stripe }: Crowd): Record<string, number> {
  const lanes = stripe.calls().map(({ method, path: asked }) => `${method} ${asked.split('/')[2] ?? ''}`)
  return Object.fromEntries([...Map.groupBy(lanes, lane => lane)].map(([lane, calls]) => [lane, calls.length]))
}
