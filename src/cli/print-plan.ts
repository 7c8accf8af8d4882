import { explainHold } from '../money/hold-reasons.ts'
import { addUp, alignRight, hasMoney, type MoneyItem, toAmount, toMoney } from './print-money.ts'
import { printFacts, printLine, printTable, toUtc } from './print.ts'
import { type Json, list, printSome, toCell, toDetails, toRows } from './print-values.ts'
import { printWaits } from './print-waits.ts'

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
  printWaits(list(plan['waits']), list(plan['cutWaits']))
  printItems('findings', ['kind', 'subject', 'message'], plan['findings'])
  printItems('failures', ['subject', 'code', 'message'], plan['failures'])
  if (typeof plan['left'] === 'number' && plan['left'] > 0) printLine(`left for the next run: ${plan['left']}`)
  if (typeof plan['unread'] === 'number' && plan['unread'] > 0)
    printLine(`not read, because they wait: ${plan['unread']}`)
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
const statementFields = [
  'kind',
  'subject',
  'amountCents',
  'currency',
  'destination',
  'experts',
  'rows',
  'eligibleSince',
]
const effectsShown = 50
const itemsShown = 20

function printEffects(effects: readonly Json[]): void {
  const print = effects.some(hasMoney) ? printStatement : printDeeds
  printSome(effects, effectsShown, print)
}

/** Who gets how much (experts by their Clerk ids), for which rows, and why now. What else a job says of it is for --json. */
function printStatement(effects: readonly Json[]): void {
  const amounts = alignRight(effects.map(toAmount))
  const hasExperts = effects.some(effect => 'experts' in effect)
  printTable(
    ['kind', 'amount', 'to', ...(hasExperts ? ['expert'] : []), 'for', 'due since (UTC)', 'why now'],
    effects.map((effect, index) => [
      toCell(effect['kind']),
      amounts[index],
      toCell(effect['destination']),
      ...(hasExperts ? [list(effect['experts']).map(toCell).join(', ')] : []),
      'rows' in effect ? toRows(list(effect['rows']), effect['currency']) : toCell(effect['subject']),
      toUtc(dueSince(effect)),
      toWhy(effect),
    ]),
  )
}

function toWhy(effect: Json): string {
  const { hold, why } = effect
  // What was begun says so itself, and of all its reasons.
  const held = typeof hold === 'string' && !('holds' in effect) ? [`held because ${explainHold(hold)}`] : []
  if (typeof why !== 'string') return [...held, toDetails(effect, [...statementFields, 'hold'])].join('; ')
  const funds = toDetails(pick(effect, ['currency', 'availableCents', 'reservedCents']), ['currency'])
  return [...held, why, ...(funds === '' ? [] : [funds])].join('; ')
}

function pick(document: Json, names: readonly string[]): Json {
  return Object.fromEntries(names.map(name => [name, document[name]]))
}

/** Of the row that has been due longest. */
function dueSince(effect: Json): string | undefined {
  const moments = [effect, ...list(effect['rows'])].flatMap(({ eligibleSince: since }) => {
    return typeof since === 'string' || since instanceof Date ? [new Date(since).toISOString()] : []
  })
  return moments.toSorted((a, b) => (a < b ? -1 : 1))[0]
}

function printDeeds(effects: readonly Json[]): void {
  printTable(
    ['kind', 'subject', 'details'],
    effects.map(effect => [toCell(effect['kind']), toCell(effect['subject']), toDetails(effect, ['kind', 'subject'])]),
  )
}

/** By currency and by what is done: currencies are never added together, and what is held is not what is paid. */
function printTotals(effects: readonly MoneyItem[]): void {
  if (effects.length === 0) return
  const groups = Map.groupBy(effects, effect => `${effect.currency.toUpperCase()} ${nameOf(effect)}`)
  const sums = [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => ({ group, cents: addUp(group) }))
  const amounts = alignRight(sums.map(({ cents, group }) => toMoney(cents, group[0]?.currency ?? '')))
  printLine({ text: 'total by currency', style: 'bold' })
  printTable(
    ['currency', 'kind', 'effects', 'amount'],
    sums.map(({ group }, index) => [
      group[0]?.currency.toUpperCase(),
      group[0] === undefined ? '' : nameOf(group[0]),
      group.length,
      amounts[index],
    ]),
  )
}

/** What an effect is added up with: one that was begun and will be held moves nothing. */
function nameOf(effect: MoneyItem): string {
  return `${toCell(effect['kind'])}${'holds' in effect ? ' (held)' : ''}`
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
