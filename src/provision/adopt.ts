import type { Resource } from '../providers/monitoring.ts'
import type { Step } from './plan-monitoring.ts'
import type { Wanted } from './wanted.ts'

/** Something made by hand that does what we want to have, and could become ours by its name alone. */
export interface Adoption {
  readonly wanted: Wanted
  readonly real: Resource
  readonly because: 'address' | 'name'
}

export interface Adoptions {
  readonly adoptions: readonly Adoption[]
  /** Wanted things that several could be, or things that several would want: a person must say which. */
  readonly ambiguous: readonly { readonly wanted: Wanted; readonly candidates: readonly Resource[] }[]
}

/**
 * Which unmanaged things could become ours, so that their heartbeats' addresses and their history stay: a heartbeat whose
 * address our configuration has, a monitor of the same address and type, or what is called like the job. Pure.
 */
export function findAdoptions(steps: readonly Step[], configured: ReadonlyMap<string, string>): Adoptions {
  const missing = steps.flatMap(step => (step.action === 'create' || step.action === 'left-out' ? [step.wanted] : []))
  const unmanaged = steps.flatMap(step => (step.action === 'unmanaged' ? [step.real] : []))
  const found = missing.map(wanted => ({ wanted, ...findCandidates(wanted, unmanaged, configured) }))
  const claims = found.flatMap(({ candidates }) => candidates.map(({ id, kind }) => `${kind} ${id}`))
  const isClear = ({ candidates }: (typeof found)[number]): boolean =>
    candidates.length === 1 &&
    claims.filter(claim => candidates.some(one => claim === `${one.kind} ${one.id}`)).length === 1
  return {
    adoptions: found
      .filter(isClear)
      .flatMap(({ because, candidates: [real], wanted }) => (real === undefined ? [] : [{ wanted, real, because }])),
    ambiguous: found.filter(one => one.candidates.length > 0 && !isClear(one)),
  }
}

/** The end of a heartbeat's address, which is the same on each of the vendor's hosts; a secret. */
export function tokenOf(url: unknown): string | undefined {
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined
  return new URL(url).pathname.split('/').findLast(segment => segment !== '')
}

function findCandidates(wanted: Wanted, unmanaged: readonly Resource[], configured: ReadonlyMap<string, string>) {
  const ofKind = unmanaged.filter(({ kind }) => kind === wanted.kind)
  const byAddress = ofKind.filter(one => hasAddress(one, wanted, configured))
  if (byAddress.length > 0) return { candidates: byAddress, because: 'address' as const }
  const names = namesOf(wanted)
  return { candidates: ofKind.filter(({ name }) => names.has(simplify(name))), because: 'name' as const }
}

function hasAddress({ attributes }: Resource, wanted: Wanted, configured: ReadonlyMap<string, string>): boolean {
  if (wanted.kind === 'monitor') {
    return (
      attributes['url'] === wanted.attributes['url'] && attributes['monitor_type'] === wanted.attributes['monitor_type']
    )
  }
  const token = tokenOf(configured.get(wanted.variable ?? ''))
  return token !== undefined && tokenOf(attributes['url']) === token
}

/** A heartbeat may be called like its job, or like its variable, as in `Expert Transfers`. */
function namesOf(wanted: Wanted): Set<string> {
  if (wanted.kind !== 'heartbeat') return new Set()
  const ofVariable = /^BETTERSTACK_(\w+)_HEARTBEAT$/.exec(wanted.variable ?? '')?.[1] ?? ''
  return new Set([wanted.key, ofVariable].map(simplify).filter(name => name !== ''))
}

function simplify(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim()
}
