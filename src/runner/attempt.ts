import { findPause } from '../database/job-settings.ts'
import { PermanentError, RetryLaterError, StopRunError, toError } from '../errors.ts'
import { applyEffects } from './apply-effects.ts'
import type { JobContext } from './context.ts'
import type { Job, Plan } from './define-job.ts'
import { codeOf, pausedHalfWay, planChanged, shorten, stopped, succeeded } from './endings.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import type { Ending } from './outcomes.ts'
import { hashPlan } from './plan-hash.ts'
import { createTally, type Report, type Tally } from './report.ts'
import { stopReasonOf, UnsettledError, waitUnderSignal } from './stop-signal.ts'

export interface AttemptRequest {
  readonly job: Job
  readonly parsed: Parsed
  readonly context: JobContext
  readonly dryRun: boolean
  /** The plan an operator approved; nothing is sent when it has changed. */
  readonly approvedHash: string | undefined
  /** Undefined for a dry run, which takes no lease. */
  readonly lease: LeaseKeeper | undefined
  /** True once so little time is left that no new effect may begin. */
  readonly isNearDeadline: () => boolean
  readonly onStep: (step: Step) => Promise<void> | void
}

/** What `parse` came to: a payload, or the error it threw. */
export interface Parsed {
  readonly payload?: unknown
  readonly error?: Error
}

/** Named moments of a run, for those who watch it: progress on a terminal, tests that kill a process exactly there. */
export type Step = 'claimed' | 'gathered' | 'planned' | 'applying' | 'applied' | 'closing' | 'closed'

export interface AttemptResult {
  readonly ending: Ending
  readonly plan: Plan | undefined
  readonly planHash: string | undefined
  readonly report: Report | null
  readonly findings: Tally['findings']
  readonly thrown: Error | undefined
  /** False when code of the job may still be at work. */
  readonly settled: boolean
}

const manyItems = 3

/** Gathers, plans and applies, and never throws: whatever happens is an ending with a report. */
export async function performAttempt(request: AttemptRequest): Promise<AttemptResult> {
  const { context, dryRun, job, onStep } = request
  let plan: Plan | undefined
  let planHash: string | undefined
  let tally = createTally({ effects: [] })
  const result = (ending: Ending, thrown?: Error): AttemptResult => ({
    ending,
    plan,
    planHash,
    report: plan === undefined ? null : tally.toReport(dryRun ? 0 : plan.effects.length - tally.begun()),
    findings: dryRun ? [] : tally.findings,
    thrown,
    settled: !(thrown instanceof UnsettledError),
  })
  try {
    if (request.parsed.error !== undefined) throw request.parsed.error
    const facts = await waitUnderSignal(job.gather(context, request.parsed.payload), context.signal)
    context.signal.throwIfAborted()
    await onStep('gathered')
    plan = job.plan(facts, context.now)
    planHash = hashPlan(plan.effects)
    tally = createTally(plan)
    await onStep('planned')
    if (dryRun) return result({ ...succeeded, message: await explainPause(request) })
    if (request.approvedHash !== undefined && request.approvedHash !== planHash) return result(planChanged)
    const stop = await applyEffects(plan.effects, request, tally)
    if (stop !== undefined && stop.state !== 'succeeded') return result(stop)
    return result(concludeItems(tally))
  } catch (thrown) {
    const err = toError(thrown)
    return result(concludeThrown(err, context.signal), err)
  }
}

/** What keeps a real run from doing what a dry run shows: null when nothing does. */
async function explainPause({ context, job }: AttemptRequest): Promise<string | null> {
  const pause = await waitUnderSignal(findPause(context.db, job.name), context.signal)
  if (pause === undefined) return null
  const { at, by, reason } = pause
  const words = `${job.name} is paused by ${by ?? 'somebody'} since ${at.toISOString()} (${reason ?? 'no reason given'})`
  return shorten(`${words}: none of this is done before it is resumed`)
}

function concludeItems(tally: Tally): Ending {
  const unsuccessful = tally.unsuccessful()
  const message = `${unsuccessful} of ${tally.tried()} items failed, the first: ${tally.firstMessage()}`
  if (unsuccessful >= manyItems && unsuccessful === tally.tried()) {
    return { state: 'failed', final: false, errorCode: 'every_item_failed', message }
  }
  if (tally.failures.length > 0) return { state: 'incomplete', final: false, errorCode: 'items_failed', message }
  return succeeded
}

function concludeThrown(err: Error, signal: AbortSignal): Ending {
  const stop = stopReasonOf(signal)
  if (stop !== undefined) return stopped(stop)
  const message = shorten(err.message)
  if (err instanceof StopRunError) return err.reason === 'paused' ? pausedHalfWay : stopped('lease_lost')
  if (err instanceof PermanentError) return { state: 'failed', final: true, errorCode: err.code, message }
  if (err instanceof RetryLaterError) {
    return { state: 'failed', final: false, errorCode: 'retry_later', message, retryLaterSeconds: err.delaySeconds }
  }
  return { state: 'failed', final: false, errorCode: codeOf(err), message }
}
