import type { AppliedStep } from '../provision/apply-monitoring.ts'
import type { Step } from '../provision/plan-monitoring.ts'
import { redact } from '../runner/redact.ts'
import { type Cell, printLine, printTable, type Style, toUtc } from './print.ts'

/** A plan as JSON, without any attribute that may be a secret. */
export function describeSteps(steps: readonly Step[]) {
  return steps.map(step => ({
    action: step.action,
    kind: step.kind,
    name: cleanName(step),
    ...('real' in step ? { id: step.real.id } : {}),
    ...('ids' in step ? { ids: step.ids } : {}),
    ...('changes' in step ? { changes: step.changes } : {}),
    ...(step.action === 'left-out' ? { takenBy: step.takenBy } : {}),
    ...(step.action === 'orphan' ? { usedBy: step.usedBy.map(redact) } : {}),
    ...(step.action === 'create' && step.renamed !== undefined ? { renamed: redact(step.renamed) } : {}),
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
  unknown: 'red',
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
  const { action, kind } = step
  const rest = explain(step)
  const first: Cell[] = [signs[action], kind, cleanName(step)]
  if (action !== 'update') return [[...first, rest, '', '']]
  const rows = step.changes.map(({ attribute, from, to }): Cell[] => [attribute, from, to])
  if (rest !== '') rows.push([rest, '', ''])
  return rows.map((row, index) => [...(index === 0 ? first : ['', '', '']), ...row])
}

function explain(step: Step): string {
  switch (step.action) {
    case 'ambiguous':
      return `several have this name: ${step.ids.join(', ')}`
    case 'left-out':
      return step.takenBy.length === 0
        ? 'the plan has no room for it'
        : `the plan has no room for it: ${step.takenBy.join(', ')} has, and matters less`
    case 'orphan':
      return step.usedBy.length === 0
        ? 'ours, and not wanted any more: --prune removes it'
        : `ours, and not wanted any more; it stays while it is used by ${redact(step.usedBy.join(', '))}`
    case 'unmanaged':
      return 'not ours: not touched'
    case 'create':
      return step.renamed === undefined ? '' : `the same address is watched as ${redact(step.renamed)}`
    case 'ok':
    case 'update': {
      const since = pausedAt(step)
      return since === undefined ? '' : `paused there since ${toUtc(since)} UTC: stays so`
    }
  }
}

/** What others call their things may be an address with a password in it. */
function cleanName({ action, name }: Step): string {
  return action === 'unmanaged' ? redact(name) : name
}

/** A person paused it, perhaps in an incident: it is told, and left so. */
export function pausedAt(step: Step): string | undefined {
  const at = 'real' in step && 'wanted' in step ? step.real.attributes['paused_at'] : undefined
  return typeof at === 'string' && !Number.isNaN(Date.parse(at)) ? at : undefined
}
