import { alignRight, hasMoney, sumByCurrency, toAmount } from './print-money.ts'
import { printLine, printTable, toUtc } from './print.ts'
import { type Json, printSome, toCell, toDetails } from './print-values.ts'

/** Shows what a plan leaves, by reason: how many, how much, until when at the earliest and why; then the first of them. */
export function printWaits(waits: readonly Json[]): void {
  if (waits.length === 0) return
  printLine({ text: `waits: ${waits.length}`, style: 'bold' })
  const groups = [...Map.groupBy(waits, wait => String(wait['reason']))]
  for (const [reason, group] of groups.toSorted(([, a], [, b]) => b.length - a.length)) {
    const sorted = group.toSorted((a, b) => (untilOf(a) < untilOf(b) ? -1 : 1))
    const why = findSharedWhy(group)
    printLine(describeGroup(reason, sorted, why))
    printSome(sorted, waitsShown, shown => printGroup(shown, why))
  }
}

const waitsShown = 10
const shownElsewhere = ['subject', 'until', 'reason', 'amountCents', 'currency', 'destination']

function describeGroup(reason: string, sorted: readonly Json[], why: string | undefined): string {
  const earliest = sorted[0]?.['until'] as string | undefined
  const until = earliest === undefined || earliest === null ? [] : [`the earliest until ${toUtc(earliest)} UTC`]
  const facts = [String(sorted.length), ...sumByCurrency(sorted.filter(hasMoney)), ...until].join(', ')
  return `${reason}: ${facts}${why === undefined ? '' : `; ${why}`}`
}

function printGroup(waits: readonly Json[], why: string | undefined): void {
  const amounts = waits.some(hasMoney) ? alignRight(waits.map(toAmount)) : undefined
  printTable(
    ['subject', ...(amounts === undefined ? [] : ['amount', 'to']), 'until (UTC)', 'details'],
    waits.map((wait, index) => [
      toCell(wait['subject']),
      ...(amounts === undefined ? [] : [amounts[index], toCell(wait['destination'])]),
      toUtc(wait['until'] as string | undefined),
      toDetails(wait, why === undefined ? shownElsewhere : [...shownElsewhere, 'why']),
    ]),
  )
}

/** The sentence that all of them say, so that it is said once. */
function findSharedWhy(waits: readonly Json[]): string | undefined {
  const first = waits[0]?.['why']
  return typeof first === 'string' && waits.every(({ why }) => why === first) ? first : undefined
}

/** Sortable as text; what has no moment comes last. */
function untilOf({ until }: Json): string {
  return until === undefined || until === null ? '~' : new Date(until as string | Date).toISOString()
}
