import { toError } from '../errors.ts'
import type { Schedule } from '../providers/schedules.ts'
import { type AppliedStep, applySchedules } from '../provision/apply-schedules.ts'
import { countPending, type SchedulePlan } from '../provision/plan-schedules.ts'
import { redact } from '../runner/redact.ts'
import { createProgress, printJson, printLine, printNote, printTable, type Style } from './print.ts'
import { describePlan, doubt, printPlan } from './print-schedules.ts'
import { type PlanChoice, readPlan, withScheduling } from './schedules-connect.ts'

export interface ApplyChoice extends PlanChoice {
  readonly dryRun?: boolean
  /** Schedules that call another host may be moved here. */
  readonly move?: boolean
}

/**
 * Shows what `apply` would do, and changes nothing. Gives 2 when that is something, and 1 when a person has to decide
 * first. Throws in a preview.
 */
export async function plan(options: PlanChoice): Promise<number> {
  return await withScheduling(async (schedules, access, signal) => {
    const found = await readPlan(schedules, access, options, signal)
    if (options.json === true) printJson(describePlan(found))
    else printPlan(found)
    if (found.doubtful.length > 0) return 1
    return countPending(found) > 0 ? 2 : 0
  })
}

/**
 * Makes the schedules what the jobs say: creates and changes, then removes ours that no job has. Gives 1 when something
 * could not be done, is not so afterwards, or waits for a person. Throws in a preview, and an Error where schedules would
 * be taken from another environment, unless that is meant.
 */
export async function apply(options: ApplyChoice): Promise<number> {
  if (options.dryRun === true) return await plan(options)
  return await withScheduling(async (schedules, access, signal) => {
    const found = await readPlan(schedules, access, options, signal)
    if (options.move !== true) refuseMoves(found, access.publicUrl)
    const progress = createProgress()
    const steps = await applySchedules(schedules, found, {
      signal,
      onStep: ({ action, id }, index, total) => progress.show(`${index + 1} of ${total}: ${action} ${id}`),
    })
    progress.clear()
    // Also after a stop: what is told is what is, and not what was.
    const readAgain = async (): Promise<SchedulePlan> =>
      await readPlan(schedules, access, options, new AbortController().signal)
    const after = steps.length === 0 ? found : await readAgain().catch(toError)
    return report(found, steps, after, options.json === true)
  })
}

/** Two environments with one account would take the schedules from each other, money and all. */
function refuseMoves({ changes }: SchedulePlan, publicUrl: string): void {
  const hosts = new Set(changes.flatMap(({ movedFrom }) => movedFrom ?? []))
  if (hosts.size === 0) return
  throw new Error(
    `nothing was changed: schedules of ours call ${[...hosts].join(', ')} now: is this the QStash account of another environment? --move lets them call ${publicUrl}`,
  )
}

function report(
  found: SchedulePlan,
  steps: readonly AppliedStep[],
  after: SchedulePlan | Error,
  json: boolean,
): number {
  const now = after instanceof Error ? undefined : after
  const left = now === undefined ? undefined : countPending(now)
  const isDone = steps.every(({ outcome }) => outcome === 'done')
  const ok = isDone && left === 0 && now?.doubtful.length === 0
  const warnings = [...new Set([...found.warnings, ...(now?.warnings ?? [])])]
  if (json) {
    const idsOf = (some: readonly Schedule[] | undefined) => some?.map(({ id }) => id) ?? null
    printJson({ ok, steps, left: left ?? null, paused: idsOf(now?.paused), doubtful: idsOf(now?.doubtful), warnings })
    return ok ? 0 : 1
  }
  printSteps(steps)
  for (const { id } of now?.paused ?? []) printLine(`${id} is paused in the console, and stays so`)
  for (const { id } of now?.doubtful ?? []) printLine(`${id} ${doubt}: not touched`)
  if (isDone && left !== undefined && left > 0)
    printLine(`and yet ${left} are not as they should be: \`schedules plan\` shows them`)
  for (const warning of warnings) printNote(`warning: ${warning}`)
  if (after instanceof Error)
    printNote(
      `warning: what the schedules are now could not be read (${redact(after.message)}): run \`schedules plan\``,
    )
  return ok ? 0 : 1
}

/** One line for each step, and one that sums up. */
export function printSteps(steps: readonly AppliedStep[]): void {
  if (steps.length === 0) {
    printLine('nothing to do')
    return
  }
  printTable(
    ['outcome', 'what', 'schedule', 'why not'],
    steps.map(({ action, id, outcome, reason = '' }) => [
      { text: outcome, style: styles[outcome] },
      action,
      id,
      reason,
    ]),
  )
  const undone = steps.filter(({ outcome }) => outcome !== 'done').length
  if (undone > 0) printLine(`${undone} of ${steps.length} could not be done: the same command again does the rest`)
}

const styles: Readonly<Record<AppliedStep['outcome'], Style>> = { done: 'green', failed: 'red', 'not tried': 'yellow' }
