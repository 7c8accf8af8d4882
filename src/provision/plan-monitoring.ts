import type { Resource, ResourceKind } from '../providers/monitoring.ts'
import { type Change, compareAttributes, type Ids } from './compare-attributes.ts'
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
  | { readonly action: 'left-out'; readonly kind: ResourceKind; readonly name: string; readonly wanted: Wanted }
  /** Ours by name, and not wanted any more. */
  | { readonly action: 'orphan'; readonly kind: ResourceKind; readonly name: string; readonly real: Resource }
  | { readonly action: 'unmanaged'; readonly kind: ResourceKind; readonly name: string; readonly real: Resource }

/** What there is to do to make what is there what is wanted, in the order to do it. Pure. */
export function planMonitoring(wanted: readonly Wanted[], real: readonly Resource[], limits: PlanLimits): Step[] {
  const ids = matchIds(wanted, real)
  const names = new Set(wanted.map(({ kind, name }) => `${kind} ${name}`))
  const others = real.filter(({ kind, name }) => !names.has(`${kind} ${name}`))
  const steps = wanted.map(one => planOne(one, real, ids))
  return [
    ...leaveOut(steps, real, limits),
    ...others.map(one => ({
      action: one.name.startsWith(ownedPrefix) ? ('orphan' as const) : ('unmanaged' as const),
      kind: one.kind,
      name: one.name,
      real: one,
    })),
  ]
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

/** What is to be made beyond the room there is, that matters least. What is there stays, whosever it is. */
function leaveOut(steps: readonly Step[], real: readonly Resource[], { most }: PlanLimits): Step[] {
  if (most === undefined) return [...steps]
  const room = new Map(
    (['heartbeat', 'monitor'] as const).map(kind => [
      kind as ResourceKind,
      most - real.filter(one => one.kind === kind).length,
    ]),
  )
  return steps.map(step => {
    const left = room.get(step.kind)
    if (step.action !== 'create' || left === undefined) return step
    room.set(step.kind, left - 1)
    return left > 0 ? step : { action: 'left-out', kind: step.kind, name: step.name, wanted: step.wanted }
  })
}
