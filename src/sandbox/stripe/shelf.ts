import type { Dated } from './records.ts'

/** Records of one kind: by id, and oldest first. */
export interface Shelf<T extends Dated> {
  readonly byId: Map<string, T>
  readonly sorted: T[]
}

/** The same records once more, by something else than their id; each list is oldest first. */
export type Index<T extends Dated> = Map<string, T[]>

export function createShelf<T extends Dated>(): Shelf<T> {
  return { byId: new Map(), sorted: [] }
}

export function put<T extends Dated>(shelf: Shelf<T>, record: T): T {
  shelf.byId.set(record.id, record)
  insert(shelf.sorted, record)
  return record
}

export function addTo<T extends Dated>(index: Index<T>, key: string, record: T): void {
  const list = index.get(key)
  if (list === undefined) index.set(key, [record])
  else insert(list, record)
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

function insert<T extends Dated>(sorted: T[], record: T): void {
  const last = sorted.at(-1)
  // Bookings may be told in any order; most come in the order of time.
  if (last === undefined || last.createdMs <= record.createdMs) sorted.push(record)
  else sorted.splice(countBefore(sorted, record), 0, record)
}
