import { alignRight, toMoney } from './print-money.ts'
import { printFacts, printLine, printTable, toUtc } from './print.ts'
import { type Json, list, printSome, toCell, toDetails } from './print-values.ts'

/** Shows a report: its counts, its sums by currency, and the first failures. */
export function printReport(report: Json | null): void {
  if (report === null) return
  const { counts, failures, sums } = report
  printLine({ text: 'report', style: 'bold' })
  printFacts([
    ...totals.map(name => [name, toCell(report[name])] as const),
    ...Object.entries((counts ?? {}) as Json).map(([name, value]) => [`count ${name}`, toCell(value)] as const),
    ...Object.entries((sums ?? {}) as Record<string, number>).map(
      ([currency, cents]) => [`sum ${currency}`, toMoney(cents, currency)] as const,
    ),
  ])
  printItems('failures', ['subject', 'code', 'message'], failures)
}

/**
 * Shows a plan as a statement: what it would do to whom and why, what that adds up to, what it leaves and until when, and
 * what a person must look at and do. Long lists are cut.
 */
export function printPlan(plan: Json | null | undefined): void {
  if (plan === null || plan === undefined) return
  const effects = list(plan['effects'])
  printLine({ text: `plan: ${effects.length} effect${effects.length === 1 ? '' : 's'}`, style: 'bold' })
  if (effects.length > 0) printEffects(effects)
  printTotals(effects.filter(hasMoney))
  printWaits(list(plan['waits']))
  printItems('findings', ['kind', 'subject', 'message'], plan['findings'])
  printItems('failures', ['subject', 'code', 'message'], plan['failures'])
  if (typeof plan['left'] === 'number' && plan['left'] > 0) printLine(`left for the next run: ${plan['left']}`)
}

/** Shows what has changed between an approved plan and the plan of now. */
export function printDifference(difference: Json | null): void {
  if (difference === null) {
    printLine('the approved plan is not known here: make a new dry run')
    return
  }
  for (const side of ['added', 'removed']) {
    const effects = list(difference[side])
    if (effects.length === 0) continue
    printLine({ text: `${side} since it was approved`, style: 'bold' })
    printEffects(effects.map(({ amount, ...effect }) => ({ ...effect, amountCents: amount })))
  }
}

// Postgres does not keep the order of a document's keys.
const totals = ['planned', 'applied', 'failed', 'left', 'waiting', 'findings']
const effectFields = ['kind', 'subject', 'amountCents', 'currency', 'destination']
const effectsShown = 50
const waitsShown = 10
const itemsShown = 20

interface Money extends Json {
  readonly amountCents: number
  readonly currency: string
}

function hasMoney(effect: Json): effect is Money {
  return typeof effect['amountCents'] === 'number' && typeof effect['currency'] === 'string'
}

function printEffects(effects: readonly Json[]): void {
  const withMoney = effects.some(hasMoney)
  printSome(effects, effectsShown, shown => {
    const amounts = alignRight(
      shown.map(effect => (hasMoney(effect) ? toMoney(effect.amountCents, effect.currency) : '-')),
    )
    printTable(
      ['kind', 'subject', ...(withMoney ? ['amount', 'destination'] : []), 'details'],
      shown.map((effect, index) => [
        toCell(effect['kind']),
        toCell(effect['subject']),
        ...(withMoney ? [amounts[index], toCell(effect['destination'])] : []),
        toDetails(effect, effectFields),
      ]),
    )
  })
}

/** By currency and by what is done: currencies are never added together, and what is held is not what is paid. */
function printTotals(effects: readonly Money[]): void {
  if (effects.length === 0) return
  const groups = Map.groupBy(effects, ({ currency, kind }) => `${currency.toUpperCase()} ${String(kind)}`)
  const sums = [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, group]) => ({ group, cents: group.reduce((sum, { amountCents }) => sum + amountCents, 0) }))
  const amounts = alignRight(sums.map(({ cents, group }) => toMoney(cents, group[0]?.currency ?? '')))
  printLine({ text: 'total by currency', style: 'bold' })
  printTable(
    ['currency', 'kind', 'effects', 'amount'],
    sums.map(({ group }, index) => [
      group[0]?.currency.toUpperCase(),
      toCell(group[0]?.['kind']),
      group.length,
      amounts[index],
    ]),
  )
}

function printWaits(waits: readonly Json[]): void {
  if (waits.length === 0) return
  printLine({ text: `waits: ${waits.length}`, style: 'bold' })
  const groups = [...Map.groupBy(waits, wait => String(wait['reason']))]
  for (const [reason, group] of groups.toSorted(([, a], [, b]) => b.length - a.length)) {
    const sorted = group.toSorted((a, b) => (untilOf(a) < untilOf(b) ? -1 : 1))
    const earliest = sorted[0]?.['until'] as string | undefined
    printLine(
      `${reason}: ${group.length}${earliest === undefined ? '' : `, the earliest until ${toUtc(earliest)} UTC`}`,
    )
    printSome(sorted, waitsShown, shown => {
      printTable(
        ['subject', 'until (UTC)', 'details'],
        shown.map(wait => [
          toCell(wait['subject']),
          toUtc(wait['until'] as string | undefined),
          toDetails(wait, ['subject', 'until', 'reason']),
        ]),
      )
    })
  }
}

/** Sortable as text; what has no moment comes last. */
function untilOf({ until }: Json): string {
  return until === undefined || until === null ? '~' : new Date(until as string | Date).toISOString()
}

function printItems(title: string, fields: readonly string[], items: unknown): void {
  const all = list(items)
  if (all.length === 0) return
  printLine({ text: `${title}: ${all.length}`, style: 'bold' })
  printSome(all, itemsShown, shown => {
    printTable(
      fields,
      shown.map(item => fields.map(field => toCell(item[field]))),
    )
  })
}
