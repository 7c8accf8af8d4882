import type { ResourceKind, Written } from '../providers/monitoring.ts'
import { redact } from '../runner/redact.ts'
import type { Step } from './plan-monitoring.ts'

/** What became of one step. */
export interface AppliedStep {
  readonly action: 'create' | 'update' | 'remove'
  readonly kind: ResourceKind
  readonly name: string
  /** `unknown`: it was sent, and may have been done or be done yet. */
  readonly outcome: 'done' | 'failed' | 'unknown' | 'not tried'
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

/** What one thing is known by. */
export type Named = Pick<Step, 'kind' | 'name'>

/** What the list says afterwards counts, whatever the answer was; without a list, the answer. */
export function judge({ step, written }: Tried, steps: readonly Step[] | undefined): AppliedStep {
  const { action, kind, name } = step
  const now = steps === undefined ? undefined : findStep(step, steps)
  const isDone = steps === undefined ? written.outcome === 'done' : now?.action === 'ok'
  if (isDone) return { action, kind, name, outcome: 'done' }
  const isMissing = now === undefined || now.action === 'create'
  // A list that lags behind does not show what was made either.
  if (action === 'create' && isMissing && (written.outcome === 'unknown' || written.outcome === 'done')) {
    const said = written.outcome === 'done' ? 'it was taken, and is not in the list' : written.reason
    return { action, kind, name, outcome: 'unknown', reason: redact(`${said}: it may be made yet`) }
  }
  const reason = written.outcome === 'done' ? describe(now) : written.reason
  return { action, kind, name, outcome: 'failed', reason: redact(reason) }
}

/** What became of a removal, where the list that was read afterwards has `left`. */
export function judgeRemoval(removed: Named, written: Written, left: readonly Step[] | undefined): AppliedStep {
  const { kind, name } = removed
  const isGone = left === undefined ? written.outcome === 'done' : findStep(removed, left) === undefined
  if (isGone) return { action: 'remove', kind, name, outcome: 'done' }
  const reason = written.outcome === 'done' ? 'it is in the list still' : written.reason
  return { action: 'remove', kind, name, outcome: 'failed', reason: redact(reason) }
}

/** The text that one thing is known by. */
export function nameStep({ kind, name }: Named): string {
  return `${kind} ${name}`
}

/** Whether there is something to write. */
export function isPending(step: Step): step is Pending {
  return step.action === 'create' || step.action === 'update'
}

/** What a plan says of one thing. */
export function findStep({ kind, name }: Named, steps: readonly Step[]): Step | undefined {
  return steps.find(step => step.kind === kind && step.name === name)
}

function describe(step: Step | undefined): string {
  if (step?.action === 'update')
    return `Better Stack keeps another ${step.changes.map(({ attribute }) => attribute).join(', ')}`
  if (step?.action === 'ambiguous') return `there are several of this name by now: ${step.ids.join(', ')}`
  return 'it is not in the list'
}
