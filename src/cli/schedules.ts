import { type AppliedStep, applySchedules } from '../provision/apply-schedules.ts'
import { countPending, type SchedulePlan } from '../provision/plan-schedules.ts'
import { createProgress, printJson, printLine, printNote, printTable, type Style } from './print.ts'
import { describePlan, printPlan } from './print-schedules.ts'
import { type PlanChoice, readPlan, withScheduling } from './schedules-connect.ts'

export interface ApplyChoice extends PlanChoice {
  readonly dryRun?: boolean
}

/** Shows what `apply` would do, and changes nothing. Gives 2 when that is something. Throws in a preview. */
export async function plan(options: PlanChoice): Promise<number> {
  return await withScheduling(async (schedules, access, signal) => {
    const found = await readPlan(schedules, access, options, signal)
    if (options.json === true) printJson(describePlan(found))
    else printPlan(found)
    return countPending(found) > 0 ? 2 : 0
  })
}

/**
 * Makes the schedules what the jobs say: creates and changes, then removes ours that no job has. Gives 1 when something
 * could not be done; running it again does the rest. Throws in a preview.
 */
export async function apply(options: ApplyChoice): Promise<number> {
  if (options.dryRun === true) return await plan(options)
  return await withScheduling(async (schedules, access, signal) => {
    const found = await readPlan(schedules, access, options, signal)
    const progress = createProgress()
    const steps = await applySchedules(schedules, found, {
      signal,
      onStep: ({ action, id }, index, total) => progress.show(`${index + 1} of ${total}: ${action} ${id}`),
    })
    progress.clear()
    return report(found, steps, options.json === true)
  })
}

function report(found: SchedulePlan, steps: readonly AppliedStep[], json: boolean): number {
  const undone = steps.filter(({ outcome }) => outcome !== 'done')
  if (json) {
    printJson({ ok: undone.length === 0, steps, paused: found.paused.map(({ id }) => id), warnings: found.warnings })
  } else {
    printSteps(steps)
    for (const { id } of found.paused) printLine(`${id} is paused in the console, and stays so`)
    for (const warning of found.warnings) printNote(`warning: ${warning}`)
  }
  return undone.length === 0 ? 0 : 1
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
