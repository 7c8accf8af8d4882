import { jobs } from '../jobs/index.ts'
import { removeSchedules } from '../provision/apply-schedules.ts'
import { ownedPrefix } from '../provision/wanted-schedules.ts'
import { ask, canAsk } from './ask.ts'
import { createProgress, printJson, printLine, printNote } from './print.ts'
import { printSteps } from './schedules.ts'
import { refusePreview, withSchedules } from './schedules-connect.ts'

export interface RemoveChoice {
  readonly orphans?: boolean
  readonly yes?: boolean
  readonly json?: boolean
}

/**
 * Removes schedules of ours: those named, by job or by id, else all of them, or only those that no job has. Asks first,
 * unless told not to. Gives 1 when the answer is no or something could not be removed; throws for one that is not ours,
 * before anything is removed, and in a preview.
 */
export async function remove(names: readonly string[], options: RemoveChoice): Promise<number> {
  const { json = false, orphans = false, yes = false } = options
  return await withSchedules(async (schedules, access, signal) => {
    refusePreview(access)
    const ours = (await schedules.list(signal)).map(({ id }) => id).filter(id => id.startsWith(ownedPrefix))
    const named = names.length === 0 ? ours : names.map(name => findOurs(name, ours))
    const kept = named.filter(id => orphans && jobs.some(({ name }) => id === `${ownedPrefix}${name}`))
    if (names.length > 0 && kept.length > 0)
      throw new Error(`nothing was removed: ${kept.join(', ')} has its job, and --orphans takes only what no job has`)
    const ids = named.filter(id => !kept.includes(id))
    if (ids.length > 0 && !(await mayRemove(ids, yes, json))) {
      printNote('nothing was removed')
      return 1
    }
    const progress = createProgress()
    const steps = await removeSchedules(schedules, ids, {
      signal,
      onStep: ({ id }, index, total) => progress.show(`${index + 1} of ${total}: remove ${id}`),
    })
    progress.clear()
    if (json) printJson({ ok: steps.every(({ outcome }) => outcome === 'done'), steps })
    else printSteps(steps)
    return steps.every(({ outcome }) => outcome === 'done') ? 0 : 1
  })
}

async function mayRemove(ids: readonly string[], yes: boolean, json: boolean): Promise<boolean> {
  if (yes) return true
  if (json || !canAsk()) throw new Error('nothing was removed: without a terminal to ask on, add --yes')
  for (const id of ids) printLine(`  ${id}`)
  return await ask(
    `Remove ${ids.length === 1 ? 'this schedule' : `these ${ids.length} schedules`}? QStash then calls no more.`,
  )
}

function findOurs(name: string, ours: readonly string[]): string {
  const id = name.startsWith(ownedPrefix) ? name : `${ownedPrefix}${name}`
  if (ours.includes(id)) return id
  throw new Error(
    `there is no schedule ${name} of ours: ${ours.length === 0 ? 'there are none' : `there are ${ours.join(', ')}`}`,
  )
}
