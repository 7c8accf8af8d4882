import { type Answer, notModelled, type Reaction, reactTo, type Request } from '../stand-in.ts'
import { addItem, changeItem, removeItem, render, teamOf } from './items.ts'
import { defaults, findErrors } from './rules.ts'
import { type ApiFault, type Item, type Kind, type State, usualTeam } from './state.ts'

const address = /^\/api\/v2\/(policies|heartbeat-groups|monitor-groups|heartbeats|monitors)(?:\/(\d+))?\/?$/
const mostPerPage = 250

/** Answers a call of the API (betterstack.com/docs/uptime/api); undefined where the path is none of it. */
export async function answerApi(state: State, request: Request, closed: AbortSignal): Promise<Reaction | undefined> {
  const [, kind, id] = address.exec(request.path) ?? []
  if (kind === undefined) return undefined
  const fault = takeFault(state, request)
  const isLate = fault?.kind === 'lost-answer' || fault?.kind === 'silent' || fault?.kind === 'answer'
  const instead = isLate ? undefined : await reactTo(fault, closed)
  const reaction = instead ?? replace(fault, () => carryOut(state, request, kind as Kind, id))
  const status = typeof reaction === 'object' ? reaction.status : undefined
  state.apiCalls.push({ method: request.method, target: request.target, status, at: state.clock() })
  return reaction
}

function replace(fault: ApiFault | undefined, perform: () => Answer): Reaction {
  if (fault?.kind === 'answer') return { status: fault.status, body: fault.body }
  const answer = perform()
  if (fault?.kind === 'lost-answer') return 'reset'
  return fault?.kind === 'silent' ? 'hang' : answer
}

/** The first that fits and is not used up. */
function takeFault({ apiFaults }: State, { body, method, target }: Request): ApiFault | undefined {
  for (const entry of apiFaults) {
    const { match } = entry
    if (match.method !== undefined && match.method !== method) continue
    if (match.part !== undefined && !target.includes(match.part) && !body.toString().includes(match.part)) continue
    entry.seen += 1
    if (entry.seen <= (match.skip ?? 0) || entry.used >= (match.times ?? Infinity)) continue
    entry.used += 1
    return entry.fault
  }
  return undefined
}

const modelled: ReadonlySet<string> = new Set(['page', 'per_page', 'team_name'])

function carryOut(state: State, request: Request, kind: Kind, id: string | undefined): Answer {
  const refusal = checkToken(state, request)
  if (refusal !== undefined) return refusal
  const { method } = request
  const unknown = [...request.query.keys()].find(name => !modelled.has(name))
  if (unknown !== undefined) return notModelled('Better Stack', `?${unknown} of ${kind}`)
  if (id === undefined) {
    if (method === 'GET') return list(state, request, kind)
    return method === 'POST' ? create(state, request, kind) : notModelled('Better Stack', `${method} ${request.path}`)
  }
  const item = listSeen(state, request, kind).find(one => one.id === id)
  if (item === undefined) return { status: 404, body: { errors: 'Resource with provided ID was not found' } }
  return carryOutOne(state, request, item)
}

function carryOutOne(state: State, request: Request, item: Item): Answer {
  switch (request.method) {
    case 'GET':
      return { status: 200, body: { data: render(state, item) } }
    case 'PATCH':
      return change(state, request, item)
    case 'DELETE':
      removeItem(state, item)
      return { status: 204 }
    default:
      return notModelled('Better Stack', `${request.method} ${request.path}`)
  }
}

function readToken({ headers }: Request): string | undefined {
  return /^Bearer (.+)$/.exec(headers['authorization'] ?? '')?.[1]
}

/** A token of one team sees its things alone. */
function listSeen({ globalToken, items }: State, request: Request, kind: Kind): Item[] {
  const team = readToken(request) === globalToken ? request.query.get('team_name') : usualTeam
  return items.filter(item => item.kind === kind && (team === null || teamOf(item) === team))
}

function checkToken({ apiToken, globalToken, readOnlyToken }: State, request: Request): Answer | undefined {
  const given = readToken(request)
  const { method } = request
  if (given === globalToken) return undefined
  if (given !== apiToken && given !== readOnlyToken) {
    return { status: 401, body: { errors: 'Invalid Team API token. How to find your Uptime API token' } }
  }
  if (given === apiToken || method === 'GET') return undefined
  return { status: 403, body: { errors: [{ title: 'Forbidden', detail: 'this token may only read' }] } }
}

function list(state: State, request: Request, kind: Kind): Answer {
  const { path, query } = request
  const perPage = Number(query.get('per_page') ?? 50)
  const page = Number(query.get('page') ?? 1)
  if (!(perPage >= 1 && perPage <= mostPerPage && page >= 1)) return { status: 400, body: { error: 'out of range' } }
  const all = listSeen(state, request, kind)
  const team = query.get('team_name')
  const ofTeam = team === null ? '' : `&team_name=${encodeURIComponent(team)}`
  const pages = Math.max(1, Math.ceil(all.length / perPage))
  const link = (to: number): string => `${state.url}${path}?page=${to}&per_page=${perPage}${ofTeam}`
  const data = all.slice((page - 1) * perPage, page * perPage).map(item => render(state, item))
  const pagination = {
    first: link(1),
    last: link(pages),
    prev: page > 1 ? link(page - 1) : null,
    next: page < pages ? link(page + 1) : null,
  }
  return { status: 200, body: { data, pagination } }
}

function create(state: State, request: Request, kind: Kind): Answer {
  const { team_name: team, ...given } = readBody(request)
  if (readToken(request) === state.globalToken && typeof team !== 'string') {
    return { status: 422, body: { errors: { team_name: ['is required for global API tokens'] } } }
  }
  const unknown = findUnknown(kind, given)
  if (unknown !== undefined) return unknown
  const normal = lowerMethod(given)
  const errors = findErrors(kind, normal, state.items)
  if (errors !== undefined) return { status: 422, body: { errors } }
  const isCounted = kind === 'heartbeats' || kind === 'monitors'
  if (isCounted && state.items.filter(item => item.kind === kind).length >= state.quota) {
    return { status: 422, body: { errors: { base: [`You have reached the limit of ${state.quota} ${kind}.`] } } }
  }
  return {
    status: 201,
    body: { data: render(state, addItem(state, kind, { ...normal, team_name: team ?? usualTeam })) },
  }
}

function change(state: State, request: Request, item: Item): Answer {
  const given = readBody(request)
  const unknown = findUnknown(item.kind, given)
  if (unknown !== undefined) return unknown
  const normal = lowerMethod(given)
  const errors = findErrors(item.kind, { ...item.attributes, ...normal }, state.items)
  if (errors !== undefined) return { status: 422, body: { errors } }
  changeItem(state, item, normal)
  return { status: 200, body: { data: render(state, item) } }
}

function readBody({ body }: Request): Record<string, unknown> {
  return JSON.parse(body.toString()) as Record<string, unknown>
}

function lowerMethod(given: Record<string, unknown>): Record<string, unknown> {
  const method = given['http_method']
  return typeof method === 'string' ? { ...given, http_method: method.toLowerCase() } : given
}

function findUnknown(kind: Kind, given: Record<string, unknown>): Answer | undefined {
  const name = Object.keys(given).find(one => !Object.hasOwn(defaults[kind], one))
  return name === undefined ? undefined : notModelled('Better Stack', `${name} of ${kind}`)
}
