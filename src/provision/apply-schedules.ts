import { KeyRefusedError, PermanentError, RetryLaterError, toError } from '../errors.ts'
import type { ScheduleSettings, Schedules } from '../providers/schedules.ts'
import type { SchedulePlan } from './plan-schedules.ts'
import { redact } from '../runner/redact.ts'
import { ownedPrefix } from './wanted-schedules.ts'

/** What became of one thing that a plan asks for. */
export interface AppliedStep {
  readonly id: string
  readonly action: 'create' | 'change' | 'remove'
  readonly outcome: 'done' | 'failed' | 'not tried'
  /** Why not, in words without secrets. */
  readonly reason?: string
}

export interface ApplyOptions {
  /** Fires to stop before the next step; one that has begun is ended. */
  readonly signal: AbortSignal
  readonly onStep?: (step: Pick<AppliedStep, 'id' | 'action'>, index: number, total: number) => void
}

interface Step extends Pick<AppliedStep, 'id' | 'action'> {
  readonly perform: (signal: AbortSignal) => Promise<void>
}

// When QStash does not answer at all, waiting for it once for each schedule helps nobody.
const mostSilencesInARow = 3
// The vendor is quoted; what it says is cut only once its secrets are out.
const maxReason = 300

/**
 * Does what the plan asks for: (1) what is missing or differs, one after another, and what was paused stays paused;
 * (2) then what no job has any more; (3) then once more what had no room before that. One that fails stops no other,
 * unless it would stop them all. Every step is safe to do twice, so whatever ends this half way, the next plan finds
 * the rest. Never throws.
 */
export async function applySchedules(
  schedules: Schedules,
  plan: SchedulePlan,
  options: ApplyOptions,
): Promise<AppliedStep[]> {
  const orphans = plan.orphans.map(({ id }) => id)
  const steps = [...listPuts(schedules, plan), ...listRemovals(schedules, orphans)]
  const pass = createPass(options)
  const results = await pass.performAll(steps)
  const madeRoom = results.some(({ action, outcome }) => action === 'remove' && outcome === 'done')
  const again = madeRoom ? steps.filter(({ id }) => pass.lackedRoom.has(id)) : []
  const second = new Map((await pass.performAll(again)).map(result => [result.id, result]))
  return results.map(result => second.get(result.id) ?? result)
}

/** Removes schedules of ours. One that fails stops no other; one that is not ours fails, and nothing is asked for it. Never throws. */
export async function removeSchedules(
  schedules: Schedules,
  ids: readonly string[],
  options: ApplyOptions,
): Promise<AppliedStep[]> {
  return await createPass(options).performAll(listRemovals(schedules, ids))
}

function listPuts(schedules: Schedules, { changes, creates }: SchedulePlan): Step[] {
  return [
    ...creates.map(wanted => ({
      id: wanted.id,
      action: 'create' as const,
      perform: async (signal: AbortSignal) => await schedules.put(wanted, { keptPaused: false }, signal),
    })),
    ...changes.map(({ paused, wanted }) => ({
      id: wanted.id,
      action: 'change' as const,
      perform: async (signal: AbortSignal) => {
        if (paused) await changePaused(schedules, wanted, signal)
        else await schedules.put(wanted, { keptPaused: false }, signal)
      },
    })),
  ]
}

/** QStash does not say whether a changed schedule stays paused: it is paused again, unless the change was refused. */
async function changePaused(schedules: Schedules, wanted: ScheduleSettings, signal: AbortSignal): Promise<void> {
  try {
    await schedules.put(wanted, { keptPaused: true }, signal)
  } catch (thrown) {
    const err = toError(thrown)
    if (isAnswer(err)) throw err
    await pauseAgain(schedules, wanted.id, signal)
    throw new Error(`${err.message}; whether it was changed is not known, and it is paused again`, { cause: thrown })
  }
  await pauseAgain(schedules, wanted.id, signal)
}

/** Twice where once is not enough: what was paused must not run because one answer was lost. */
async function pauseAgain(schedules: Schedules, id: string, signal: AbortSignal): Promise<void> {
  try {
    await schedules.pause(id, signal).catch(async () => await schedules.pause(id, signal))
  } catch (thrown) {
    const { message } = toError(thrown)
    throw new Error(`it may run now, although it was paused: pause it in the console (${message})`, { cause: thrown })
  }
}

function listRemovals(schedules: Schedules, ids: readonly string[]): Step[] {
  return ids.map(id => ({
    id,
    action: 'remove',
    perform: async signal => {
      if (!id.startsWith(ownedPrefix)) throw new PermanentError('it is not ours: it is not touched')
      await schedules.remove(id, signal)
    },
  }))
}

/** Performs steps, and remembers what one of them says about all others. */
function createPass({ onStep = () => {}, signal }: ApplyOptions) {
  const lackedRoom = new Set<string>()
  let hopeless: string | undefined
  let silences = 0
  const note = (id: string, err: Error): void => {
    if (err instanceof PermanentError && err.code === 'quota') lackedRoom.add(id)
    silences = isAnswer(err) ? 0 : silences + 1
    if (err instanceof KeyRefusedError || err instanceof RetryLaterError) hopeless = err.message
    else if (silences === mostSilencesInARow) hopeless = `QStash failed ${mostSilencesInARow} times in a row`
  }
  const perform = async ({ action, id, perform }: Step): Promise<AppliedStep> => {
    const stopped = signal.aborted ? 'it was stopped before' : hopeless
    if (stopped !== undefined) return { id, action, outcome: 'not tried', reason: stopped }
    try {
      // Its own deadline ends it: a change that is stopped in the middle could leave a paused schedule running.
      await perform(new AbortController().signal)
      silences = 0
      return { id, action, outcome: 'done' }
    } catch (thrown) {
      const err = toError(thrown)
      note(id, err)
      return { id, action, outcome: 'failed', reason: redact(err.message).slice(0, maxReason) }
    }
  }
  const performAll = async (steps: readonly Step[]): Promise<AppliedStep[]> => {
    const results: AppliedStep[] = []
    for (const [index, step] of steps.entries()) {
      onStep(step, index, steps.length)
      results.push(await perform(step))
    }
    return results
  }
  return { lackedRoom, performAll }
}

/** It is about this one schedule, or about our token; anything else may be the vendor's trouble. */
function isAnswer(err: Error): boolean {
  return err instanceof PermanentError || err instanceof KeyRefusedError || err instanceof RetryLaterError
}
