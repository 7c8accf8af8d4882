import { setTimeout as sleep } from 'node:timers/promises'
import { findRun } from '../database/run-history.ts'
import type { Claimed, PingRecord, RunClosing } from '../database/runs.ts'
import { toError } from '../errors.ts'
import type { AttemptResult } from './attempt.ts'
import type { Plan } from './define-job.ts'
import type { Delivery } from './delivery.ts'
import type { OpenAttempt } from './open-attempt.ts'
import type { Ending } from './outcomes.ts'
import type { RunnerParts } from './parts.ts'
import { failBody } from './ping-body.ts'
import { pingFor } from './ping-policy.ts'
import { graceSeconds, periodSeconds } from './slots.ts'
import { stopReasonOf } from './stop-signal.ts'
import { describeStored } from './stored-plan.ts'

export interface ClosedAttempt {
  /** What the ledger says now; not what the job came to when somebody else had taken the run over. */
  readonly ending: Ending
  /** A heartbeat ping was written with it. */
  readonly pingOwed: boolean
}

const takenOver: Ending = {
  state: 'failed',
  final: false,
  errorCode: 'lease_lost',
  message: 'the run was taken over before it could be closed; its effects are safe to repeat',
}
const unrecordable: Ending = {
  state: 'failed',
  final: false,
  errorCode: 'unrecordable',
  message: 'the database refused the report of this run; its effects are safe to repeat',
}
const firstWaitMs = 100
const maxWaitMs = 2_000
// Within what the platform gives a process that is ending.
const drainingBudgetMs = 5_000

/**
 * Closes the attempt, and keeps trying for as long as the lease may still be ours: a result that is not recorded makes
 * the next delivery do the work again. Throws the last error when the database does not come back in time.
 */
export async function closeAttempt(
  delivery: Delivery,
  claim: Claimed,
  result: AttemptResult,
  attempt: OpenAttempt,
  parts: RunnerParts,
): Promise<ClosedAttempt> {
  const ended = await closeAs(result, delivery, claim, attempt, parts)
  attempt.log.info(
    {
      outcome: ended === undefined ? 'taken over' : ended.ending.state,
      slot: claim.slot,
      dryRun: delivery.dryRun,
      durationMs: attempt.durationMs(),
      report: result.report,
    },
    'run finished',
  )
  return ended ?? { ending: takenOver, pingOwed: false }
}

/** Undefined when the run was taken over. What the database will never take is closed as a failure without its report. */
async function closeAs(
  result: AttemptResult,
  delivery: Delivery,
  claim: Claimed,
  attempt: OpenAttempt,
  parts: RunnerParts,
): Promise<ClosedAttempt | undefined> {
  const ping = planPing(delivery, claim, result, attempt, parts)
  try {
    const closing = toClosing(delivery, claim, result, ping, parts)
    const isClosed = await closeSurely(closing, attempt, parts)
    return isClosed ? { ending: result.ending, pingOwed: ping !== null } : undefined
  } catch (thrown) {
    const err = toError(thrown)
    if (result.ending === unrecordable || !isRefusal(err)) throw err
    attempt.log.error({ err }, 'run could not be recorded as it ended')
    const bare = { ...result, ending: unrecordable, report: null, plan: undefined, planHash: undefined, findings: [] }
    return await closeAs(bare, delivery, claim, attempt, parts)
  }
}

/** Trying again cannot help: the values themselves are refused (SQLSTATE classes 22 and 23), or are no JSON. */
function isRefusal(err: Error): boolean {
  const code: unknown = (err as { code?: unknown }).code
  return err instanceof TypeError || (typeof code === 'string' && /^2[23]/.test(code))
}

function toClosing(
  { dryRun, job }: Delivery,
  { attempt, runId, term }: Claimed,
  { ending, findings, plan, planHash, report, settled }: AttemptResult,
  ping: PingRecord | null,
  { clock, owner }: RunnerParts,
): RunClosing {
  return {
    runId,
    job: job.name,
    attempt,
    term,
    owner,
    state: ending.state,
    final: ending.final,
    now: clock(),
    report: report === null ? null : { ...report },
    plan: plan === undefined || (!dryRun && isEmpty(plan)) ? null : describeStored(plan),
    planHash: planHash ?? null,
    errorCode: ending.errorCode,
    message: ending.message,
    releaseLease: settled,
    findings: findings.filter(({ isRecorded }) => isRecorded !== true),
    ping,
  }
}

function planPing(
  delivery: Delivery,
  { attempt: number, runId, slot }: Claimed,
  { ending, report }: AttemptResult,
  attempt: OpenAttempt,
  { clock, jobsWithHeartbeat }: RunnerParts,
): PingRecord | null {
  const { job } = delivery
  // A stale hash is the operator's news, not the job's.
  if (!jobsWithHeartbeat.has(job.name) || ending.planChanged === true) return null
  const kind = pingFor({
    class: job.class,
    outcome: ending.state,
    final: ending.final,
    lastAttempt: delivery.lastAttempt,
    retryLater: ending.retryLaterSeconds !== undefined,
    trigger: delivery.trigger,
    dryRun: delivery.dryRun,
    pingAsked: delivery.pingAsked,
  })
  if (kind === 'none') return null
  const trueForMs = (periodSeconds(job) + graceSeconds(job)) * 1000
  const trueUntil = new Date(clock().getTime() + trueForMs)
  if (kind === 'success') return { kind, body: null, trueUntil }
  const body = failBody({
    job: job.name,
    runId,
    attempt: number,
    ofAttempts: job.retries + 1,
    trigger: delivery.trigger,
    slot,
    durationMs: attempt.durationMs(),
    report,
    errorCode: ending.errorCode,
    message: ending.message,
  })
  return { kind, body, trueUntil }
}

/** False when somebody else has the run. An answer that was lost on the way is told apart by reading the run. */
async function closeSurely(closing: RunClosing, attempt: OpenAttempt, parts: RunnerParts): Promise<boolean> {
  const startedAt = performance.now()
  let waitMs = firstWaitMs
  let unsure = false
  for (;;) {
    try {
      if (await parts.runBatches.close(closing)) return true
      return unsure && (await isClosedAsAsked(closing, parts))
    } catch (thrown) {
      if (isRefusal(toError(thrown))) throw thrown
      unsure = true
      const budgetMs = stopReasonOf(attempt.context.signal) === 'draining' ? drainingBudgetMs : parts.leaseMs
      if (performance.now() - startedAt + waitMs > budgetMs) throw thrown
      attempt.log.warn({ err: toError(thrown) }, 'run could not be closed yet')
      await sleep(waitMs)
      waitMs = Math.min(waitMs * 2, maxWaitMs)
    }
  }
}

async function isClosedAsAsked(closing: RunClosing, { db }: RunnerParts): Promise<boolean> {
  const run = await findRun(db, closing.runId)
  return run?.attempt === closing.attempt && run.state === closing.state && run.term === closing.term
}

function isEmpty({ effects, failures = [], findings = [], waits = [] }: Plan): boolean {
  return effects.length + failures.length + findings.length + waits.length === 0
}
