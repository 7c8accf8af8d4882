import type { ResourceKind, Written } from '../providers/monitoring.ts'
import type { Step } from './plan-monitoring.ts'

/** What became of one step. */
export interface AppliedStep {
  readonly action: 'create' | 'update' | 'remove'
  readonly kind: ResourceKind
  readonly name: string
  readonly outcome: 'done' | 'failed' | 'not tried'
  /** Why not; holds no secret. */
  readonly reason?: string
}

/** A step that writes. */
export type Pending = Extract<Step, { action: 'create' | 'update' }>

/** A step that was tried, and the answer. */
export interface Tried {
  readonly step: Pending
  readonly written: Written
}

/** A create without an answer, of which the list says that it did not happen, and that can not happen any more. */
export function mayHaveBeenLost({ step, written }: Tried, steps: readonly Step[]): boolean {
  if (written.outcome !== 'unknown' || written.mayStillArrive) return false
  return step.action === 'create' && findStep(step, steps)?.action === 'create'
}

/** What the list says afterwards counts, whatever the answer was; without a list, the answer. */
export function judge({ step, written }: Tried, steps: readonly Step[] | undefined): AppliedStep {
  const { action, kind, name } = step
  const now = steps === undefined ? undefined : findStep(step, steps)
  const isDone = steps === undefined ? written.outcome === 'done' : now?.action === 'ok'
  if (isDone) return { action, kind, name, outcome: 'done' }
  const reason = written.outcome === 'done' ? describe(now) : written.reason
  return { action, kind, name, outcome: 'failed', reason: adviseOn(written, reason) }
}

/** What one thing is known by. */
export function nameStep({ kind, name }: { readonly kind: ResourceKind; readonly name: string }): string {
  return `${kind} ${name}`
}

/** Whether there is something to write. */
export function isPending(step: Step): step is Pending {
  return step.action === 'create' || step.action === 'update'
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
