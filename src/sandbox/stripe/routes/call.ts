import type { Thing } from '../records.ts'
import { render } from '../render/things.ts'
import { type Book, nowMs, type State } from '../state.ts'
import { findThing } from '../door/find.ts'
import type { Params } from '../door/parameters.ts'
import { missing } from '../door/refusal.ts'

/** One request whose parameters are as its route wants them. */
export interface Call<Given = Readonly<Record<string, unknown>>> {
  readonly state: State
  /** Of the account on whose behalf it is. */
  readonly book: Book
  readonly path: string
  /** The steps of the path that the route leaves open. */
  readonly ids: readonly string[]
  readonly params: Given
}

export interface Route {
  readonly method: 'GET' | 'POST'
  /** `:id` stands for any one step. */
  readonly path: string
  readonly params: Params
  readonly required: readonly string[]
  /** Gives the object to answer with; throws a Refusal or NotModelled. */
  readonly run: (call: Call) => object
}

/** A route whose parameters are known to be of type `Given` once they were checked. */
export function route<Given>(
  method: Route['method'],
  path: string,
  params: Params,
  run: (call: Call<Given>) => object,
  required: readonly string[] = [],
): Route {
  return { method, path, params, required, run: run as Route['run'] }
}

/** Shows the object of one kind that the path names. Throws a Refusal with 404 where there is none. */
export function show(kind: Thing['kind'], name: string) {
  return ({ book, ids, state }: Call): object => {
    const id = ids.at(-1) ?? ''
    const thing = findThing(state, book, id)
    if (thing?.kind !== kind) throw missing(name, id)
    return render(state, thing)
  }
}

/** The moment at which a call is carried out. */
export function momentOf({ state }: Call<unknown>): number {
  return nowMs(state)
}
