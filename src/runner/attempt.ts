import { findPause } from '../database/job-settings.ts'
import { KeyRefusedError, PermanentError, RetryLaterError, StopRunError, toError } from '../errors.ts'
import type { JobContext } from './context.ts'
import type { Effect, Job, Plan } from './define-job.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import type { Ending } from './outcomes.ts'
import { hashPlan } from './plan-hash.ts'
import { redact } from './redact.ts'
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
const maxMessageLength = 2_000

/** Gathers, plans and applies, and never throws: whatever happens is an ending with a report. */
export async function performAttempt(request: AttemptRequest): Promise<AttemptResult> {
  const { context, dryRun, job, onStep } = request
  let plan: Plan | undefined
  let planHash: string | undefined
  let tally = createTally({ effects: [] })
  let begun = 0
  const result = (ending: Ending, thrown?: Error): AttemptResult => ({
    ending,
    plan,
    planHash,
    report: plan === undefined ? null : tally.toReport(dryRun ? 0 : plan.effects.length - begun),
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
    for (const effect of plan.effects) {
      const stop = await findReasonToStop(request)
      if (stop !== undefined) return result(stop.state === 'succeeded' ? concludeItems(tally) : stop)
      begun += 1
      await onStep('applying')
      await applyOne(effect, request, tally)
      await onStep('applied')
    }
    return result(concludeItems(tally))
  } catch (thrown) {
    const err = toError(thrown)
    // It was refused before it began anything, so it is left for the next run.
    if (err instanceof StopRunError) begun -= 1
    return result(concludeThrown(err, context.signal), err)
  }
}

/** What keeps a real run from doing what a dry run shows: null when nothing does. */
async function explainPause({ context, job }: AttemptRequest): Promise<string | null> {
  const pause = await waitUnderSignal(findPause(context.db, job.name), context.signal)
  if (pause === undefined) return null
  const { at, by, reason } = pause
  const words = `${job.name} is paused by ${by ?? 'somebody'} since ${at.toISOString()} (${reason ?? 'no reason given'})`
  return redact(`${words}: none of this is done before it is resumed`).slice(0, maxMessageLength)
}

/** Why no further effect may begin: undefined to go on. Near the deadline a run ends well and leaves the rest. */
async function findReasonToStop({ context, isNearDeadline, job, lease }: AttemptRequest): Promise<Ending | undefined> {
  context.signal.throwIfAborted()
  if (isNearDeadline()) return succeeded
  // The statement that begins an effect of money requires lease and pause itself, and throws StopRunError.
  if (job.movesMoney) return undefined
  const state = await lease?.read()
  context.signal.throwIfAborted()
  if (state?.held === false) return stopped('lease_lost')
  if (state?.paused === true) return pausedHalfWay
  return undefined
}

/** One effect: what fails for good becomes a finding, what may succeed later a failure, and some errors end the run. */
async function applyOne(effect: Effect, { context, job }: AttemptRequest, tally: Tally): Promise<void> {
  try {
    tally.addApplied(effect, await waitUnderSignal(job.apply(effect, context), context.signal))
  } catch (thrown) {
    const err = toError(thrown)
    if (err instanceof StopRunError) throw err
    const failure = { subject: effect.subject, code: codeOf(err), message: describe(err) }
    if (err instanceof PermanentError) {
      context.log.warn({ err, kind: effect.kind, subject: effect.subject }, 'item needs a person')
      tally.addItemForAPerson({ kind: `${job.name}/${err.code}`, subject: effect.subject, message: failure.message })
      return
    }
    tally.addFailure(failure)
    if (context.signal.aborted || err instanceof KeyRefusedError || err instanceof RetryLaterError) throw err
    context.log.warn({ err, kind: effect.kind, subject: effect.subject }, 'item failed')
  }
}

const succeeded: Ending = { state: 'succeeded', final: true, errorCode: null, message: null }

const planChanged: Ending = {
  state: 'failed',
  final: true,
  errorCode: 'plan_changed',
  message: 'the plan has changed since it was approved; nothing was sent',
  planChanged: true,
}

const pausedHalfWay: Ending = {
  state: 'paused',
  final: true,
  errorCode: null,
  message: 'paused by an operator during the run; what was left is not lost, the next run plans it again',
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
  const message = describe(err)
  if (err instanceof StopRunError) return err.reason === 'paused' ? pausedHalfWay : stopped('lease_lost')
  if (err instanceof PermanentError) return { state: 'failed', final: true, errorCode: err.code, message }
  if (err instanceof RetryLaterError) {
    return { state: 'failed', final: false, errorCode: 'retry_later', message, retryLaterSeconds: err.delaySeconds }
  }
  return { state: 'failed', final: false, errorCode: codeOf(err), message }
}

function stopped(reason: 'deadline' | 'lease_lost' | 'draining'): Ending {
  switch (reason) {
    case 'deadline':
      return { state: 'failed', final: false, errorCode: 'deadline_exceeded', message: 'the run passed its deadline' }
    case 'lease_lost':
      return { state: 'failed', final: false, errorCode: 'lease_lost', message: 'the run lost its lease and stopped' }
    case 'draining':
      return { state: 'interrupted', final: false, errorCode: 'interrupted', message: 'the process is ending' }
  }
}

/** The error's words without secrets, short enough for a row and an answer. */
function describe(err: Error): string {
  return redact(err.message).replaceAll('\0', '').slice(0, maxMessageLength)
}

/** A short word for what went wrong: the vendor's or the system's own code where there is one. */
function codeOf(err: Error): string {
  if (err instanceof PermanentError) return err.code
  if (err instanceof KeyRefusedError) return 'key_refused'
  const code: unknown = (err as { code?: unknown }).code
  return typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) ? code : 'error'
}
