import type { AppliedStep } from '../provision/apply-monitoring.ts'
import type { Step } from '../provision/plan-monitoring.ts'
import { type Cell, printLine, printTable, type Style, toUtc } from './print.ts'

/** A plan as JSON, without any attribute that may be a secret. */
export function describeSteps(steps: readonly Step[]) {
  return steps.map(step => ({
    action: step.action,
    kind: step.kind,
    name: step.name,
    ...('real' in step ? { id: step.real.id } : {}),
    ...('ids' in step ? { ids: step.ids } : {}),
    ...('changes' in step ? { changes: step.changes } : {}),
    ...(step.action === 'create' && step.renamed !== undefined ? { renamed: step.renamed } : {}),
    ...(pausedAt(step) === undefined ? {} : { pausedAt: pausedAt(step) }),
  }))
}

/** A plan as a table: one line for each thing, and one for each attribute that differs. */
export function printSteps(steps: readonly Step[]): void {
  if (steps.length === 0) return
  printTable(
    ['plan', 'what', 'name', 'attribute', 'is', 'wanted'],
    steps.flatMap(step => toRows(step)),
  )
}

/** One line for each thing that was written or not, and one that sums up. */
export function printApplied(applied: readonly AppliedStep[]): void {
  if (applied.length === 0) {
    printLine('nothing to do')
    return
  }
  printTable(
    ['outcome', 'did', 'what', 'name', 'why not'],
    applied.map(({ action, kind, name, outcome, reason = '' }) => [
      { text: outcome, style: outcomes[outcome] },
      action,
      kind,
      name,
      reason,
    ]),
  )
}

const outcomes: Readonly<Record<AppliedStep['outcome'], Style>> = {
  done: 'green',
  failed: 'red',
  'not tried': 'yellow',
}

const signs: Readonly<Record<Step['action'], { readonly text: string; readonly style: Style }>> = {
  create: { text: '+ create', style: 'green' },
  update: { text: '~ update', style: 'yellow' },
  ok: { text: '= ok', style: 'dim' },
  ambiguous: { text: '! ambiguous', style: 'red' },
  'left-out': { text: '. left out', style: 'yellow' },
  orphan: { text: '- orphan', style: 'yellow' },
  unmanaged: { text: '? unmanaged', style: 'dim' },
}

function toRows(step: Step): Cell[][] {
  const { action, kind, name } = step
  if (action === 'update') {
    return step.changes.map(({ attribute, from, to }, index): Cell[] =>
      index === 0 ? [signs.update, kind, name, attribute, from, to] : ['', '', '', attribute, from, to],
    )
  }
  return [[signs[action], kind, name, explain(step), '', '']]
}

function explain(step: Step): string {
  switch (step.action) {
    case 'ambiguous':
      return `several have this name: ${step.ids.join(', ')}`
    case 'left-out':
      return 'the plan has no room for it'
    case 'orphan':
      return 'ours, and not wanted any more: --prune removes it'
    case 'unmanaged':
      return 'not ours: not touched'
    case 'create':
      return step.renamed === undefined ? '' : `the same address is watched as ${step.renamed}`
    case 'ok':
    case 'update': {
      const since = pausedAt(step)
      return since === undefined ? '' : `paused there since ${toUtc(since)} UTC: stays so`
    }
  }
}

/** A person paused it, perhaps in an incident: it is told, and left so. */
function pausedAt(step: Step): string | undefined {
  const at = 'real' in step && 'wanted' in step ? step.real.attributes['paused_at'] : undefined
  return typeof at === 'string' && !Number.isNaN(Date.parse(at)) ? at : undefined
}
