import type { Monitoring, Resource, ResourceKind, Written } from '../providers/monitoring.ts'
import { withinTime } from '../time-limit.ts'
import { toCreate, toUpdate } from './compare-attributes.ts'
import type { Pending } from './judge-steps.ts'
import { matchIds, planMonitoring, type Step } from './plan-monitoring.ts'
import { type PlanLimits, resourceKinds, type Wanted } from './wanted.ts'

/** What the vendor has, as far as it was read, and what is still to be done there. */
export interface Account {
  plan(): Step[]
  /** Reads one list again, also where somebody has stopped us: what was done must be told as it is. */
  reread(kind: ResourceKind): Promise<void>
  write(step: Pending): Promise<Written>
  remove(kind: ResourceKind, id: string): Promise<Written>
}

export interface AccountOptions {
  readonly wanted: readonly Wanted[]
  readonly limits: PlanLimits
  readonly signal: AbortSignal
}

const lastReadMs = 30_000

/** Every list that is needed: a plan without escalation policies may not even show that it has none. Throws rather than leave one out. */
export async function readAll(
  monitoring: Monitoring,
  { policies }: PlanLimits,
  signal: AbortSignal,
): Promise<Resource[]> {
  const all: Resource[] = []
  for (const kind of resourceKinds) {
    if (kind !== 'policy' || policies) all.push(...(await monitoring.list(kind, signal)))
  }
  return all
}

/** Reads everything. Throws what the lists throw. */
export async function openAccount(monitoring: Monitoring, options: AccountOptions): Promise<Account> {
  const { limits, signal, wanted } = options
  let real = await readAll(monitoring, limits, signal)
  const keep = async (kind: ResourceKind, readSignal: AbortSignal): Promise<void> => {
    const fresh = await monitoring.list(kind, readSignal)
    real = [...real.filter(one => one.kind !== kind), ...fresh]
  }
  return {
    plan: () => planMonitoring(wanted, real, limits),
    reread: async kind => {
      if (!signal.aborted) await keep(kind, signal)
      else await withinTime(new AbortController().signal, lastReadMs, async limited => await keep(kind, limited))
    },
    write: async step => {
      const ids = matchIds(wanted, real)
      if (step.action === 'create') return await monitoring.create(step.kind, toCreate(step.wanted, ids), signal)
      const body = toUpdate(step.wanted, step.real, step.changes, ids)
      if (Object.keys(body).length === 0) return { outcome: 'refused', reason: 'what it refers to is not there' }
      return await monitoring.update(step.kind, step.real.id, body, signal)
    },
    remove: async (kind, id) => await monitoring.remove(kind, id, signal),
  }
}
