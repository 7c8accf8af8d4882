import type { Answered, Calls } from './betterstack-calls.ts'
import { isRecord } from './betterstack-failure.ts'
import type { Monitoring, Resource, ResourceKind } from './monitoring.ts'

export interface ListAccess {
  readonly url: string
  readonly team?: string
}

/** Where each kind is kept. */
export const paths: Readonly<Record<ResourceKind, string>> = {
  policy: '/api/v2/policies',
  'heartbeat-group': '/api/v2/heartbeat-groups',
  'monitor-group': '/api/v2/monitor-groups',
  heartbeat: '/api/v2/heartbeats',
  monitor: '/api/v2/monitors',
}

const plurals: Readonly<Record<ResourceKind, string>> = {
  policy: 'policies',
  'heartbeat-group': 'heartbeat groups',
  'monitor-group': 'monitor groups',
  heartbeat: 'heartbeats',
  monitor: 'monitors',
}
// Of 250 each: more than any account has.
const maxPages = 40
const defaultPerPage = 50

/** Reads whole lists. Throws rather than leave one out, and where they are of several teams and none was named. */
export function createLists(ask: Calls, access: ListAccess): Monitoring['list'] {
  const teams = new Set<string>()
  return async (kind, signal) => {
    const found = await listAll(ask, access, kind, signal)
    const named = found.filter(one => access.team === undefined || (teamOf(one) ?? access.team) === access.team)
    for (const one of named) teams.add(teamOf(one) ?? '')
    teams.delete('')
    if (teams.size <= 1) return named
    throw new Error(`the token sees several teams (${[...teams].toSorted().join(', ')}): say whose with --team`)
  }
}

/** Shown where a token is of the whole organisation. */
function teamOf({ attributes }: Resource): string | undefined {
  const { team_name: team } = attributes
  return typeof team === 'string' && team !== '' ? team : undefined
}

/** Page after page, on the same origin alone: an answer must not send our token elsewhere. */
async function listAll(
  ask: Calls,
  { team, url }: ListAccess,
  kind: ResourceKind,
  signal: AbortSignal,
): Promise<Resource[]> {
  const found: Resource[] = []
  const seen = new Set<string>()
  const ofTeam = team === undefined ? '' : `&team_name=${encodeURIComponent(team)}`
  let target: string | undefined = `${paths[kind]}?per_page=250${ofTeam}`
  for (let page = 1; target !== undefined; page += 1) {
    if (page > maxPages)
      throw new Error(`Better Stack has more than ${maxPages} pages of ${plurals[kind]}: nothing was changed`)
    const answered = await ask({ method: 'GET', target }, signal)
    const { next, resources } = readPage(kind, answered)
    // What was made meanwhile moves the rest to the next page.
    found.push(...resources.filter(({ id }) => !seen.has(id)))
    for (const { id } of resources) seen.add(id)
    target = next === null ? undefined : checkNext(next, url, kind)
  }
  return found
}

function checkNext(next: string, url: string, kind: ResourceKind): string {
  if (URL.canParse(next, url) && new URL(next, url).origin === new URL(url).origin) return next
  throw new Error(
    `the list of ${plurals[kind]} goes on at another address than ${new URL(url).host}: it was not followed`,
  )
}

function readPage(kind: ResourceKind, answered: Answered) {
  if (answered.status !== 200)
    throw new Error(`Better Stack did not list its ${plurals[kind]} (${answered.reason || 'unreadable answer'})`)
  const { body } = answered
  const data = isRecord(body) ? body['data'] : undefined
  const pagination = isRecord(body) ? body['pagination'] : undefined
  // A full page without links might be one of many, and what is on the others would be made a second time.
  const isWhole = Array.isArray(data) && (isRecord(pagination) || data.length < defaultPerPage)
  const { next = null } = isRecord(pagination) ? pagination : {}
  if (!isWhole || (next !== null && typeof next !== 'string')) {
    throw new Error(`Better Stack's list of ${plurals[kind]} cannot be read`)
  }
  return { resources: data.map(item => toResource(kind, item)), next }
}

function toResource(kind: ResourceKind, item: unknown): Resource {
  const { attributes, id, steps } = isRecord(item) ? item : {}
  if (!isRecord(attributes) || (typeof id !== 'string' && typeof id !== 'number')) {
    throw new Error(`Better Stack's list of ${plurals[kind]} cannot be read`)
  }
  const name = kind === 'monitor' ? (attributes['pronounceable_name'] ?? hostOf(attributes['url'])) : attributes['name']
  return {
    kind,
    id: String(id),
    name: typeof name === 'string' ? name.trim() : '',
    // Of a policy, some versions of the API have them beside the attributes.
    attributes: steps === undefined ? attributes : { steps, ...attributes },
  }
}

/** No more of an address than this is shown: the rest may hold a secret. */
function hostOf(url: unknown): string {
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).host : ''
}
