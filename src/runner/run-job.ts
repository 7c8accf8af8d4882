import { recordFinding } from '../database/findings.ts'
import type { Claim } from '../database/runs.ts'
import { PermanentError, toError } from '../errors.ts'
import { raiseAlerts } from './alerts.ts'
import { answerClaim, answerEnding } from './answers.ts'
import { type Parsed, performAttempt } from './attempt.ts'
import { closeAttempt } from './close-attempt.ts'
import type { Delivery } from './delivery.ts'
import { openAttempt } from './open-attempt.ts'
import type { Answer } from './outcomes.ts'
import type { RunnerParts } from './parts.ts'
import { slotOf } from './slots.ts'
import { StopSignal } from './stop-signal.ts'

/** A delivery is answered, or refused before anything started. */
export type RunResult = { readonly kind: 'answered'; readonly answer: Answer } | Refusal

export interface Refusal {
  readonly kind: 'refused'
  readonly reason: 'malformed' | 'replayed' | 'draining' | 'unavailable'
  readonly message: string
}

export interface Runner {
  /** Refuses as `unavailable` when the database cannot be reached; what was begun is found again by the next delivery. */
  run(delivery: Delivery): Promise<RunResult>
  readonly draining: boolean
  /** Takes no more deliveries, lets running jobs finish within the budget, then stops them, and waits for all of it. */
  drain(budgetMs: number): Promise<void>
}

// A heartbeat host that hangs must not hold up the end; its ping is a row, and goes out later.
const afterwardsMs = 3_000

interface Running {
  readonly life: Promise<RunResult>
  readonly controller: AbortController
}

/** Makes the one thing that runs jobs. Several may share a database: leases and constraints decide between them. */
export function createRunner(parts: RunnerParts): Runner {
  const running = new Set<Running>()
  const afterwards = new Set<Promise<void>>()
  let draining = false

  const follow = (step: () => Promise<void>): void => {
    const followed = step()
      .catch((thrown: unknown) => {
        parts.log.error({ err: toError(thrown) }, 'heartbeat or alert of a closed run failed')
      })
      .finally(() => afterwards.delete(followed))
    afterwards.add(followed)
  }
  return {
    get draining() {
      return draining
    },
    run: async delivery => {
      if (draining) return { kind: 'refused', reason: 'draining', message: 'this process is ending: call again' }
      const controller = new AbortController()
      const entry = { controller, life: runJob(delivery, controller, parts, follow) }
      running.add(entry)
      try {
        return await entry.life
      } catch (thrown) {
        parts.log.error({ err: toError(thrown), job: delivery.job.name }, 'run could not be recorded')
        return { kind: 'refused', reason: 'unavailable', message: 'the run could not be recorded: call again' }
      } finally {
        running.delete(entry)
      }
    },
    drain: async budgetMs => {
      draining = true
      const lives = (): Promise<RunResult>[] => [...running].map(({ life }) => life)
      await waitAtMost(budgetMs, lives())
      for (const { controller } of running) controller.abort(new StopSignal('draining'))
      await Promise.allSettled(lives())
      await waitAtMost(afterwardsMs, [...afterwards])
    },
  }
}

/**
 * A run's whole life: (1) record the delivery and claim the run together with the job's lease, (2) renew the lease,
 * (3) run the job under its deadline, (4) close the run with a report, (5) answer, (6) heartbeat and alerts afterwards,
 * which nobody waits for.
 */
async function runJob(
  delivery: Delivery,
  controller: AbortController,
  parts: RunnerParts,
  follow: (step: () => Promise<void>) => void,
): Promise<RunResult> {
  const parsed = parsePayload(delivery)
  if (parsed.error instanceof PermanentError) {
    return { kind: 'refused', reason: 'malformed', message: parsed.error.message }
  }

  const now = parts.clock()
  const askedAt = performance.now()
  const claim = await claimFor(delivery, now, parts)
  if (claim.verdict === 'replayed') return await refuseReplay(delivery, now, parts)
  if (claim.verdict !== 'claimed') return { kind: 'answered', answer: answerClaim(delivery, claim, now, parts.log) }

  const attempt = openAttempt(delivery, claim, now, controller, askedAt, parts)
  try {
    await attempt.onStep('claimed')
    const result = await performAttempt({
      ...attempt,
      job: delivery.job,
      parsed,
      dryRun: delivery.dryRun,
      approvedHash: delivery.planHash,
    })
    await attempt.onStep('closing')
    const closed = await closeAttempt(delivery, claim, result, attempt, parts)
    await attempt.onStep('closed')
    // Apart from each other: neither diagnostics that take their time nor a vendor of messages may hold up the ping.
    follow(async () => await raiseAlerts(delivery, claim.runId, result, closed, parts))
    if (closed.pingOwed) follow(async () => void (await parts.sendOwedPings()))
    if (delivery.job.tellsPeople === true && !delivery.dryRun) sendNotices(parts)
    return { kind: 'answered', answer: await answerEnding(delivery, claim, result, closed, parts.db) }
  } finally {
    attempt.end()
  }
}

/** Begins a pass, for which neither the ping nor the draining waits: the sender itself has an end that is in time. */
function sendNotices({ log, sendDueNotices }: RunnerParts): void {
  sendDueNotices().catch((thrown: unknown) => {
    log.error({ err: toError(thrown) }, 'notices that are due could not be sent')
  })
}

/** What the job makes of the body. An error that says "never" is for the sender, any other one is a failed attempt. */
function parsePayload({ body, job }: Delivery): Parsed {
  try {
    return { payload: job.parse(body) }
  } catch (thrown) {
    return { error: toError(thrown) }
  }
}

async function claimFor(delivery: Delivery, now: Date, parts: RunnerParts): Promise<Claim> {
  const { job } = delivery
  return await parts.runBatches.claim({
    runId: parts.newId(),
    job: job.name,
    messageId: delivery.messageId,
    trigger: delivery.trigger,
    slot: delivery.scheduled ? slotOf(job, now) : null,
    everySlotCounts: job.everySlotCounts === true,
    dryRun: delivery.dryRun,
    operator: delivery.operator,
    owner: parts.owner,
    leaseMs: parts.leaseMs,
    now,
    deadlineAt: new Date(now.getTime() + job.timeoutMs),
    tokenHash: delivery.tokenHash,
  })
}

/** Somebody sent a genuine token again under another message id or for another job: a person must know. */
async function refuseReplay({ job, tokenHash }: Delivery, now: Date, parts: RunnerParts): Promise<Refusal> {
  const subject = tokenHash?.toString('hex').slice(0, 16) ?? ''
  const message =
    'a signed token was used again for another message or job: look who can read the traffic to this service'
  const finding = { kind: 'token-replayed', subject, job: job.name, runId: null, message }
  if (await recordFinding(parts.db, finding, now)) parts.log.error({ job: job.name }, 'token replayed')
  return { kind: 'refused', reason: 'replayed', message: '' }
}

async function waitAtMost(budgetMs: number, work: readonly Promise<unknown>[]): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, budgetMs)
  await Promise.race([over, Promise.allSettled(work)])
  clearTimeout(timer)
}
