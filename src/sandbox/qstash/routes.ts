import { setTimeout as delay } from 'node:timers/promises'
import {
  deleteDeadLetters,
  getDeadLetter,
  listDeadLetters,
  listEvents,
  retryDeadLetter,
  retryDeadLetters,
} from './history.ts'
import { cancel } from './delivery.ts'
import {
  cancelMany,
  describeDeadLetter,
  describeMessage,
  getOpenMessage,
  publish,
  type Published,
  readPublication,
} from './messages.ts'
import { deleteSchedule, describeSchedule, getSchedule, upsertSchedule } from './schedules.ts'
import { ApiError } from './settings.ts'
import { type ApiReaction, changed, remember, type State } from './state.ts'
import { createSigningKey } from '../qstash-token.ts'
import { type Answer, type Reaction, type Request } from '../stand-in.ts'

/** One call of the API v2. `rest` is what the route's pattern caught. */
type Route = (state: State, request: Request, rest: string) => Answer

export const maxApiBodyBytes = 10 * 1024 * 1024
const maxMessageBytes = 1024 * 1024
const done: Answer = { status: 200 }

// Destinations are the rest of the raw request target: a router that decodes or joins slashes would change them.
const routes: ReadonlyArray<readonly [methods: string, target: RegExp, route: Route]> = [
  ['POST', /^\/v2\/publish\/(.*)$/s, publishOne],
  ['POST', /^\/v2\/batch$/, publishBatch],
  ['GET', /^\/v2\/schedules$/, state => ok([...state.schedules.values()].map(one => describeSchedule(state, one)))],
  ['PATCH POST', /^\/v2\/schedules\/([\w.-]+)\/pause$/, (state, _, id) => setPaused(state, id, true)],
  ['PATCH POST', /^\/v2\/schedules\/([\w.-]+)\/resume$/, (state, _, id) => setPaused(state, id, false)],
  ['POST', /^\/v2\/schedules\/(.*)$/s, createSchedule],
  ['GET', /^\/v2\/schedules\/([^/?]+)$/, (state, _, id) => ok(describeSchedule(state, getSchedule(state, id)))],
  ['DELETE', /^\/v2\/schedules\/([^/?]+)$/, removeSchedule],
  ['GET', /^\/v2\/messages\/([^/?]+)$/, (state, _, id) => ok(describeMessage(getOpenMessage(state, id)))],
  ['DELETE', /^\/v2\/messages\/([^/?]+)$/, cancelOne],
  ['DELETE', /^\/v2\/messages(?:\?|$)/, (state, { query }) => ok({ cancelled: cancelMany(state, query) })],
  ['GET', /^\/v2\/(events|logs)(?:\?|$)/, showLog],
  ['GET', /^\/v2\/dlq(?:\?|$)/, showDeadLetters],
  ['DELETE', /^\/v2\/dlq(?:\?|$)/, (state, { query }) => ok(deleteDeadLetters(state, query))],
  ['POST', /^\/v2\/dlq\/retry(?:\?|$)/, (state, { query }) => ok(retryDeadLetters(state, query), 201)],
  ['POST', /^\/v2\/dlq\/retry\/([^/?]+)$/, (state, _, id) => ok(retryDeadLetter(state, getDeadLetter(state, id)), 201)],
  ['GET', /^\/v2\/dlq\/([^/?]+)$/, (state, _, id) => ok(describeDeadLetter(getDeadLetter(state, id)))],
  ['DELETE', /^\/v2\/dlq\/([^/?]+)$/, removeDeadLetter],
  ['GET', /^\/v2\/keys$/, state => ok(state.keys)],
  ['POST', /^\/v2\/keys\/rotate$/, state => ok(rotateKeys(state))],
  ['GET', /^\/v2\/flowControl$/, state => ok(state.flow.list())],
  ['GET', /^\/v2\/flowControl\/([^/?]+)$/, showFlow],
  ['GET', /^\/v2\/globalParallelism$/, showParallelism],
]

/** Answers one call of QStash's API v2; what is not modelled is answered 501 and remembered. Source: upstash.com/docs/qstash. */
export async function answerApi(state: State, request: Request, closed: AbortSignal): Promise<Reaction> {
  const call = `${request.method} ${request.target}`
  remember(state.apiCalls, call)
  changed(state)
  const failure = takeFailure(state, call)
  if (failure === undefined) return carryOut(state, request)
  if (failure === 'hang' || failure === 'reset') return failure
  if (failure === 'lose') {
    carryOut(state, request)
    return 'hang'
  }
  if ('status' in failure) return { body: { error: `answered ${failure.status} on command` }, ...failure }
  await delay(failure.delayMs, undefined, { signal: closed }).catch(() => undefined)
  return carryOut(state, request)
}

