import { setTimeout as sleep } from 'node:timers/promises'
import { toError } from '../errors.ts'
import type { Monitoring, Resource, ResourceKind, Written } from '../providers/monitoring.ts'
import { matchIds, planMonitoring, type Step } from './plan-monitoring.ts'
import { toCreate, toUpdate } from './compare-attributes.ts'
import { type PlanLimits, resourceKinds, type Wanted } from './wanted.ts'

export interface AppliedStep {
  readonly action: 'create' | 'update' | 'remove'
  readonly kind: ResourceKind
  readonly name: string
  readonly outcome: 'done' | 'failed' | 'not tried'
  /** Why not; holds no secret. */
  readonly reason?: string
}

export interface ApplyOptions {
  readonly wanted: readonly Wanted[]
  readonly limits: PlanLimits
  /** Whether what is ours and not wanted any more goes. */
  readonly prune: boolean
  readonly signal: AbortSignal
  readonly onStep?: (text: string) => void
  /** How long a lost answer is given to come true before the list is read again; 2 s unless given. */
  readonly settleMs?: number
}

export interface ApplyResult {
  readonly applied: readonly AppliedStep[]
  /** The plan after it all: what is there by now, read again after the last write. */
  readonly steps: readonly Step[]
  /** Why it stopped half way, where it did. */
  readonly stopped: string | undefined
}

/** Every list of the account. Throws rather than leave one out. */
export async function readAll(monitoring: Monitoring, signal: AbortSignal): Promise<Resource[]> {
  const all: Resource[] = []
  for (const kind of resourceKinds) all.push(...(await monitoring.list(kind, signal)))
  return all
}

/**
 * Makes what is there what is wanted: (1) read all, and stop where a name is ambiguous; (2) kind by kind, so that what
 * others name is there first: write what is missing or differs, one after another, and read the list again; (3) where
 * asked, remove what is ours and not wanted. One refusal stops no other; a refused token or a list that cannot be read
 * stops it all. Names tell what is there, so whatever ends this half way, the next one finds the rest.
 */
export async function applyMonitoring(monitoring: Monitoring, options: ApplyOptions): Promise<ApplyResult> {
  const pass = createPass(monitoring, options, await readAll(monitoring, options.signal))
  if (pass.plan().some(({ action }) => action === 'ambiguous')) return pass.end(undefined)
  try {
    for (const kind of resourceKinds) await pass.write(kind)
    if (options.prune) for (const kind of resourceKinds.toReversed()) await pass.remove(kind)
    return pass.end(undefined)
  } catch (thrown) {
    return pass.end(options.signal.aborted ? 'interrupted' : toError(thrown).message)
  }
}

type Pending = Extract<Step, { action: 'create' | 'update' }>
type Tried = { readonly step: Pending; readonly written: Written }

