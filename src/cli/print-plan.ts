import { type Cell, printFacts, printLine, printTable, toUtc } from './print.ts'

type Json = Readonly<Record<string, unknown>>

/** Shows a report: its counts, its sums by currency, and the first failures. */
export function printReport(report: Json | null): void {
  if (report === null) return
  const { counts, failures, sums } = report
  printLine({ text: 'report', style: 'bold' })
  printFacts([
    ...totals.map(name => [name, toCell(report[name])] as const),
    ...Object.entries((counts ?? {}) as Json).map(([name, value]) => [`count ${name}`, toCell(value)] as const),
    ...Object.entries((sums ?? {}) as Record<string, number>).map(
      ([currency, cents]) => [`sum ${currency}`, toAmount(cents, currency)] as const,
    ),
  ])
  printItems('failures', ['subject', 'code', 'message'], failures)
}

/** Shows a plan: what it would do, what it leaves and why, and what a person must look at. */
export function printPlan(plan: Json | null | undefined): void {
  if (plan === null || plan === undefined) return
  const effects = list(plan['effects'])
  printLine({ text: `plan: ${effects.length} effect${effects.length === 1 ? '' : 's'}`, style: 'bold' })
  if (effects.length > 0) printEffects(effects)
  printItems('waits', ['subject', 'until', 'reason'], plan['waits'])
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

function printEffects(effects: readonly Json[]): void {
  const withMoney = effects.some(effect => typeof effect['amountCents'] === 'number')
  printTable(
    ['kind', 'subject', ...(withMoney ? ['amount', 'destination'] : []), 'details'],
    effects.map(effect => [
      toCell(effect['kind']),
      toCell(effect['subject']),
      ...(withMoney ? [toAmount(effect['amountCents'], effect['currency']), toCell(effect['destination'])] : []),
      toDetails(effect),
    ]),
  )
}

function toDetails(effect: Json): string {
  const others = Object.entries(effect).filter(([name]) => !effectFields.includes(name))
  return others.map(([name, value]) => `${name} ${toCell(value)}`).join(', ')
}

function printItems(title: string, fields: readonly string[], items: unknown): void {
  const rows = list(items)
  if (rows.length === 0) return
  printLine({ text: title, style: 'bold' })
  printTable(
    fields.map(field => (field === 'until' ? 'until (UTC)' : field)),
    rows.map(row =>
      fields.map(field => (field === 'until' ? toUtc(row[field] as string | undefined) : toCell(row[field]))),
    ),
  )
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as Json[]) : []
}

function toCell(value: unknown): Exclude<Cell, object> {
  if (value === null || value === undefined) return null
  if (value instanceof Date || isIsoTime(value)) return `${toUtc(value)} UTC`
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value)
}

/** Cents as they are: what a currency's minor unit is worth is not decided here. */
function toAmount(cents: unknown, currency: unknown): string {
  return typeof cents === 'number' ? `${cents} ${typeof currency === 'string' ? currency : ''} (minor units)` : '-'
}

/** A plan that was stored has its times as text. */
function isIsoTime(value: unknown): value is string {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)
}
