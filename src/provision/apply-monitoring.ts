import { toError } from '../errors.ts'
import type { Monitoring, ResourceKind } from '../providers/monitoring.ts'
import { redact } from '../runner/redact.ts'
import { type Account, type AccountOptions, openAccount } from './account.ts'
import { type AppliedStep, isPending, judgeRemoval, nameStep } from './judge-steps.ts'
import type { Step } from './plan-monitoring.ts'
import { resourceKinds } from './wanted.ts'
import { createPatience, writeKind, type WriteOptions } from './write-steps.ts'

export type { AppliedStep }

/** `signal` stops it before the next write; one that has begun is ended. */
export interface ApplyOptions extends AccountOptions, WriteOptions {
  /** Whether what is ours and not wanted any more goes. */
  readonly prune: boolean
  /** Why nothing may be written before a person says more, by the plan; undefined: nothing speaks against it. */
  readonly objectTo?: (steps: readonly Step[]) => string | undefined
}

export interface ApplyResult {
  readonly applied: readonly AppliedStep[]
  /** The plan after it all: what is there by now, read again after the last write. */
  readonly steps: readonly Step[]
  /** Why it stopped half way, or did not begin. */
  readonly stopped: string | undefined
}

/**
 * Makes what is there what is wanted: (1) read all, and stop where a name is ambiguous or something speaks against it;
 * (2) kind by kind, so that what others name is there first: write what is missing or differs, one after another, and read
 * the list again; (3) where asked, remove what is ours and not wanted any more, and that nobody else uses. One refusal stops
 * no other; a refused token, a list that cannot be read, and a create of which nobody knows whether it happened, stop it all.
 * Names tell what is there, so whatever ends this half way, the next one finds the rest.
 */
export async function applyMonitoring(monitoring: Monitoring, options: ApplyOptions): Promise<ApplyResult> {
  const account = await openAccount(monitoring, options)
  const before = account.plan()
  const applied: AppliedStep[] = []
  const objection = objectToNames(before) ?? options.objectTo?.(before)
  if (objection !== undefined) return { applied, steps: before, stopped: `${objection}; nothing was changed` }
  let stopped: string | undefined
  try {
    const writing = { ...options, patience: createPatience() }
    for (const kind of resourceKinds) await writeKind(account, writing, kind, applied)
    if (options.prune) for (const kind of resourceKinds.toReversed()) await pruneKind(account, options, kind, applied)
  } catch (thrown) {
    stopped = options.signal.aborted ? 'interrupted' : redact(toError(thrown).message)
  }
  const steps = account.plan()
  return { applied: [...applied, ...listNotTried(steps, applied, options.prune)], steps, stopped }
}

function objectToNames(steps: readonly Step[]): string | undefined {
  const isAmbiguous = steps.some(({ action }) => action === 'ambiguous')
  return isAmbiguous ? 'names are ambiguous: delete or rename all but one of each' : undefined
}

async function pruneKind(
  account: Account,
  { onStep, signal }: ApplyOptions,
  kind: ResourceKind,
  applied: AppliedStep[],
): Promise<void> {
  const removed: { step: Step; written: Awaited<ReturnType<Account['remove']>> }[] = []
  try {
    for (const step of account.plan().filter(isRemovable)) {
      if (step.kind !== kind) continue
      signal.throwIfAborted()
      onStep?.(`remove ${kind} ${step.name}`)
      removed.push({ step, written: await account.remove(kind, step.real.id) })
    }
  } finally {
    const left =
      removed.length === 0
        ? undefined
        : await account.reread(kind).then(
            () => account.plan(),
            () => undefined,
          )
    applied.push(...removed.map(({ step, written }) => judgeRemoval(step, written, left)))
  }
}

/** Ours, not wanted any more, and used by nobody. */
function isRemovable(step: Step): step is Extract<Step, { action: 'orphan' }> {
  return step.action === 'orphan' && step.usedBy.length === 0
}

function listNotTried(steps: readonly Step[], applied: readonly AppliedStep[], prune: boolean): AppliedStep[] {
  const tried = new Set(applied.map(nameStep))
  return steps
    .filter(step => !tried.has(nameStep(step)) && (isPending(step) || (prune && isRemovable(step))))
    .map(step => ({
      action: isPending(step) ? step.action : 'remove',
      kind: step.kind,
      name: step.name,
      outcome: 'not tried',
    }))
}
