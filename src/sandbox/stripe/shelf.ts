import type { Dated } from './records.ts'

/** Records in the order of time, put in order when somebody looks: worlds are told in any order. */
export interface Line<T extends Dated> {
  readonly records: T[]
  isOrdered: boolean
}

/** Records of one kind, by id and by time. */
export interface Shelf<T extends Dated> {
  readonly byId: Map<string, T>
  readonly line: Line<T>
}

/** The same records once more, by something else than their id. */
export type Index<T extends Dated> = Map<string, Line<T>>

export function createShelf<T extends Dated>(): Shelf<T> {
  return { byId: new Map(), line: { records: [], isOrdered: true } }
}

export function put<T extends Dated>(shelf: Shelf<T>, record: T): T {
  shelf.byId.set(record.id, record)
  append(shelf.line, record)
  return record
}

export function addTo<T extends Dated>(index: Index<T>, key: string, record: T): void {
  const line = index.get(key)
  if (line === undefined) index.set(key, { records: [record], isOrdered: true })
  else append(line, record)
}

/** Oldest first. */
export function listAll<T extends Dated>({ line }: Shelf<T>): readonly T[] {
  return order(line)
}

/** Those that were added under `key`, oldest first. */
export function listOf<T extends Dated>(index: Index<T>, key: string): readonly T[] {
  const line = index.get(key)
  return line === undefined ? [] : order(line)
}

/** How many of `sorted` are older than `record`, itself not counted. */
export function countBefore(sorted: readonly Dated[], { createdMs, seq }: Pick<Dated, 'createdMs' | 'seq'>): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const at = sorted[middle] as Dated
    if (at.createdMs < createdMs || (at.createdMs === createdMs && at.seq < seq)) low = middle + 1
    else high = middle
  }
  return low
}

function append<T extends Dated>(line: Line<T>, record: T): void {
  const last = line.records.at(-1)
  if (last !== undefined && last.createdMs > record.createdMs) line.isOrdered = false
  line.records.push(record)
}

function order<T extends Dated>(line: Line<T>): readonly T[] {
  if (!line.isOrdered) line.records.sort((a, b) => a.createdMs - b.createdMs || a.seq - b.seq)
  line.isOrdered = true
  return line.records
}
