import { findAdoptions } from '../provision/adopt.ts'
import { readAll } from '../provision/apply-monitoring.ts'
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
    const orphans = options.prune === true ? steps.filter(({ action }) => action === 'orphan') : []
    const pending = listPending(steps).length + orphans.length
    const isAmbiguous = steps.some(({ action }) => action === 'ambiguous')
    const notes = [...access.warnings, ...noteAdoptions(steps, access)]
    if (options.json === true)
      printJson({ pending, ambiguous: isAmbiguous, steps: describeSteps(steps), warnings: notes })
    else {
      printSteps(steps)
      printLine(summarize(steps, pending, isAmbiguous))
      for (const note of notes) printNote(`warning: ${note}`)
    }
    if (isAmbiguous) return 1
    return pending > 0 ? 2 : 0
  })
}

/** The plan for the jobs of this build. */
export async function readPlan(monitoring: Monitoring, access: Access, signal: AbortSignal): Promise<Step[]> {
  const progress = createProgress()
  progress.show('asking Better Stack for what it has')
  try {
    return planMonitoring(access.wanted, await readAll(monitoring, signal), access.limits)
  } finally {
    progress.clear()
  }
}

function noteAdoptions(steps: readonly Step[], { heartbeats }: Access): string[] {
  const { adoptions, ambiguous } = findAdoptions(steps, heartbeats)
  const count = adoptions.length + ambiguous.length
  return count === 0 ? [] : [`${count} seem to be there already, made by hand: look at \`monitors import\` first`]
}

function summarize(steps: readonly Step[], pending: number, isAmbiguous: boolean): string {
  if (isAmbiguous) return 'names are ambiguous: delete or rename all but one of each, until then nothing is changed'
  const fine = steps.filter(({ action }) => action === 'ok').length
  if (pending === 0) return `nothing to do: ${fine} are as they should be`
  return `${pending} to do, ${fine} as they should be: \`monitors apply\` does it`
}