/** The first failure that is meant for the call; it happens once. */
function takeFailure({ faults: { apiFailures } }: State, call: string): ApiReaction | undefined {
  const index = apiFailures.findIndex(({ on }) => on === undefined || on.test(call))
  return index === -1 ? undefined : apiFailures.splice(index, 1)[0]?.react
}

function carryOut(state: State, request: Request): Answer {
  if (request.headers.authorization !== `Bearer ${state.token}`) return refuse(401, 'unauthorized: invalid token')
  if (request.bodyBytes > maxApiBodyBytes) return refuse(413, 'request body too large')
  try {
    for (const [methods, pattern, route] of routes) {
      const found = pattern.exec(request.target)
      if (found !== null && methods.split(' ').includes(request.method)) return route(state, request, found[1] ?? '')
    }
    throw new ApiError(501, `the QStash stand-in does not model ${request.method} ${request.path}`)
  } catch (err) {
    if (!(err instanceof ApiError)) throw err
    if (err.status === 501) remember(state.notModelled, err.message)
    return refuse(err.status, err.message)
  }
}

/** Rolls the signing keys: next becomes current. */
export function rotateKeys(state: State): State['keys'] {
  state.keys = { current: state.keys.next, next: createSigningKey() }
  return state.keys
}

function publishOne(state: State, { body, headers }: Request, destination: string): Answer {
  const published = publish(state, readPublication(checkTarget(destination), headers, checkSize(body)))
  return ok(published, published.deduplicated === true ? 202 : 200)
}

/** All or nothing: a message that cannot be read stops the others from being published. */
function publishBatch(state: State, { body }: Request): Answer {
  const items = parseBatch(body)
  const publications = items.map(({ body = '', destination, headers = {}, queue }) => {
    if (queue !== undefined) throw new ApiError(501, 'the QStash stand-in does not model queues')
    const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
    return readPublication(destination, own, checkSize(Buffer.from(body)))
  })
  return ok(publications.map((publication): Published => publish(state, publication)))
}

interface BatchItem {
  readonly destination: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly queue?: string
}

function parseBatch(body: Buffer): BatchItem[] {
  try {
    const items = JSON.parse(body.toString()) as BatchItem[]
    if (Array.isArray(items)) return items
  } catch {}
  throw new ApiError(400, 'invalid batch: a JSON array is wanted')
}

function createSchedule(state: State, { body, headers }: Request, destination: string): Answer {
  const { id } = upsertSchedule(state, checkTarget(destination), headers, checkSize(body))
  return ok({ scheduleId: id })
}

function setPaused(state: State, id: string, isPaused: boolean): Answer {
  getSchedule(state, id).isPaused = isPaused
  return done
}

function removeSchedule(state: State, _: Request, id: string): Answer {
  deleteSchedule(state, id)
  return done
}

function removeDeadLetter(state: State, _: Request, id: string): Answer {
  state.deadLetters.delete(getDeadLetter(state, id).dlqId)
  return done
}

function cancelOne(state: State, _: Request, id: string): Answer {
  cancel(state, getOpenMessage(state, id))
  return ok({ cancelled: 1 })
}

function showLog(state: State, { query }: Request, name: string): Answer {
  const { lines, ...rest } = listEvents(state, query)
  return ok({ ...rest, [name]: lines })
}

function showDeadLetters(state: State, { query }: Request): Answer {
  const { lines, ...rest } = listDeadLetters(state, query)
  return ok({ ...rest, messages: lines })
}

function showFlow(state: State, _: Request, key: string): Answer {
  const found = state.flow.list().find(({ flowControlKey }) => flowControlKey === decodeURIComponent(key))
  if (found === undefined) throw new ApiError(404, `flow control key ${key} not found`)
  return ok(found)
}

function showParallelism(state: State): Answer {
  return ok({ parallelismMax: state.limits.parallelism, parallelismCount: state.flow.active() })
}

/** Settings given as query parameters would silently become a part of the destination. */
function checkTarget(destination: string): string {
  if (!/[?&]upstash-/i.test(destination)) return destination
  throw new ApiError(501, 'the QStash stand-in does not model settings in the query string')
}

function checkSize(body: Buffer): Buffer {
  if (body.length > maxMessageBytes) throw new ApiError(413, `message too large: ${body.length} bytes`)
  return body
}

function ok(body: unknown, status = 200): Answer {
  return { status, body }
}

function refuse(status: number, error: string): Answer {
  return { status, body: { error } }
}
