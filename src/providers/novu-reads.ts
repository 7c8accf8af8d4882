import pMap from 'p-map'
import type { Limiter } from './limiter.ts'
import type { Workflow } from './notifications.ts'
import type { Asked, NovuClient, NovuRequest } from './novu-client.ts'
import { toReadError } from './novu-failure.ts'

export interface ReadParts {
  readonly client: NovuClient
  readonly limiter: Limiter
}

const pageSize = 50
const maxPages = 10
const concurrency = 4

/** Whether a notification with this transaction id is in the vendor's list. */
export async function isTaken(parts: ReadParts, transactionId: string, signal: AbortSignal): Promise<boolean> {
  const what = `transaction ${transactionId}`
  const request: NovuRequest = async novu => await novu.notifications.list({ transactionId, page: 0, limit: 10 })
  const asked = whole(await inTurn(parts, signal, async () => await parts.client.ask(request, signal)), what)
  const found = listIn(asked.body, 'data')
  if (found === undefined) throw unreadable(what)
  if (found.some(entry => entry['transactionId'] === transactionId)) return true
  // A list of others was not filtered: that this one is not among them proves nothing.
  if (found.length > 0) throw unreadable(what)
  return false
}

/** All workflows of the environment, each with the schema of its payload. Without the SDK: every process asks this when it boots. */
export async function listWorkflows(parts: ReadParts, signal: AbortSignal): Promise<readonly Workflow[]> {
  return await getWorkflows(parts, await listIds(parts, signal), signal)
}

/** Those of these ids that exist, in their order. */
export async function getWorkflows(
  parts: ReadParts,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly Workflow[]> {
  const workflows = await pMap(ids, async id => await getWorkflow(parts, id, signal), { concurrency })
  return workflows.filter(workflow => workflow !== undefined)
}

async function listIds(parts: ReadParts, signal: AbortSignal): Promise<string[]> {
  const ids = new Set<string>()
  for (let page = 0; page < maxPages; page += 1) {
    const asked = whole(await get(parts, `?limit=${pageSize}&offset=${page * pageSize}`, signal), 'workflows')
    const found = listIn(asked.body, 'workflows')
    if (found === undefined) throw unreadable('workflows')
    for (const { workflowId } of found) if (typeof workflowId === 'string') ids.add(workflowId)
    if (found.length < pageSize) return [...ids]
  }
  throw new Error(`novu has more than ${pageSize * maxPages} workflows: raise the limit in novu-reads.ts`)
}

/** Undefined when it was removed since it was listed. */
async function getWorkflow(parts: ReadParts, id: string, signal: AbortSignal): Promise<Workflow | undefined> {
  const asked = await get(parts, `/${encodeURIComponent(id)}`, signal)
  if (asked.status === 404) return undefined
  const { body } = asked
  if (asked.status !== 200 || !isRecord(body)) throw toReadError(asked, `workflow ${id}`)
  const { payloadSchema: schema, steps } = body
  return {
    id,
    active: body['active'] === true,
    payloadSchema: isRecord(schema) ? schema : undefined,
    ...(Array.isArray(steps) ? { steps: steps.length } : {}),
  }
}

async function get(parts: ReadParts, rest: string, signal: AbortSignal): Promise<Asked> {
  return await inTurn(parts, signal, async () => await parts.client.get(`/v2/workflows${rest}`, signal))
}

async function inTurn({ limiter }: ReadParts, signal: AbortSignal, ask: () => Promise<Asked>): Promise<Asked> {
  await limiter.takeTurn('novu', signal)
  const asked = await ask()
  signal.throwIfAborted()
  return asked
}

function whole(asked: Asked, what: string): Asked {
  if (asked.status !== 200 || asked.body === undefined) throw toReadError(asked, what)
  return asked
}

function unreadable(what: string): Error {
  return Object.assign(new Error(`novu answered about ${what} with what we cannot read`), { code: 'unreadable_answer' })
}

function listIn(body: unknown, name: string): ReadonlyArray<Record<string, unknown>> | undefined {
  const list = isRecord(body) ? body[name] : undefined
  return Array.isArray(list) && list.every(isRecord) ? list : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
