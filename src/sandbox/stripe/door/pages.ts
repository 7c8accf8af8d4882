import type { Dated } from '../records.ts'
import { countBefore } from '../shelf.ts'
import { invalid, missing } from './refusal.ts'
import type { Params } from './parameters.ts'

export interface Range {
  readonly gt?: number
  readonly gte?: number
  readonly lt?: number
  readonly lte?: number
}

export interface PageQuery {
  readonly limit?: number
  readonly starting_after?: string
  readonly ending_before?: string
  readonly created?: number | Range
}

export interface List {
  readonly object: 'list'
  readonly url: string
  readonly has_more: boolean
  readonly data: unknown[]
}

export interface Listing<T extends Dated> {
  readonly url: string
  /** Oldest first. */
  readonly sorted: readonly T[]
  readonly find: (id: string) => T | undefined
  readonly keep?: (record: T) => boolean
  readonly render: (record: T) => unknown
}

/** What the parameters of every list are. */
export const pageParams = {
  limit: 'limit',
  starting_after: 'text',
  ending_before: 'text',
} as const satisfies Params

/** One page, newest first; `has_more` looks in the direction of the cursor. Source: docs.stripe.com/api/pagination. */
export function listPage<T extends Dated>(query: PageQuery, listing: Listing<T>): List {
  const { find, keep = () => true, render, sorted, url } = listing
  const { ending_before, limit = 10, starting_after } = query
  if (ending_before !== undefined && starting_after !== undefined) {
    throw invalid('parameter_invalid', 'You may only specify one of these parameters: ending_before, starting_after.')
  }
  const [first, last] = spanOf(sorted, query.created)
  const found: T[] = []
  if (ending_before === undefined) {
    const from =
      starting_after === undefined ? last : Math.min(last, place(sorted, find, starting_after, 'starting_after'))
    for (let at = from - 1; at >= first && found.length <= limit; at -= 1) collect(found, sorted[at] as T, keep)
  } else {
    const from = Math.max(first, place(sorted, find, ending_before, 'ending_before') + 1)
    for (let at = from; at < last && found.length <= limit; at += 1) collect(found, sorted[at] as T, keep)
  }
  const data = found.slice(0, limit)
  if (ending_before !== undefined) data.reverse()
  return { object: 'list', url, has_more: found.length > limit, data: data.map(render) }
}

/** Whether a time in seconds is within the range of a filter. */
export function isWithin(seconds: number, range: number | Range | undefined): boolean {
  if (range === undefined) return true
  if (typeof range === 'number') return seconds === range
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = range
  return seconds > gt && seconds >= gte && seconds < lt && seconds <= lte
}

function collect<T>(found: T[], record: T, keep: (record: T) => boolean): void {
  if (keep(record)) found.push(record)
}

function place<T extends Dated>(
  sorted: readonly T[],
  find: (id: string) => T | undefined,
  id: string,
  param: string,
): number {
  const record = find(id)
  if (record === undefined) throw missing('object', id, param)
  return countBefore(sorted, record)
}

/** The places between which `created` lies: seconds, as Stripe shows them, while records are ordered by milliseconds. */
function spanOf(sorted: readonly Dated[], created: number | Range | undefined): [first: number, last: number] {
  if (created === undefined) return [0, sorted.length]
  const range = typeof created === 'number' ? { gte: created, lte: created } : created
  const from = Math.max(range.gte ?? -Infinity, (range.gt ?? -Infinity) + 1)
  const until = Math.min(range.lt ?? Infinity, (range.lte ?? Infinity) + 1)
  const at = (seconds: number): number => countBefore(sorted, { createdMs: seconds * 1_000, seq: -1 })
  return [at(from), at(until)]
}
