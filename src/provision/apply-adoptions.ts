import { toError } from '../errors.ts'
import type { Monitoring, ResourceKind, Written } from '../providers/monitoring.ts'
import { redact } from '../runner/redact.ts'
import { withinTime } from '../time-limit.ts'
import type { Adoption } from './adopt.ts'

export interface Adopted {
  readonly adoption: Adoption
  readonly outcome: 'done' | 'failed' | 'not tried'
  /** Why not; holds no secret. */
  readonly reason?: string
}

const lastReadMs = 30_000

/**
 * Renames what was made by hand, one after another, and nothing else; what the lists say afterwards is the outcome. One
 * refusal stops no other; a refused token stops it all. Gives what became of each, whatever happened. Never throws.
 */
export async function applyAdoptions(
  monitoring: Monitoring,
  adoptions: readonly Adoption[],
  options: { readonly signal: AbortSignal; readonly onStep?: (text: string) => void },
): Promise<Adopted[]> {
  const written = new Map<Adoption, Written>()
  let stopped = 'it was stopped before'
  try {
    for (const adoption of adoptions) {
      const { real, wanted } = adoption
      options.signal.throwIfAborted()
      options.onStep?.(`renaming ${real.name}`)
      const attribute = real.kind === 'monitor' ? 'pronounceable_name' : 'name'
      const answer = await monitoring.update(real.kind, real.id, { [attribute]: wanted.name }, options.signal)
      written.set(adoption, answer)
    }
  } catch (thrown) {
    if (!options.signal.aborted) stopped = redact(toError(thrown).message)
  }
  const names = await readNames(monitoring, [...written.keys()])
  return adoptions.map(adoption => judge(adoption, written.get(adoption), names, stopped))
}

/** By kind and id; undefined for a kind that cannot be read. */
async function readNames(monitoring: Monitoring, adoptions: readonly Adoption[]) {
  const kinds = [...new Set(adoptions.map(({ real }) => real.kind))]
  const names = new Map<ResourceKind, ReadonlyMap<string, string> | undefined>()
  for (const kind of kinds) {
    const listed = withinTime(
      new AbortController().signal,
      lastReadMs,
      async signal => await monitoring.list(kind, signal),
    )
    const named = listed.then(
      found => new Map(found.map(({ id, name }) => [id, name] as const)),
      () => undefined,
    )
    names.set(kind, await named)
  }
  return names
}

function judge(
  adoption: Adoption,
  written: Written | undefined,
  names: Awaited<ReturnType<typeof readNames>>,
  stopped: string,
): Adopted {
  if (written === undefined) return { adoption, outcome: 'not tried', reason: stopped }
  const listed = names.get(adoption.real.kind)
  const isNamed =
    listed === undefined ? written.outcome === 'done' : listed.get(adoption.real.id) === adoption.wanted.name
  if (isNamed) return { adoption, outcome: 'done' }
  const reason = written.outcome === 'done' ? 'Better Stack keeps another name' : written.reason
  return { adoption, outcome: 'failed', reason: redact(reason) }
}
