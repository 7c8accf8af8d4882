import { sql } from 'kysely'
import { pino } from 'pino'
import type { Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../../src/database/connection.ts'
import { type Finding, recordFinding } from '../../src/database/findings.ts'
import type { HeldLease } from '../../src/database/leases.ts'
import { processExpertTransfers } from '../../src/jobs/process-expert-transfers.ts'
import { processPendingPayouts } from '../../src/jobs/process-pending-payouts.ts'
import { createLedger } from '../../src/ledger/create-ledger.ts'
import type { LedgerParts, LedgerStep } from '../../src/ledger/parts.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createStripe } from '../../src/providers/stripe.ts'
import type { JobContext } from '../../src/runner/context.ts'
import type { Job, Plan } from '../../src/runner/define-job.ts'
import { startStripe, type StripeStandIn } from '../../src/sandbox/stripe.ts'
import { testDatabase } from './database.ts'
import { testContext } from './job-context.ts'
import { stoppedClock, type StoppedClock } from './runner.ts'
import { requireDescribed, specPath } from './stripe.ts'

export const moneyJobs = { transfers: processExpertTransfers, payouts: processPendingPayouts } as const
export type MoneyJobName = keyof typeof moneyJobs

/** One database, one Stripe and one clock, in which runs of the money jobs are played without a runner. */
export interface Stadium {
  readonly db: Db
  readonly url: string
  readonly stripe: StripeStandIn
  readonly clock: StoppedClock
  readonly now: () => Date
  /** A run from beginning to end, as a worker with a lease of its own: two at once really race. */
  run(wanted: WantedRun): Promise<void>
  /** What a run would do now. */
  plan(job: MoneyJobName): Promise<Plan>
}

export interface WantedRun {
  readonly job: MoneyJobName
  readonly worker: string
  /** Called at each step of the ledger; what it gives is waited for. */
  readonly onStep?: ((step: LedgerStep, operationId: string) => Promise<void> | void) | undefined
  /** The process ends when it comes to this step for the first time. */
  readonly cutAt?: LedgerStep | undefined
}

export async function createStadium(t: Test): Promise<Stadium> {
  const { db, url } = await testDatabase(t)
  const clock = stoppedClock('2026-03-10T06:00:30.000Z')
  const stripe = await startStripe({ clock, specPath })
  requireDescribed(t, stripe)
  const http = createHttp()
  t.teardown(async () => {
    await http.close()
    await stripe.close()
  })
  const { secretKey, url: stripeUrl } = stripe
  const vendor = createStripe({
    secretKey,
    url: stripeUrl,
    fetch: http.fetch,
    requestsPerSecond: 10_000,
    retryMs: 1,
    timeoutMs: 10_000,
  })
  const since = new Date('2020-01-01T00:00:00Z')
  const parts: LedgerParts = {
    db,
    payments: vendor.reads,
    writes: vendor.writes,
    newId: () => uuidv7(),
    // Two rows of an expert at once need an approval.
    limits: { maxSingleCents: 6_000, maxTotalCents: 15_000, since },
  }
  const contextOf = (job: Job, lease: HeldLease | undefined, onStep: LedgerParts['onStep']): JobContext => {
    const ledger = createLedger(onStep === undefined ? parts : { ...parts, onStep })
    const providers = { payments: vendor.reads }
    const log = pino({ level: 'silent' })
    const runId = uuidv7()
    return testContext(db, clock().toISOString(), { runId, job: job.name, clock, lease, ledger, providers, log })
  }
  return {
    db,
    url,
    stripe,
    clock,
    now: clock,
    run: async ({ cutAt, job: name, onStep, worker }) => {
      const job = moneyJobs[name]
      const cut = Promise.withResolvers<void>()
      const pass = async (step: LedgerStep, id: string): Promise<void> => {
        if (step === cutAt) {
          cut.resolve()
          // A process that is killed never comes to the next line.
          await new Promise(() => {})
        }
        await onStep?.(step, id)
      }
      const context = contextOf(job, await takeLease(db, `${worker}/${name}`), pass)
      await Promise.race([cut.promise, perform(job, context)])
    },
    plan: async name => {
      const job = moneyJobs[name]
      const context = contextOf(job, undefined, undefined)
      return job.plan(await job.gather(context, undefined), context.now)
    },
  }
}

/** As the runner does it, but that nobody hears of items that failed. */
async function perform(job: Job, context: JobContext): Promise<void> {
  try {
    const plan = job.plan(await job.gather(context, undefined), context.now)
    for (const finding of plan.findings ?? []) await keep(finding, context)
    for (const effect of plan.effects) {
      const applied = await job.apply(effect, context).catch((): undefined => undefined)
      for (const finding of applied?.findings ?? []) await keep(finding, context)
    }
  } catch {
    // The vendor did not answer what had to be asked first: the next run asks again.
  }
}

async function keep(draft: Omit<Finding, 'job' | 'runId'>, { clock, db, job, runId }: JobContext): Promise<void> {
  await recordFinding(db, { ...draft, job, runId }, clock())
}

async function takeLease(db: Db, job: string): Promise<HeldLease> {
  const owner = uuidv7()
  const { rows } = await sql<{ term: string }>`
    insert into jobs.leases as l (job, lane, owner, term, run_id, expires_at)
    values (${job}, '', ${owner}, 1, ${uuidv7()}, clock_timestamp() + interval '10 minutes')
    on conflict (job, lane) do update set owner = excluded.owner, term = l.term + 1, run_id = excluded.run_id,
      expires_at = excluded.expires_at
    returning term`.execute(db)
  return { job, owner, term: rows[0]?.term ?? '', isHeld: () => true }
}
