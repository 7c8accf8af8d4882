import { setTimeout as sleep } from 'node:timers/promises'
import { toError } from '../errors.ts'
import type { Monitoring, Resource, ResourceKind, Written } from '../providers/monitoring.ts'
import { matchIds, planMonitoring, type Step } from './plan-monitoring.ts'
import { toCreate, toUpdate } from './compare-attributes.ts'
import {
  type AppliedStep,
  isPending,
  judge,
  mayHaveBeenLost,
  nameStep,
  type Pending,
  type Tried,
} from './judge-steps.ts'
import { type PlanLimits, resourceKinds, type Wanted } from './wanted.ts'

export type { AppliedStep }

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
  const account = createAccount(monitoring, options, await readAll(monitoring, options.signal))
  const applied: AppliedStep[] = []
  let stopped: string | undefined
  if (!account.plan().some(({ action }) => action === 'ambiguous')) {
    try {
      for (const kind of resourceKinds) await writeKind(account, options, kind, applied)
      if (options.prune) for (const kind of resourceKinds.toReversed()) await pruneKind(account, options, kind, applied)
    } catch (thrown) {
      stopped = options.signal.aborted ? 'interrupted' : toError(thrown).message
    }
  }
  const steps = account.plan()
  return { applied: [...applied, ...listNotTried(steps, applied, options.prune)], steps, stopped }
}

/** What the account has, as far as it was read, and what is still to be done there. */
interface Account {
  plan(): Step[]
  reread(kind: ResourceKind): Promise<void>
  write(step: Pending): Promise<Written>
  remove(kind: ResourceKind, id: string): Promise<Written>
}

function createAccount(
  monitoring: Monitoring,
  { limits, signal, wanted }: ApplyOptions,
  all: readonly Resource[],
): Account {
  let real = all
  return {
    plan: () => planMonitoring(wanted, real, limits),
    reread: async kind => {
      const fresh = await monitoring.list(kind, signal)
      real = [...real.filter(one => one.kind !== kind), ...fresh]
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

async function writeKind(
  account: Account,
  options: ApplyOptions,
  kind: ResourceKind,
  applied: AppliedStep[],
): Promise<void> {
  const pending = account.plan().filter(isPending)
  const tried: Tried[] = []
  let isFresh = false
  try {
    for (const step of pending.filter(one => one.kind === kind)) {
      options.onStep?.(`${step.action} ${kind} ${step.name}`)
      tried.push({ step, written: await account.write(step) })
    }
    if (tried.length > 0) await account.reread(kind)
    isFresh = true
    await sendLostAgain(account, options, tried)
  } catch (thrown) {
    // What was done until then is told as it is, where that can still be read.
    isFresh ||= await account.reread(kind).then(
      () => true,
      () => false,
    )
    throw thrown
  } finally {
    applied.push(...tried.map(one => judge(one, isFresh ? account.plan() : undefined)))
  }
}

/** Only what the list says twice did not happen, some time apart, is sent once more. */
async function sendLostAgain(
  account: Account,
  { settleMs = 2_000, signal }: ApplyOptions,
  tried: Tried[],
): Promise<void> {
  for (const [index, one] of tried.entries()) {
    if (!mayHaveBeenLost(one, account.plan())) continue
    const askedMs = one.written.outcome === 'unknown' ? one.written.retryAfterMs : undefined
    await sleep(Math.max(settleMs, askedMs ?? 0), undefined, { signal })
    await account.reread(one.step.kind)
    if (!mayHaveBeenLost(one, account.plan())) continue
    tried[index] = { step: one.step, written: await account.write(one.step) }
    await account.reread(one.step.kind)
  }
}

async function pruneKind(
  account: Account,
  options: ApplyOptions,
  kind: ResourceKind,
  applied: AppliedStep[],
): Promise<void> {
  const orphans = account.plan().flatMap(step => (step.action === 'orphan' && step.kind === kind ? [step] : []))
  for (const { name, real } of orphans) {
    options.onStep?.(`remove ${kind} ${name}`)
    const written = await account.remove(kind, real.id)
    const step = { action: 'remove' as const, kind, name }
    applied.push(
      written.outcome === 'done'
        ? { ...step, outcome: 'done' }
        : { ...step, outcome: 'failed', reason: written.reason },
    )
  }
  if (orphans.length > 0) await account.reread(kind)
}

function listNotTried(steps: readonly Step[], applied: readonly AppliedStep[], prune: boolean): AppliedStep[] {
  const tried = new Set(applied.map(nameStep))
  return steps
    .filter(step => !tried.has(nameStep(step)) && (isPending(step) || (prune && step.action === 'orphan')))
    .map(step => ({
      action: isPending(step) ? step.action : 'remove',
      kind: step.kind,
      name: step.name,
      outcome: 'not tried',
    }))
}
