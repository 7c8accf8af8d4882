import { applyMonitoring, type ApplyResult } from '../provision/apply-monitoring.ts'
import { checkEnvFile, listAddresses, writeEnvFile } from './heartbeat-addresses.ts'
import { type ApplyChoice, withMonitoring } from './monitors-connect.ts'
import { createProgress, printJson, printLine, printNote } from './print.ts'
import { describeSteps, printApplied, printSteps } from './print-monitors.ts'

/**
 * Makes heartbeats and monitors what the jobs say, and hands over the heartbeats' addresses where asked. Gives 1 when
 * something could not be done; running it again does the rest. Throws in a preview, and for a file that is there.
 */
export async function apply(options: ApplyChoice): Promise<number> {
  const { writeEnv, force = false, json = false, print = false, prune = false } = options
  if (writeEnv !== undefined) checkEnvFile(writeEnv, force)
  return await withMonitoring(options, async (monitoring, { limits, wanted, warnings }, signal) => {
    const progress = createProgress()
    const result = await applyMonitoring(monitoring, { wanted, limits, prune, signal, onStep: progress.show })
    progress.clear()
    const addresses = listAddresses(result.steps)
    if (writeEnv !== undefined) writeEnvFile(writeEnv, addresses, force)
    const ok = isComplete(result)
    if (json) {
      printJson({ ok, ...describe(result), warnings, ...(print ? { heartbeats: Object.fromEntries(addresses) } : {}) })
    } else {
      report(result)
      for (const warning of warnings) printNote(`warning: ${warning}`)
      if (print) for (const [name, url] of addresses) printLine(`${name}=${url}`)
    }
    if (writeEnv !== undefined) printNote(`${addresses.length} addresses are in ${writeEnv}, for you alone to read`)
    return ok ? 0 : 1
  })
}

function isComplete({ applied, steps, stopped }: ApplyResult): boolean {
  const isAmbiguous = steps.some(({ action }) => action === 'ambiguous')
  return stopped === undefined && !isAmbiguous && applied.every(({ outcome }) => outcome === 'done')
}

function describe({ applied, steps, stopped }: ApplyResult) {
  const told = steps.filter(({ action }) => action !== 'ok' && action !== 'unmanaged')
  return { applied, stopped: stopped ?? null, after: describeSteps(told) }
}

function report({ applied, steps, stopped }: ApplyResult): void {
  const told = steps.filter(({ action }) => action === 'ambiguous' || action === 'left-out' || action === 'orphan')
  if (told.some(({ action }) => action === 'ambiguous')) {
    printLine('names are ambiguous, and nothing was changed: delete or rename all but one of each')
  } else {
    printApplied(applied)
  }
  printSteps(told)
  if (stopped !== undefined) printLine(`stopped: ${stopped}`)
  const undone = applied.filter(({ outcome }) => outcome !== 'done').length
  if (undone > 0) printLine(`${undone} of ${applied.length} could not be done: the same command again does the rest`)
}
