import { styleText } from 'node:util'
import Table from 'cli-table3'

export type Style = 'green' | 'yellow' | 'red' | 'bold' | 'dim'

export interface StyledText {
  readonly text: string
  readonly style: Style
}

export type Cell = string | number | StyledText | null | undefined

/** Writes one JSON document to stdout; a command that is asked for JSON writes nothing else there. */
export function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
}

/** Writes a line for people to stdout. */
export function printLine(...parts: readonly Cell[]): void {
  process.stdout.write(`${parts.map(show).join(' ').trimEnd()}\n`)
}

/** Writes a line for people to stderr. */
export function printNote(text: string): void {
  process.stderr.write(`${clean(text)}\n`)
}

/** Writes rows for people to stdout, under a head, without frames. On a terminal the last column is wrapped to fit. */
export function printTable(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const table = new Table({
    head: head.map(title => show({ text: title, style: 'bold' })),
    chars: noFrame,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    ...fitToTerminal(head, rows),
  })
  for (const row of rows) table.push(row.map(show))
  const lines = table.toString().split('\n')
  process.stdout.write(`${lines.map(line => line.trimEnd()).join('\n')}\n`)
}

/** Writes `name value` lines for people to stdout; what is undefined is left out. */
export function printFacts(facts: readonly (readonly [name: string, value: Cell])[]): void {
  const known = facts.filter(([, value]) => value !== undefined)
  const width = Math.max(...known.map(([name]) => name.length))
  for (const [name, value] of known) printLine(`  ${name.padEnd(width)} `, value)
}

/** A moment as people read it, in UTC, to the second. */
export function toUtc(at: Date | string | null | undefined): string {
  if (at === null || at === undefined) return '-'
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ')
}

/** A length of time in its two largest units, as in `2 h 5 min`; negative when it is. */
export function toDuration(ms: number): string {
  if (ms < 0) return `-${toDuration(-ms)}`
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return join(Math.floor(seconds / 60), 'min', seconds % 60, 's')
  if (seconds < 86_400) return join(Math.floor(seconds / 3600), 'h', Math.floor((seconds % 3600) / 60), 'min')
  return join(Math.floor(seconds / 86_400), 'd', Math.floor((seconds % 86_400) / 3600), 'h')
}

/** A line on stderr that is written over while work goes on; nothing where stderr is no terminal. */
export function createProgress() {
  const { stderr } = process
  return {
    show: (text: string): void => {
      if (stderr.isTTY) stderr.write(`\r\u001b[2K${clean(text)}`)
    },
    clear: (): void => {
      if (stderr.isTTY) stderr.write('\r\u001b[2K')
    },
  }
}

const noFrame = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
}
const columnGap = 2
const narrowest = 20

function fitToTerminal(head: readonly string[], rows: readonly (readonly Cell[])[]) {
  const { columns, isTTY } = process.stdout
  // Some terminals do not know their width.
  if (!isTTY || columns < narrowest) return {}
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => toText(row[column]).length)))
  const others = widths.slice(0, -1).reduce((sum, width) => sum + width + columnGap, 0)
  const room = columns - others
  if ((widths.at(-1) ?? 0) + columnGap <= room) return {}
  return { colWidths: [...widths.slice(0, -1).map(() => null), Math.max(narrowest, room)], wordWrap: true }
}

/** Colours are for a terminal only; styleText itself heeds NO_COLOR. */
function show(cell: Cell): string {
  const text = toText(cell)
  const style = typeof cell === 'object' && cell !== null ? cell.style : undefined
  return style === undefined || !process.stdout.isTTY ? text : styleText(style, text)
}

function toText(cell: Cell): string {
  if (cell === null || cell === undefined) return '-'
  return clean(typeof cell === 'object' ? cell.text : String(cell))
}

/** Text from the database or from a vendor must not move the cursor or recolour the terminal. */
function clean(text: string): string {
  // oxlint-disable-next-line eslint/no-control-regex -- control characters are exactly what is looked for
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, ' ')
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
}
