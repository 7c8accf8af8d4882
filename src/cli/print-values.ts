import { toMoney } from './print-money.ts'
import { type Cell, printLine, toUtc } from './print.ts'

export type Json = Readonly<Record<string, unknown>>

/** Prints the first `most` items, and how many there are beyond them: no terminal is read to its thousandth line. */
export function printSome<T>(items: readonly T[], most: number, print: (shown: readonly T[]) => void): void {
  print(items.slice(0, most))
  if (items.length > most) printLine(`… and ${items.length - most} more: --json has all`)
}

/** What should be a list of documents; empty when it is none. */
export function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as Json[]) : []
}

/** Any value of a document as one cell of a table. */
export function toCell(value: unknown): Exclude<Cell, object> {
  if (value === null || value === undefined) return null
  if (value instanceof Date || isIsoTime(value)) return `${toUtc(value)} UTC`
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value)
}

/** Every field but the named ones, as `name value, other name value`. */
export function toDetails(document: Json, without: readonly string[]): string {
  const currency = typeof document['currency'] === 'string' ? document['currency'] : undefined
  return Object.entries(document)
    .filter(([name, value]) => !without.includes(name) && value !== undefined && value !== null)
    .map(([name, value]) => `${toWords(name)} ${toText(name, value, currency)}`)
    .join(', ')
}

const partsShown = 8

function toText(name: string, value: unknown, currency: string | undefined): string {
  if (Array.isArray(value)) return `${value.length} (${joinParts(value, currency)})`
  if (name.endsWith('Cents') && typeof value === 'number' && currency !== undefined) return toMoney(value, currency)
  return String(toCell(value))
}

/** The rows that are paid, as `2 rows: 12 EUR 60.00; 14 EUR 40.00`. */
export function toRows(rows: readonly Json[], currency: unknown): string {
  const named = rows.map(({ amountCents, paymentTransferId }) => ({ paymentTransferId, amountCents }))
  const parts = joinParts(named, typeof currency === 'string' ? currency : undefined)
  return `${rows.length} row${rows.length === 1 ? '' : 's'}: ${parts}`
}

function joinParts(parts: readonly unknown[], currency: string | undefined): string {
  const shown = parts.slice(0, partsShown).map(part => toPart(part, currency))
  const more = parts.length > partsShown ? [`… and ${parts.length - partsShown} more`] : []
  return [...shown, ...more].join('; ')
}

function toPart(part: unknown, currency: string | undefined): string {
  if (typeof part !== 'object' || part === null || part instanceof Date) return String(toCell(part))
  return Object.entries(part)
    .toSorted(([a], [b]) => Number(a.endsWith('Cents')) - Number(b.endsWith('Cents')))
    .map(([name, value]) => toText(name, value, currency))
    .join(' ')
}

/** `eligibleSince` becomes `eligible since`; `amountCents` loses its unit, which the amount shows. */
export function toWords(name: string): string {
  return name.replace(/Cents$/, '').replace(/[A-Z]/g, capital => ` ${capital.toLowerCase()}`)
}

/** A plan that was stored has its times as text. */
function isIsoTime(value: unknown): value is string {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)
}
