import type { Answer, Request } from '../../stand-in.ts'
import type { Book, State } from '../state.ts'
import { expandAll } from './expand.ts'
import { NotModelled } from './not-modelled.ts'
import { checkParams, type Raw, readForm } from './parameters.ts'
import { Refusal } from './refusal.ts'
import { type Found, findRoute } from '../routes/routes.ts'
import { headersOf } from './spoil.ts'

/** A call that may be carried out: known, and with parameters that make sense. */
export interface Ready extends Found {
  readonly book: Book
  readonly path: string
  readonly params: Readonly<Record<string, unknown>>
  readonly expand: readonly string[]
  /** The same for the same request, whatever the order of its parameters. */
  readonly fingerprint: string
}

/** Throws NotModelled for a call that is unknown, and a Refusal for parameters that do not make sense. */
export function readReady(state: State, { body, method, path, query }: Request, book: Book): Ready {
  const found = findRoute(method, path)
  if (found === undefined) throw new NotModelled('no such route here')
  const raw = readForm(method === 'GET' ? query : new URLSearchParams(body.toString()))
  const { params: known, required } = found.route
  const { expand = [], ...params } = checkParams(raw, known, required) as { expand?: string[] }
  if (method === 'POST' && expand.length > 0) throw new NotModelled('expand[] of what a POST makes')
  const problem = state.spec?.requestProblem(`${method} ${found.route.path}`, {
    ...params,
    ...(expand.length > 0 && { expand }),
  })
  if (problem !== undefined)
    throw new Refusal(400, { type: 'invalid_request_error', code: 'parameter_unknown', message: problem }, false)
  return { ...found, book, path, params, expand, fingerprint: `${method} ${path} ${stable(raw)}` }
}

export interface Done {
  readonly answer: Answer
  readonly isStored: boolean
  /** Of the error, where it is one. */
  readonly code: string | undefined
}

/** Runs the endpoint. Its refusals are answers too; anything else that it throws is a bug of the stand-in. */
export function carryOut(state: State, ready: Ready, caller: { requestId: string; key: string | undefined }): Done {
  const { book, expand, ids, params, path, route } = ready
  const { key, requestId } = caller
  const headers = headersOf(key, requestId)
  state.current = { requestId, key: key ?? null }
  try {
    const body = route.run({ state, book, path, ids, params })
    expandAll(state, book, body, expand)
    checkAnswer(state, ready, 200, body)
    return { answer: { status: 200, headers, body: JSON.stringify(body) }, isStored: true, code: undefined }
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown
    const body = { error: thrown.error }
    checkAnswer(state, ready, thrown.status, body)
    const answer = { status: thrown.status, headers, body: JSON.stringify(body) }
    return { answer, isStored: thrown.isStored, code: thrown.code }
  } finally {
    state.current = undefined
  }
}

function checkAnswer(state: State, { route }: Ready, status: number, body: unknown): void {
  const problem = state.spec?.answerProblem(`${route.method} ${route.path}`, status, body)
  if (problem !== undefined) throw new Error(problem)
}

function stable(raw: Raw): string {
  if (typeof raw === 'string') return JSON.stringify(raw)
  const names = Object.keys(raw).toSorted()
  return `{${names.map(name => `${JSON.stringify(name)}:${stable(raw[name] ?? '')}`).join(',')}}`
}
