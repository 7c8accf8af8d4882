import { defaults } from './rules.ts'
import { heartbeatUrl, type Item, type Kind, type State, statusOf, usualTeam } from './state.ts'

type Attributes = Readonly<Record<string, unknown>>

/** Keeps a new thing as the API would: with defaults, ids of its headers, and a token of its own. */
export function addItem(state: State, kind: Kind, given: Attributes, token?: string): Item {
  state.lastId += 1
  const id = String(state.lastId)
  const now = state.clock()
  const own = kind === 'heartbeats' ? { token: token ?? `hb${id}${randomText()}` } : {}
  const item: Item = { kind, id, createdAt: now, updatedAt: now, attributes: {}, ...own }
  item.attributes = merge(state, { ...defaults[kind], paused_at: null }, given)
  state.items.push(item)
  noteExpectation(state, item)
  return item
}

/** Changes what is given and leaves the rest. */
export function changeItem(state: State, item: Item, given: Attributes): void {
  item.attributes = merge(state, item.attributes, given)
  item.updatedAt = state.clock()
  noteExpectation(state, item)
}

export function removeItem(state: State, item: Item): void {
  state.items.splice(state.items.indexOf(item), 1)
  if (item.token !== undefined) state.expectations.delete(item.token)
}

/** As the API shows it. */
export function render(state: State, item: Item): unknown {
  const { attributes, createdAt, id, kind, token, updatedAt } = item
  const paused = (attributes['paused_at'] ?? null) !== null
  const status = paused ? 'paused' : token === undefined ? 'pending' : statusOf(state, token)
  const hasStatus = kind === 'heartbeats' || kind === 'monitors'
  return {
    id,
    type: types[kind],
    attributes: {
      ...attributes,
      team_name: teamOf(item),
      ...(token === undefined ? {} : { url: heartbeatUrl(state, token) }),
      ...(hasStatus ? { status } : {}),
      created_at: createdAt.toISOString(),
      updated_at: updatedAt.toISOString(),
    },
  }
}

/** Whose it is. */
export function teamOf({ attributes }: Item): string {
  const { team_name: team } = attributes
  return typeof team === 'string' ? team : usualTeam
}

const types: Readonly<Record<Kind, string>> = {
  policies: 'policy',
  // As the vendor misspelt it once.
  'heartbeat-groups': 'hearbeat_group',
  'monitor-groups': 'monitor_group',
  heartbeats: 'heartbeat',
  monitors: 'monitor',
}
const shortestZonedSeconds = 3_600

function merge(state: State, before: Attributes, { paused, ...given }: Attributes): Attributes {
  const after: Record<string, unknown> = { ...before, ...given }
  if (paused !== undefined) after['paused_at'] = paused === true ? state.clock().toISOString() : null
  if (typeof after['http_method'] === 'string') after['http_method'] = after['http_method'].toLowerCase()
  if (Number(after['period']) < shortestZonedSeconds) after['server_timezone'] = null
  for (const name of ['policy_id', 'heartbeat_group_id', 'monitor_group_id']) {
    if (after[name] === '') after[name] = null
    // Ids of other things are numbers here, although their own are texts.
    if (typeof after[name] === 'string') after[name] = Number(after[name])
  }
  if (given['request_headers'] !== undefined) {
    after['request_headers'] = mergeHeaders(state, before['request_headers'], given['request_headers'])
  }
  return after
}

interface Header {
  readonly id?: string
  readonly name?: string
  readonly value?: string
  readonly _destroy?: boolean
}

function mergeHeaders(state: State, before: unknown, given: unknown): Header[] {
  let headers = [...((before as Header[] | undefined) ?? [])]
  for (const { _destroy, ...header } of given as Header[]) {
    if (_destroy === true) headers = headers.filter(({ id }) => id !== header.id)
    else if (header.id === undefined) headers.push({ ...header, id: String((state.lastId += 1)) })
    else headers = headers.map(one => (one.id === header.id ? { ...one, ...header } : one))
  }
  return headers
}

function noteExpectation(state: State, { attributes, token }: Item): void {
  if (token === undefined) return
  const periodSeconds = Number(attributes['period'])
  const isTimed = Number.isFinite(periodSeconds)
  state.expectations.set(token, isTimed ? { periodSeconds, graceSeconds: Number(attributes['grace'] ?? 0) } : undefined)
}

function randomText(): string {
  return Array.from({ length: 16 }, () => Math.floor(Math.random() * 36).toString(36)).join('')
}
