import { type Answered, type BetterStackAccess, type Call, type Calls, createCalls } from './betterstack-calls.ts'
import type { Monitoring, Resource, ResourceKind, Written } from './monitoring.ts'

const paths: Readonly<Record<ResourceKind, string>> = {
  policy: '/api/v2/policies',
  'heartbeat-group': '/api/v2/heartbeat-groups',
  'monitor-group': '/api/v2/monitor-groups',
  heartbeat: '/api/v2/heartbeats',
  monitor: '/api/v2/monitors',
}
// Of 250 each: more than any account has.
const maxPages = 40
const defaultPerPage = 50

/** Heartbeats, monitors, their groups and escalation policies of one Better Stack team (betterstack.com/docs/uptime/api). */
export function createBetterStack(access: BetterStackAccess): Monitoring {
  const ask = createCalls(access)
  const write = async (call: Call, isDone: (status: number) => boolean, signal: AbortSignal): Promise<Written> =>
    toWritten(await ask(call, signal), isDone)
  return {
    list: async (kind, signal) => await listAll(ask, access.url, kind, signal),
    create: async (kind, body, signal) =>
      await write({ method: 'POST', target: paths[kind], body }, status => status === 201 || status === 200, signal),
    update: async (kind, id, body, signal) =>
      await write({ method: 'PATCH', target: `${paths[kind]}/${encodeURIComponent(id)}`, body }, isOk, signal),
    remove: async (kind, id, signal) =>
      await write(
        { method: 'DELETE', target: `${paths[kind]}/${encodeURIComponent(id)}` },
        status => isOk(status) || status === 404,
        signal,
      ),
  }
}

function isOk(status: number): boolean {
  return status >= 200 && status <= 299
}

/** Page after page, on the same origin alone: an answer must not send our token elsewhere. */
async function listAll(ask: Calls, url: string, kind: ResourceKind, signal: AbortSignal): Promise<Resource[]> {
  const found: Resource[] = []
  const seen = new Set<string>()
  let target: string | undefined = `${paths[kind]}?per_page=250`
  for (let page = 1; target !== undefined; page += 1) {
    if (page > maxPages)
      throw new Error(`Better Stack has more than ${maxPages} pages of ${kind}s: nothing was changed`)
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
  throw new Error(`the list of ${kind}s goes on at another address than ${new URL(url).host}: it was not followed`)
}

function readPage(kind: ResourceKind, answered: Answered) {
  if (answered.status !== 200)
    throw new Error(`Better Stack did not list its ${kind}s (${answered.reason || 'unreadable answer'})`)
  const { body } = answered
  const data = isRecord(body) ? body['data'] : undefined
  const pagination = isRecord(body) ? body['pagination'] : undefined
  // A full page without links might be one of many, and what is on the others would be made a second time.
  const isWhole = Array.isArray(data) && (isRecord(pagination) || data.length < defaultPerPage)
  const { next = null } = isRecord(pagination) ? pagination : {}
  if (!isWhole || (next !== null && typeof next !== 'string')) {
    throw new Error(`Better Stack's list of ${kind}s cannot be read`)
  }
  return { resources: data.map(item => toResource(kind, item)), next }
}

function toResource(kind: ResourceKind, item: unknown): Resource {
  const { attributes, id, steps } = isRecord(item) ? item : {}
  if (!isRecord(attributes) || (typeof id !== 'string' && typeof id !== 'number')) {
    throw new Error(`Better Stack's list of ${kind}s cannot be read`)
  }
  const name = kind === 'monitor' ? (attributes['pronounceable_name'] ?? hostOf(attributes['url'])) : attributes['name']
  return {
    kind,
    id: String(id),
    name: typeof name === 'string' ? name : '',
    // Of a policy, some versions of the API have them beside the attributes.
    attributes: steps === undefined ? attributes : { steps, ...attributes },
  }
}

/** No more of an address than this is shown: the rest may hold a secret. */
function hostOf(url: unknown): string {
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).host : ''
}

function toWritten(answered: Answered, isDone: (status: number) => boolean): Written {
  if (answered.status === undefined) {
    return { outcome: 'unknown', reason: answered.reason, mayStillArrive: answered.mayStillArrive }
  }
  const { retryAfterMs, status } = answered
  if (isDone(status)) return { outcome: 'done' }
  const reason = answered.reason || `status ${status}`
  if (status === 429 || status >= 500)
    return {
      outcome: 'unknown',
      reason,
      mayStillArrive: false,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
  return { outcome: 'refused', reason }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
