import { KeyRefusedError, PermanentError, RetryLaterError, StopRunError, toError } from '../errors.ts'
import type { AttemptRequest } from './attempt.ts'
import type { Effect, Job } from './define-job.ts'
import { codeOf, pausedHalfWay, shorten, stopped, succeeded } from './endings.ts'
import type { Ending } from './outcomes.ts'
import type { Tally } from './report.ts'
import { waitUnderSignal } from './stop-signal.ts'

/** Most effects that one transaction of a job takes, where it takes more than one. */
const mostTogether = 100

/**
 * Does one effect after the other, or a chunk after the other where the job can, and asks before each whether it may go on.
 * A chunk that fails is done one by one, so that what is wrong with one effect costs no other. Gives the reason for which
 * it stopped half-way; `succeeded` when that is the time. Throws what ends a run.
 */
export async function applyEffects(
  effects: readonly Effect[],
  request: AttemptRequest,
  tally: Tally,
): Promise<Ending | undefined> {
  const queue = toChunks(effects, request.job)
  for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) {
    const stop = await findReasonToStop(request)
    if (stop !== undefined) return stop
    await request.onStep('applying')
    const isDone = await applyChunk(chunk, request, tally)
    if (!isDone) queue.unshift(...chunk.map(effect => [effect]))
    await request.onStep('applied')
  }
  return undefined
}

function toChunks(effects: readonly Effect[], job: Job): (readonly Effect[])[] {
  const size = job.applyTogether === undefined ? 1 : mostTogether
  return Array.from({ length: Math.ceil(effects.length / size) }, (_, index) =>
    effects.slice(index * size, (index + 1) * size),
  )
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

/** False for several that failed together, of which nothing was done. */
async function applyChunk(chunk: readonly Effect[], request: AttemptRequest, tally: Tally): Promise<boolean> {
  const [first] = chunk
  if (first !== undefined && chunk.length === 1) {
    await applyOne(first, request, tally)
    return true
  }
  const { context, job } = request
  try {
    const work = job.applyTogether?.(chunk, context) ?? Promise.resolve([])
    const results = await waitUnderSignal(work, context.signal)
    for (const [index, effect] of chunk.entries()) tally.addApplied(effect, results[index])
    return true
  } catch (thrown) {
    const err = toError(thrown)
    if (err instanceof StopRunError || endsRun(err, request)) throw err
    context.log.warn({ err, items: chunk.length }, 'items failed together, and are done one by one')
    return false
  }
}

/** One effect: what fails for good becomes a finding, what may succeed later a failure, and some errors end the run. */
async function applyOne(effect: Effect, request: AttemptRequest, tally: Tally): Promise<void> {
  const { context, job } = request
  try {
    tally.addApplied(effect, await waitUnderSignal(job.apply(effect, context), context.signal))
  } catch (thrown) {
    const err = toError(thrown)
    if (err instanceof StopRunError) throw err
    const failure = { subject: effect.subject, code: codeOf(err), message: shorten(err.message) }
    if (err instanceof PermanentError) {
      context.log.warn({ err, kind: effect.kind, subject: effect.subject }, 'item needs a person')
      tally.addItemForAPerson({ kind: `${job.name}/${err.code}`, subject: effect.subject, message: failure.message })
      return
    }
    tally.addFailure(failure)
    if (endsRun(err, request)) throw err
    context.log.warn({ err, kind: effect.kind, subject: effect.subject }, 'item failed')
  }
}

function endsRun(err: Error, { context }: AttemptRequest): boolean {
  return context.signal.aborted || err instanceof KeyRefusedError || err instanceof RetryLaterError
}
