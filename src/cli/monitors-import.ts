import { type Adoption, type Adoptions, findAdoptions } from '../provision/adopt.ts'
import { type Adopted, applyAdoptions } from '../provision/apply-adoptions.ts'
import type { Monitoring } from '../providers/monitoring.ts'
import { type ImportChoice, withMonitoring } from './monitors-connect.ts'
import { readPlan } from './monitors.ts'
import { redact } from '../runner/redact.ts'
import { createProgress, printJson, printLine, printNote, printTable } from './print.ts'

type Imported = Adopted | { readonly outcome: 'found'; readonly reason?: undefined; readonly adoption: Adoption }

/**
 * Shows what was made by hand and does what we want to have; `--apply` renames it, and nothing else, so that it is ours and
 * keeps its address and its history. The plan then shows what else differs. Gives 2 while there is some to rename, 1 when
 * that failed, or when it is not clear which is meant.
 */
export async function importAll(options: ImportChoice): Promise<number> {
  return await withMonitoring(options, async (monitoring, access, signal) => {
    const steps = await readPlan(monitoring, access, signal)
    const found = findAdoptions(steps, access.heartbeats)
    const warnings = access.warn(steps)
    const results =
      options.apply === true && found.ambiguous.length === 0
        ? await rename(monitoring, found.adoptions, signal)
        : found.adoptions.map(adoption => ({ outcome: 'found' as const, adoption }))
    if (options.json === true) printJson({ ...describe(results, found), warnings })
    else {
      report(results, found)
      for (const warning of warnings) printNote(`warning: ${warning}`)
    }
    const undone = results.filter(({ outcome }) => outcome === 'failed' || outcome === 'not tried').length
    if (found.ambiguous.length > 0 || undone > 0) return 1
    return results.some(({ outcome }) => outcome === 'found') ? 2 : 0
  })
}

async function rename(monitoring: Monitoring, adoptions: readonly Adoption[], signal: AbortSignal): Promise<Adopted[]> {
  const progress = createProgress()
  const results = await applyAdoptions(monitoring, adoptions, { signal, onStep: progress.show })
  progress.clear()
  return results
}

function describe(results: readonly Imported[], { ambiguous }: Adoptions) {
  return {
    adoptions: results.map(({ adoption: { because, real, wanted }, ...result }) => ({
      ...result,
      kind: real.kind,
      id: real.id,
      name: redact(real.name),
      becomes: wanted.name,
      because,
    })),
    ambiguous: ambiguous.map(({ candidates, wanted }) => ({
      becomes: wanted.name,
      candidates: candidates.map(({ id, name }) => ({ id, name: redact(name) })),
    })),
  }
}

function report(results: readonly Imported[], { ambiguous }: Adoptions): void {
  if (results.length + ambiguous.length === 0) {
    printLine('nothing to import: nothing made by hand does what we want to have')
    return
  }
  printTable(
    ['outcome', 'what', 'is called', 'becomes', 'because'],
    [
      ...results.map(({ adoption: { because, real, wanted }, outcome, reason }) => [
        outcome,
        `${real.kind} ${real.id}`,
        redact(real.name),
        wanted.name,
        reason ?? `of the same ${because}`,
      ]),
      ...ambiguous.map(({ candidates, wanted }) => [
        'ambiguous',
        candidates.map(({ id, kind }) => `${kind} ${id}`).join(', '),
        candidates.map(({ name }) => redact(name)).join(', '),
        wanted.name,
        'not clear which',
      ]),
    ],
  )
  if (ambiguous.length > 0) {
    printLine('nothing was renamed: rename or delete all but one of each that is ambiguous, or configure its address')
  } else if (results.some(({ outcome }) => outcome === 'found')) {
    printLine('`monitors import --apply` renames them')
  }
}
