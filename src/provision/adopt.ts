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
  const byAddress = findEach(missing, unmanaged, (wanted, one) => hasAddress(one, wanted, configured))
  const taken = new Set(byAddress.flatMap(({ candidates }) => candidates))
  const byName = findEach(
    missing.filter(wanted => !byAddress.some(found => found.wanted === wanted)),
    unmanaged.filter(one => !taken.has(one)),
    (wanted, { name }) => namesOf(wanted).has(simplify(name)),
  )
  return {
    adoptions: [...sortOut(byAddress, 'address'), ...sortOut(byName, 'name')],
    ambiguous: [byAddress, byName].flatMap(found => found.filter(one => !isClear(one, found))),
  }
}

/** Jobs that report to a heartbeat made by hand while one of ours hears nothing, both by name. Pure. */
export function findSilenced(
  steps: readonly Step[],
  configured: ReadonlyMap<string, string>,
): { readonly wanted: Wanted; readonly byHand: Resource }[] {
  const unmanaged = steps.flatMap(step => (step.action === 'unmanaged' ? [step.real] : []))
  return steps.flatMap(step => {
    if (!('wanted' in step && 'real' in step) || step.kind !== 'heartbeat') return []
    const byHand = unmanaged.find(one => one.kind === 'heartbeat' && hasAddress(one, step.wanted, configured))
    return byHand === undefined ? [] : [{ wanted: step.wanted, byHand }]
  })
}

interface Found {
  readonly wanted: Wanted
  readonly candidates: readonly Resource[]
}

function findEach(
  missing: readonly Wanted[],
  unmanaged: readonly Resource[],
  fits: (wanted: Wanted, one: Resource) => boolean,
): Found[] {
  return missing
    .map(wanted => ({ wanted, candidates: unmanaged.filter(one => one.kind === wanted.kind && fits(wanted, one)) }))
    .filter(({ candidates }) => candidates.length > 0)
}

function sortOut(found: readonly Found[], because: Adoption['because']): Adoption[] {
  return found
    .filter(one => isClear(one, found))
    .flatMap(({ candidates, wanted }) => candidates.map(real => ({ wanted, real, because })))
}

/** One thing could be it, and it could be nothing else. */
function isClear({ candidates: [first, ...more] }: Found, found: readonly Found[]): boolean {
  return more.length === 0 && found.filter(one => first !== undefined && one.candidates.includes(first)).length === 1
}

/** The end of a heartbeat's address, which is the same on each of the vendor's hosts; a secret. */
export function tokenOf(url: unknown): string | undefined {
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined
  return new URL(url).pathname.split('/').findLast(segment => segment !== '')
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