function createPass(monitoring: Monitoring, options: ApplyOptions, all: readonly Resource[]) {
  const { limits, onStep = () => {}, prune, settleMs = 2_000, signal, wanted } = options
  let real = all
  const applied: AppliedStep[] = []
  const plan = (): Step[] => planMonitoring(wanted, real, limits)
  const reread = async (kind: ResourceKind): Promise<void> => {
    const fresh = await monitoring.list(kind, signal)
    real = [...real.filter(one => one.kind !== kind), ...fresh]
  }
  const send = async (step: Pending): Promise<Tried> => {
    onStep(`${step.action} ${step.kind} ${step.name}`)
    return { step, written: await sendStep(monitoring, step, matchIds(wanted, real), signal) }
  }
  const sendLostAgain = async (kind: ResourceKind, tried: Tried[]): Promise<void> => {
    for (const [index, one] of tried.entries()) {
      if (!mayHaveBeenLost(one, plan())) continue
      await sleep(settleMs, undefined, { signal })
      await reread(kind)
      if (!mayHaveBeenLost(one, plan())) continue
      tried[index] = await send(one.step)
      await reread(kind)
    }
  }
  return {
    plan,
    write: async (kind: ResourceKind): Promise<void> => {
      const pending = plan()
        .filter(isPending)
        .filter(step => step.kind === kind)
      if (pending.length === 0) return
      const tried: Tried[] = []
      let isStale = true
      try {
        for (const step of pending) tried.push(await send(step))
        await reread(kind)
        isStale = false
        await sendLostAgain(kind, tried)
      } catch (thrown) {
        // What was done until then is told as it is, where that can still be read.
        if (isStale) {
          isStale = await reread(kind).then(
            () => false,
            () => true,
          )
        }
        throw thrown
      } finally {
        applied.push(...tried.map(one => judge(one, isStale ? undefined : plan())))
      }
    },
    remove: async (kind: ResourceKind): Promise<void> => {
      const orphans = plan().flatMap(step => (step.action === 'orphan' && step.kind === kind ? [step] : []))
      for (const { name, real: orphan } of orphans) {
        onStep(`remove ${kind} ${name}`)
        const written = await monitoring.remove(kind, orphan.id, signal)
        const reason = written.outcome === 'done' ? {} : { reason: written.reason }
        applied.push({ action: 'remove', kind, name, outcome: 'reason' in reason ? 'failed' : 'done', ...reason })
      }
      if (orphans.length > 0) await reread(kind)
    },
    end: (stopped: string | undefined): ApplyResult => {
      const steps = plan()
      const done = new Set(applied.map(nameStep))
      const left = steps.filter(step => isPending(step) || (prune && step.action === 'orphan'))
      const notTried = left
        .map(step => ({
          action: isPending(step) ? step.action : ('remove' as const),
          kind: step.kind,
          name: step.name,
        }))
        .filter(step => !done.has(nameStep(step)))
        .map(step => ({ ...step, outcome: 'not tried' as const }))
      return { applied: [...applied, ...notTried], steps, stopped }
    },
  }
}

function nameStep({ kind, name }: { readonly kind: ResourceKind; readonly name: string }): string {
  return `${kind} ${name}`
}

function isPending(step: Step): step is Pending {
  return step.action === 'create' || step.action === 'update'
}

async function sendStep(
  monitoring: Monitoring,
  step: Pending,
  ids: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<Written> {
  if (step.action === 'create') return await monitoring.create(step.kind, toCreate(step.wanted, ids), signal)
  const body = toUpdate(step.wanted, step.real, step.changes, ids)
  if (Object.keys(body).length === 0) return { outcome: 'refused', reason: 'what it refers to is not there' }
  return await monitoring.update(step.kind, step.real.id, body, signal)
}

/** A create without an answer, of which the list says that it did not happen, and that can not happen any more. */
function mayHaveBeenLost({ step, written }: Tried, steps: readonly Step[]): boolean {
  if (written.outcome !== 'unknown' || written.mayStillArrive) return false
  return step.action === 'create' && findStep(step, steps)?.action === 'create'
}

/** What the list says afterwards counts, whatever the answer was; without a list, the answer. */
function judge({ step, written }: Tried, steps: readonly Step[] | undefined): AppliedStep {
  const { action, kind, name } = step
  const now = steps === undefined ? undefined : findStep(step, steps)
  const isDone = steps === undefined ? written.outcome === 'done' : now?.action === 'ok'
  if (isDone) return { action, kind, name, outcome: 'done' }
  const reason = written.outcome === 'done' ? describe(now) : written.reason
  return { action, kind, name, outcome: 'failed', reason: adviseOn(written, reason) }
}

function adviseOn(written: Written, reason: string): string {
  const isOpen = written.outcome === 'unknown' && written.mayStillArrive
  return isOpen ? `${reason}: it may still come true, so look in a minute, and apply again then` : reason
}

function describe(step: Step | undefined): string {
  if (step?.action === 'update')
    return `Better Stack keeps another ${step.changes.map(({ attribute }) => attribute).join(', ')}`
  if (step?.action === 'ambiguous') return `there are several of this name by now: ${step.ids.join(', ')}`
  return 'it is not in the list'
}

function findStep({ kind, name }: Step, steps: readonly Step[]): Step | undefined {
  return steps.find(step => step.kind === kind && step.name === name)
}
