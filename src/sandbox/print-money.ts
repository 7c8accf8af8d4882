import Table from 'cli-table3'
import type { MoneyReport, NamedLine } from './money-report.ts'

const style = { head: [], border: [], compact: true }
const namesShown = 6

/** Shows what moved, who is told, what waits and what a person must look at, with the names of the demo's bookings. */
export function printMoney({ findings, moved, told, waits }: MoneyReport): void {
  const table = new Table({
    style,
    head: ['money', 'currency', 'how many', 'sum'],
    colAligns: ['left', 'left', 'right', 'right'],
  })
  for (const { cents, count, currency, what } of moved) {
    table.push([what, currency.toUpperCase(), count, (cents / 100).toFixed(2)])
  }
  console.log(table.toString())
  printNamed('experts to be told', told)
  printNamed('bookings that wait', waits)
  printNamed('open findings', findings)
}

function printNamed(title: string, lines: readonly NamedLine[]): void {
  const table = new Table({ style, head: [title, 'how many', 'of them'], colAligns: ['left', 'right', 'left'] })
  for (const { count, kind, names } of lines) {
    const more = names.length > namesShown ? [`and ${names.length - namesShown} more`] : []
    table.push([kind.replaceAll('_', ' '), count, inLines([...names.slice(0, namesShown), ...more])])
  }
  console.log(table.toString())
}

/** Two to a line, so that a table stays narrower than a terminal. */
function inLines(words: readonly string[]): string {
  const lines: string[] = []
  for (let at = 0; at < words.length; at += 2) lines.push(words.slice(at, at + 2).join(', '))
  return lines.join('\n')
}
