import { readAll } from '../provision/account.ts'
import { objectTo } from '../provision/objections.ts'
import { listPending, planMonitoring, type Step } from '../provision/plan-monitoring.ts'
import { type Access, type PlanChoice, withMonitoring } from './monitors-connect.ts'
import { createProgress, printJson, printLine, printNote } from './print.ts'
import { describeSteps, printSteps } from './print-monitors.ts'
import type { Monitoring } from '../providers/monitoring.ts'

/**
 * Shows what `apply` would do, and changes nothing. Gives 2 when that is something, and 1 when a name is ambiguous.
 * Throws in a preview.
 */
export async function plan(options: PlanChoice): Promise<number> {
  return await withMonitoring(options, async (monitoring, access, signal) => {
    const steps = await readPlan(monitoring, access, signal)
    const orphans =
      options.prune === true ? steps.filter(step => step.action === 'orphan' && step.usedBy.length === 0) : []
    const pending = listPending(steps).length + orphans.length
    const isAmbiguous = steps.some(({ action }) => action === 'ambiguous')
    const displaced = steps.filter(step => step.action === 'left-out' && step.takenBy.length > 0).length
    const objection = objectTo(steps, { heartbeats: access.heartbeats, beside: false, move: false })
    const notes = [...access.warn(steps), ...(objection === undefined ? [] : [objection])]
    if (options.json === true)
      printJson({ pending, ambiguous: isAmbiguous, steps: describeSteps(steps), warnings: notes })
    else {
      printSteps(steps)
      printLine(summarize(steps, pending, isAmbiguous, orphans.length > 0))
      if (displaced > 0)
        printLine(`${displaced} left out for what matters less: remove some of that, or widen the plan`)
      for (const note of notes) printNote(`warning: ${note}`)
    }
    if (isAmbiguous || (pending === 0 && displaced > 0)) return 1
    return pending > 0 ? 2 : 0
  })
}

/** The plan for the jobs of this build. */
export async function readPlan(monitoring: Monitoring, access: Access, signal: AbortSignal): Promise<Step[]> {
  const progress = createProgress()
  progress.show('asking Better Stack for what it has')
  try {
    return planMonitoring(access.wanted, await readAll(monitoring, access.limits, signal), access.limits)
  } finally {
    progress.clear()
  }
}

function summarize(steps: readonly Step[], pending: number, isAmbiguous: boolean, prunes: boolean): string {
  if (isAmbiguous) return 'names are ambiguous: delete or rename all but one of each, until then nothing is changed'
  const fine = steps.filter(({ action }) => action === 'ok').length
  const leftOut = steps.filter(({ action }) => action === 'left-out').length
  const rest = leftOut === 0 ? '' : `, ${leftOut} left out`
  if (pending === 0) return `nothing to do: ${fine} are as they should be${rest}`
  const how = prunes ? 'monitors apply --prune' : 'monitors apply'
  return `${pending} to do, ${fine} as they should be${rest}: \`${how}\` with the same options does it`
}
