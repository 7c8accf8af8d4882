import type { Resource, ResourceKind } from '../providers/monitoring.ts'
import { type Change, compareAttributes, type Ids } from './compare-attributes.ts'
import type { Priority } from '../runner/define-job.ts'
import { ownedPrefix, type PlanLimits, type Wanted } from './wanted.ts'

/** What is to be done with one thing, or why nothing is. */
export type Step =
  | {
      readonly action: 'create'
      readonly kind: ResourceKind
      readonly name: string
      readonly wanted: Wanted
      readonly renamed?: string
    }
  | {
      readonly action: 'update'
      readonly kind: ResourceKind
      readonly name: string
      readonly wanted: Wanted
      readonly real: Resource
      readonly changes: readonly Change[]
    }
  | {
      readonly action: 'ok'
      readonly kind: ResourceKind
      readonly name: string
      readonly wanted: Wanted
      readonly real: Resource
    }
  /** Several have the name: a person must say which is ours. */
  | {
      readonly action: 'ambiguous'
      readonly kind: ResourceKind
      readonly name: string
      readonly ids: readonly string[]
    }
  /** The account has no room for it. */
  | {
      readonly action: 'left-out'
      readonly kind: ResourceKind
      readonly name: string
      readonly wanted: Wanted
      /** What of ours matters less, and has its room; empty when nothing does. */
      readonly takenBy: readonly string[]
    }
  /** Ours by name, and not wanted any more. */
  | {
      readonly action: 'orphan'
      readonly kind: ResourceKind
      readonly name: string
      readonly real: Resource
      /** What names it, and would lose it. */
      readonly usedBy: readonly string[]
    }
  | { readonly action: 'unmanaged'; readonly kind: ResourceKind; readonly name: string; readonly real: Resource }

/** What there is to do to make what is there what is wanted, in the order to do it. Pure. */
export function planMonitoring(wanted: readonly Wanted[], real: readonly Resource[], limits: PlanLimits): Step[] {
  const ids = matchIds(wanted, real)
  const names = new Set(wanted.map(({ kind, name }) => `${kind} ${name}`))
  const others = real.filter(({ kind, name }) => !names.has(`${kind} ${name}`))
  const steps = wanted.map(one => planOne(one, real, ids))
  return [
    ...leaveOut(steps, real, limits),
    ...others.map((one): Step => {
      const { kind, name } = one
      if (!name.startsWith(ownedPrefix)) return { action: 'unmanaged', kind, name, real: one }
      return { action: 'orphan', kind, name, real: one, usedBy: listUsers(one, real) }
    }),
  ]
}

const references: Partial<Record<ResourceKind, readonly string[]>> = {
  policy: ['policy_id', 'expiration_policy_id'],
  'heartbeat-group': ['heartbeat_group_id'],
  'monitor-group': ['monitor_group_id'],
}

function listUsers({ id, kind }: Resource, all: readonly Resource[]): string[] {
  const names = references[kind] ?? []
  return all
    .filter(({ attributes }) => names.some(name => [id, Number(id)].includes(attributes[name] as string | number)))
    .map(user => `${user.kind} ${user.name}`)
}

/** What is still to be done of a plan. */
export function listPending(steps: readonly Step[]): readonly Step[] {
  return steps.filter(({ action }) => action === 'create' || action === 'update')
}

/** The ids of what is wanted and there, where there is just one of it. */
export function matchIds(wanted: readonly Wanted[], real: readonly Resource[]): Ids {
  return new Map(
    wanted.flatMap(one => {
      const [found, ...more] = listNamed(one, real)
      return found === undefined || more.length > 0 ? [] : [[one.key, found.id]]
    }),
  )
}

function planOne(wanted: Wanted, all: readonly Resource[], ids: Ids): Step {
  const { kind, name } = wanted
  const [real, ...more] = listNamed(wanted, all)
  if (real === undefined) {
    const twin = all.find(one => isRenamed(wanted, one))
    return { action: 'create', kind, name, wanted, ...(twin === undefined ? {} : { renamed: twin.name }) }
  }
  if (more.length > 0) return { action: 'ambiguous', kind, name, ids: [real, ...more].map(({ id }) => id) }
  const changes = compareAttributes(wanted, real, ids)
  if (changes.length === 0) return { action: 'ok', kind, name, wanted, real }
  return { action: 'update', kind, name, wanted, real, changes }
}

function listNamed({ kind, name }: Wanted, all: readonly Resource[]): Resource[] {
  return all.filter(one => one.kind === kind && one.name === name)
}

/** A monitor of the same address and type under another name may be ours, renamed: a hint for people, and no match. */
function isRenamed({ attributes, kind }: Wanted, one: Resource): boolean {
  return (
    kind === 'monitor' &&
    one.kind === 'monitor' &&
    one.attributes['url'] === attributes['url'] &&
    one.attributes['monitor_type'] === attributes['monitor_type']
  )
}

const priorities: readonly Priority[] = ['critical', 'high', 'medium', 'low']

/** What is to be made beyond the room there is, that matters least. What is there stays, whosever it is. */
function leaveOut(steps: readonly Step[], real: readonly Resource[], { most }: PlanLimits): Step[] {
  if (most === undefined) return [...steps]
  const left = new Map((['heartbeat', 'monitor'] as const).flatMap(kind => listBeyond(kind, steps, real, most)))
  return steps.map(step => {
    const takenBy = left.get(step)
    if (step.action !== 'create' || takenBy === undefined) return step
    return { action: 'left-out', kind: step.kind, name: step.name, wanted: step.wanted, takenBy }
  })
}

/** Each with what has its room: the first gets that of what matters least, and so on. */
function listBeyond(
  kind: ResourceKind,
  steps: readonly Step[],
  real: readonly Resource[],
  most: number,
): (readonly [Step, readonly string[]])[] {
  const room = Math.max(0, most - real.filter(one => one.kind === kind).length)
  const creates = steps.flatMap(step => (step.action === 'create' && step.kind === kind ? [step] : []))
  const holders = listHolders(kind, steps, real)
  return creates
    .toSorted((a, b) => rank(a.wanted) - rank(b.wanted))
    .slice(room)
    .map((step, index) => {
      const holder = holders[index]
      return [step, holder !== undefined && holder.rank > rank(step.wanted) ? [holder.name] : []] as const
    })
}

/** Ours that are there, those that nobody wants any more first, and then those that matter least. */
function listHolders(kind: ResourceKind, steps: readonly Step[], real: readonly Resource[]) {
  const names = new Set(steps.filter(step => step.kind === kind).map(({ name }) => name))
  const orphans = real.filter(one => one.kind === kind && one.name.startsWith(ownedPrefix) && !names.has(one.name))
  const owned = steps.flatMap(step =>
    step.kind === kind && 'real' in step && 'wanted' in step ? [{ name: step.name, rank: rank(step.wanted) }] : [],
  )
  return [...orphans.map(({ name }) => ({ name, rank: Infinity })), ...owned].toSorted((a, b) => b.rank - a.rank)
}

function rank({ priority }: Wanted): number {
  return priorities.indexOf(priority)
}
