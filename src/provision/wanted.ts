import type { Attributes, ResourceKind } from '../providers/monitoring.ts'
import type { Priority } from '../runner/define-job.ts'

/** What every name of ours begins with at Better Stack. Whatever does not is somebody else's, and only reported. */
export const ownedPrefix = '[jobs] '

/** What the vendor keeps, in the order in which one may name another. */
export const resourceKinds: readonly ResourceKind[] = [
  'policy',
  'heartbeat-group',
  'monitor-group',
  'heartbeat',
  'monitor',
]

/** Stands in an attribute for the id of another wanted thing, which may not be there yet. */
export class Reference {
  readonly key: string

  constructor(key: string) {
    this.key = key
  }
}

/** One thing that has to be at Better Stack. What `attributes` does not name is left as it is there. */
export interface Wanted {
  readonly kind: ResourceKind
  /** Names it among the wanted ones. */
  readonly key: string
  readonly name: string
  readonly attributes: Attributes
  readonly priority: Priority
  /** Of a heartbeat: the variable that gets its address. */
  readonly variable?: string
}

export interface PlanLimits {
  /** How many heartbeats, and how many monitors, the account's plan holds; undefined: as many as we like. */
  readonly most: number | undefined
  /** The shortest time between two checks of a monitor that the plan allows, in seconds. */
  readonly shortestCheckSeconds: number
  /** False where the plan has no escalation policies: then each thing tells by its own channels alone. */
  readonly policies: boolean
}
