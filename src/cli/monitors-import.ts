import { type Adoption, type Adoptions, findAdoptions } from '../provision/adopt.ts'
import type { Monitoring } from '../providers/monitoring.ts'
import { type ImportChoice, withMonitoring } from './monitors-connect.ts'
import { readPlan } from './monitors.ts'
import { createProgress, printJson, printLine, printTable } from './print.ts'

interface Imported {
  readonly outcome: 'found' | 'done' | 'failed'
  readonly reason?: string
  readonly adoption: Adoption
}

/**
 * Shows what was made by hand and does what we want to have; `--apply` renames it, and nothing else, so that it is ours and
 * keeps its address and its history. The plan then shows what else differs. Gives 2 while there is some to rename, 1 when
 * that failed, or when it is not clear which is meant.
 */
export async function importAll(options: ImportChoice): Promise<number> {
  return await withMonitoring(options, async (monitoring, access, signal) => {
    const found = findAdoptions(await readPlan(monitoring, access, signal), access.heartbeats)
    const results =
      options.apply === true && found.ambiguous.length === 0
        ? await adoptAll(monitoring, found.adoptions, signal)
        : found.adoptions.map(adoption => ({ outcome: 'found' as const, adoption }))
    if (options.json === true) printJson(describe(results, found))
    else report(results, found)
    if (found.ambiguous.length > 0 || results.some(({ outcome }) => outcome === 'failed')) return 1
    return results.some(({ outcome }) => outcome === 'found') ? 2 : 0
  })
}

async function adoptAll(
  monitoring: Monitoring,
  adoptions: readonly Adoption[],
  signal: AbortSignal,
): Promise<Imported[]> {
  const progress = createProgress()
  const results: Imported[] = []
  for (const adoption of adoptions) {
    const { real, wanted } = adoption
    progress.show(`renaming ${real.name}`)
    const attribute = real.kind === 'monitor' ? 'pronounceable_name' : 'name'
    const written = await monitoring.update(real.kind, real.id, { [attribute]: wanted.name }, signal)
    const failed = written.outcome === 'done' ? {} : { reason: written.reason }
    results.push({ outcome: 'reason' in failed ? 'failed' : 'done', ...failed, adoption })
  }
  progress.clear()
  return results
}

function describe(results: readonly Imported[], { ambiguous }: Adoptions) {
  return {
    adoptions: results.map(({ adoption: { because, real, wanted }, ...result }) => ({
      ...result,
      kind: real.kind,
      id: real.id,
      name: real.name,
      becomes: wanted.name,
      because,
    })),
    ambiguous: ambiguous.map(({ candidates, wanted }) => ({
      becomes: wanted.name,
      candidates: candidates.map(({ id, name }) => ({ id, name })),
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
        real.name,
        wanted.name,
        reason ?? `of the same ${because}`,
      ]),
      ...ambiguous.map(({ candidates, wanted }) => [
        'ambiguous',
        candidates.map(({ id, kind }) => `${kind} ${id}`).join(', '),
        candidates.map(({ name }) => name).join(', '),
        wanted.name,
        'not clear which: nothing is changed',
      ]),
    ],
  )
  if (results.some(({ outcome }) => outcome === 'found')) printLine('`monitors import --apply` renames them')
}
