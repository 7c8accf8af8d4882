import { applyMonitoring, type ApplyResult } from '../provision/apply-monitoring.ts'
import { tokenOf } from '../provision/adopt.ts'
import { objectTo } from '../provision/objections.ts'
import type { Step } from '../provision/plan-monitoring.ts'
import { type EnvFile, listAddresses, openEnvFile } from './heartbeat-addresses.ts'
import { type Access, type ApplyChoice, withMonitoring } from './monitors-connect.ts'
import { plan } from './monitors.ts'
import { createProgress, printJson, printLine, printNote } from './print.ts'
import { describeSteps, pausedAt, printApplied, printSteps } from './print-monitors.ts'
import type { Monitoring } from '../providers/monitoring.ts'

/**
 * Makes heartbeats and monitors what the jobs say, and hands over the heartbeats' addresses where asked. Gives 1 when
 * something could not be done, or is not known to be done. Throws in a preview, and for a file that cannot be written.
 */
export async function apply(options: ApplyChoice): Promise<number> {
  const { dryRun = false, force = false, json = false, print = false, writeEnv } = options
  if (dryRun) return await plan(options)
  return await withMonitoring(options, async (monitoring, access, signal) => {
    const file = writeEnv === undefined ? undefined : openEnvFile(writeEnv, force)
    let warnings: readonly string[] = []
    // Before anything is done, so that somebody can still stop it.
    const onPlan = (steps: readonly Step[]): void => {
      warnings = access.warn(steps)
      if (!json) for (const warning of warnings) printNote(`warning: ${warning}`)
    }
    let result: ApplyResult
    try {
      result = await perform(monitoring, options, access, signal, onPlan)
    } catch (thrown) {
      file?.drop()
      throw thrown
    }
    const addresses = listAddresses(result.steps)
    const handed = print ? { heartbeats: Object.fromEntries(addresses) } : {}
    if (json) printJson({ ok: isComplete(result), ...describe(result), warnings, ...handed })
    else report(result)
    if (print && !json) for (const [name, url] of addresses) printLine(`${name}=${url}`)
    const isHandedOver = file === undefined || handOver(file, result, options, addresses)
    if (file === undefined && !print) noteNew(result, addresses, access)
    else if (file !== undefined && isHandedOver && !isComplete(result)) printNote('do the rest without --write-env')
    return isComplete(result) && isHandedOver ? 0 : 1
  })
}

type Addresses = ReturnType<typeof listAddresses>

async function perform(
  monitoring: Monitoring,
  { beside = false, move = false, prune = false }: ApplyChoice,
  { heartbeats, limits, wanted }: Access,
  signal: AbortSignal,
  onPlan: (steps: readonly Step[]) => void,
): Promise<ApplyResult> {
  const progress = createProgress()
  try {
    return await applyMonitoring(monitoring, {
      wanted,
      limits,
      prune,
      signal,
      onStep: progress.show,
      onWait: printNote,
      objectTo: steps => {
        onPlan(steps)
        return objectTo(steps, { heartbeats, beside, move })
      },
    })
  } finally {
    progress.clear()
  }
}

/** Some addresses are no reason to replace a file, or to make one that the same command would find in its way. */
function handOver(file: EnvFile, { steps }: ApplyResult, options: ApplyChoice, addresses: Addresses): boolean {
  const most = steps.filter(
    ({ action, kind }) => kind === 'heartbeat' && !['left-out', 'orphan', 'unmanaged'].includes(action),
  ).length
  if (addresses.length === 0 || addresses.length < most) {
    file.drop()
    printNote(`${options.writeEnv} was not written: ${addresses.length} of ${most} heartbeats have an address`)
    return false
  }
  file.write(addresses)
  printNote(`${addresses.length} addresses are in ${options.writeEnv}, for you alone to read`)
  return true
}

/** A new heartbeat is of no use before the service has its address. */
function noteNew({ applied }: ApplyResult, addresses: Addresses, { heartbeats }: Access): void {
  const isNew = applied.some(
    ({ action, kind, outcome }) => action === 'create' && kind === 'heartbeat' && outcome === 'done',
  )
  const waiting = addresses.filter(([variable, url]) => tokenOf(heartbeats.get(variable)) !== tokenOf(url)).length
  if (!isNew || waiting === 0) return
  const what = waiting === 1 ? '1 heartbeat has an address that is' : `${waiting} heartbeats have addresses that are`
  printNote(`${what} not configured here: --write-env <file> takes them down`)
}

function isComplete({ applied, steps, stopped }: ApplyResult): boolean {
  const isAmbiguous = steps.some(({ action }) => action === 'ambiguous')
  const isDisplaced = steps.some(step => step.action === 'left-out' && step.takenBy.length > 0)
  return stopped === undefined && !isAmbiguous && !isDisplaced && applied.every(({ outcome }) => outcome === 'done')
}

function describe({ applied, steps, stopped }: ApplyResult) {
  const told = steps.filter(step => !['ok', 'unmanaged'].includes(step.action) || pausedAt(step) !== undefined)
  return { applied, stopped: stopped ?? null, after: describeSteps(told) }
}

function report({ applied, steps, stopped }: ApplyResult): void {
  const untold = new Set(['create', 'update', 'ok', 'unmanaged'])
  const told = steps.filter(step => !untold.has(step.action) || pausedAt(step) !== undefined)
  if (applied.length > 0 || stopped === undefined) printApplied(applied)
  printSteps(told)
  if (stopped !== undefined) printLine(`stopped: ${stopped}`)
  else if (told.some(({ action }) => action === 'ambiguous')) {
    printLine('names are ambiguous by now: somebody else has made them too; delete or rename all but one of each')
  }
  const undone = applied.filter(({ outcome }) => outcome === 'failed' || outcome === 'not tried').length
  const unknown = applied.filter(({ outcome }) => outcome === 'unknown')
  for (const { kind, name } of unknown) {
    printLine(
      `look at Better Stack for the ${kind} ${name} in some minutes, before this is done again: it may be made yet,`,
    )
    printLine('and would be there twice. When it is there, or surely is not, the same command does the rest.')
  }
  if (unknown.length === 0 && undone > 0) {
    const isMendable =
      applied.some(({ outcome }) => outcome === 'failed') || (stopped ?? 'interrupted') !== 'interrupted'
    const how = isMendable
      ? 'when what stands there is mended, the same command does the rest'
      : 'the same command does the rest'
    printLine(`${undone} of ${applied.length} could not be done: ${how}`)
  }
}
