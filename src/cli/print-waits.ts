import { alignRight, hasMoney, sumByCurrency, toAmount } from './print-money.ts'
import { printLine, printTable, toUtc } from './print.ts'
import { type Json, printSome, toCell, toDetails } from './print-values.ts'

/**
 * Shows what a plan leaves, by reason: how many, how much, until when at the earliest and why; then the first of them. Of
 * a plan that was stored many may have been cut: they are counted with the others, and it says so.
 */
export function printWaits(waits: readonly Json[], cut: readonly Json[] = []): void {
  if (waits.length === 0) return
  printLine({ text: `waits: ${waits.length + countCut(cut)}`, style: 'bold' })
  const groups = [...Map.groupBy(waits, wait => String(wait['reason']))].map(([reason, kept]) => {
    const others = cut.filter(each => each['reason'] === reason)
    return { reason, kept, others, count: kept.length + countCut(others) }
  })
  for (const { count, kept, others, reason } of groups.toSorted((a, b) => b.count - a.count)) {
    const sorted = kept.toSorted((a, b) => (untilOf(a) < untilOf(b) ? -1 : 1))
    const why = findSharedWhy(kept)
    printLine(describeGroup(reason, count, sorted, [...kept, ...others], why))
    printSome(sorted, waitsShown, shown => printGroup(shown, why))
    if (others.length > 0)
      printLine(`… and ${countCut(others)} that were not kept with the run: a dry run tells of all`)
  }
}

function countCut(cut: readonly Json[]): number {
  return cut.reduce((sum, { cut: count }) => sum + Number(count), 0)
}

const waitsShown = 10
const shownElsewhere = ['subject', 'until', 'reason', 'amountCents', 'currency', 'destination']

function describeGroup(
  reason: string,
  count: number,
  sorted: readonly Json[],
  all: readonly Json[],
  why: string | undefined,
): string {
  const earliest = sorted[0]?.['until'] as string | undefined
  const until = earliest === undefined || earliest === null ? [] : [`the earliest until ${toUtc(earliest)} UTC`]
  const facts = [String(count), ...sumByCurrency(all.filter(hasMoney)), ...until].join(', ')
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
