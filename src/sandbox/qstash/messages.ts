import { createHash } from 'node:crypto'
import { listed } from './callback.ts'
import { cancel, submit } from './delivery.ts'
import { bodyFields, flowFields, labelFields } from './schedules.ts'
import { ApiError, type Headers, parseSettings, publishOnly, type Settings } from './settings.ts'
import { type DeadLetter, type Event, isFinal, type Message, type State } from './state.ts'

export interface Published {
  readonly messageId: string
  readonly url: string
  readonly deduplicated?: true
}

/** What a publish call asks for, read and checked but not yet done. */
export interface Publication {
  readonly settings: Settings
  readonly deduplicationKey?: string
  readonly notBefore?: Date
}

const deduplicationMs = 600_000

/** Reads a publish call. Throws ApiError 400 or 501. */
export function readPublication(destination: string, headers: Headers, body: Buffer): Publication {
  const settings = parseSettings(destination, headers, body, publishOnly)
  const notBefore = headers['upstash-not-before']
  if (notBefore !== undefined && !/^\d+$/.test(notBefore)) throw new ApiError(400, `invalid not before: ${notBefore}`)
  const deduplicationKey = readDeduplicationKey(headers, settings)
  return {
    settings,
    ...(deduplicationKey === undefined ? {} : { deduplicationKey }),
    ...(notBefore === undefined ? {} : { notBefore: new Date(Number(notBefore) * 1_000) }),
  }
}

/** Does it, unless the same was published within ten minutes. Source: upstash.com/docs/qstash/features/deduplication. */
export function publish(state: State, { deduplicationKey, notBefore, settings }: Publication): Published {
  const { url } = settings
  const now = state.clock()
  for (const [key, { at }] of state.deduplicated) {
    if (now.getTime() - at.getTime() >= deduplicationMs) state.deduplicated.delete(key)
  }
  const known = deduplicationKey === undefined ? undefined : state.deduplicated.get(deduplicationKey)
  if (known !== undefined) return { messageId: known.messageId, url, deduplicated: true }
  const { id } = submit(state, settings, notBefore === undefined ? {} : { notBefore })
  if (deduplicationKey !== undefined) state.deduplicated.set(deduplicationKey, { messageId: id, at: now })
  return { messageId: id, url }
}

/** Throws ApiError 404 for a message that is unknown or has ended: production forgets those soon. */
export function getOpenMessage(state: State, id: string): Message {
  const message = state.messages.get(id)
  if (message === undefined || isFinal(message)) throw new ApiError(404, `message ${id} not found`)
  return message
}

/** Cancels what the filters select. No filter selects everything, as in production. Gives the number. */
export function cancelMany(state: State, query: URLSearchParams): number {
  const selects = readFilter(query)
  const chosen = [...state.open].filter(message => selects(message))
  return chosen.filter(message => cancel(state, message)).length
}

/** A message as `GET /v2/messages/{id}` shows it. */
export function describeMessage({ createdAt, id, notBefore, scheduleId, settings }: Message): Record<string, unknown> {
  return {
    messageId: id,
    url: settings.url,
    method: settings.method,
    header: listed(settings.headers),
    ...bodyFields(settings.body),
    maxRetries: settings.retries,
    retryDelayExpression: settings.retryDelay,
    notBefore: notBefore.getTime(),
    createdAt: createdAt.getTime(),
    callback: settings.callback?.url,
    failureCallback: settings.failureCallback?.url,
    scheduleId,
    callerIP: '127.0.0.1',
    ...labelFields(settings),
    ...flowFields(settings),
  }
}

/** A dead letter as `GET /v2/dlq` shows it. */
export function describeDeadLetter({ attempt, dlqId, message }: DeadLetter): Record<string, unknown> {
  const { body, bodyBase64 } = bodyFields(attempt.responseBody)
  return {
    ...describeMessage(message),
    dlqId,
    responseStatus: attempt.status ?? 0,
    responseHeader: attempt.responseHeaders,
    responseBody: body,
    responseBodyBase64: bodyBase64,
  }
}

/** A line of the log as `GET /v2/events` shows it. */
export function describeEvent({ attempt, message, nextDeliveryTime, state, time }: Event): Record<string, unknown> {
  const { notBefore: _, ...shown } = describeMessage(message)
  return {
    ...shown,
    time: time.getTime(),
    state,
    body: message.settings.body.toString('base64'),
    error: attempt === undefined ? undefined : errorText(attempt),
    nextDeliveryTime: nextDeliveryTime?.getTime(),
    responseStatus: attempt?.status,
    responseBody: attempt?.responseBody.toString('base64'),
    responseHeaders: attempt?.responseHeaders,
    timeout: message.settings.timeoutMs,
  }
}

const readers: Readonly<Record<string, (message: Message) => readonly (string | undefined)[]>> = {
  messageId: message => [message.id],
  messageIds: message => [message.id],
  url: message => [message.settings.url],
  host: message => [new URL(message.settings.url).host],
  path: message => [new URL(message.settings.url).pathname],
  label: message => message.settings.labels,
  scheduleId: message => [message.scheduleId],
  flowControlKey: message => [message.settings.flow?.key],
  callerIp: () => ['127.0.0.1'],
}
const paging = ['count', 'cursor', 'dlqIds', 'fromDate', 'toDate', 'state', 'responseStatus']

/**
 * Reads the filters of a call: every one has to fit, and the values of one are alternatives. Throws ApiError 501 for a
 * filter that this stand-in does not model.
 */
export function readFilter(query: URLSearchParams): (message: Message, at?: Date) => boolean {
  const wanted = [...new Set(query.keys())].filter(name => !paging.includes(name))
  const unknown = wanted.find(name => !Object.hasOwn(readers, name))
  if (unknown !== undefined) throw new ApiError(501, `the QStash stand-in does not model the filter ${unknown}`)
  const [from, to] = [Number(query.get('fromDate') ?? -Infinity), Number(query.get('toDate') ?? Infinity)]
  return (message, at = message.createdAt) =>
    wanted.every(name => readers[name]?.(message).some(value => value !== undefined && query.has(name, value))) &&
    at.getTime() >= from &&
    at.getTime() <= to
}

function readDeduplicationKey(headers: Headers, { body, headers: forwarded, url }: Settings): string | undefined {
  const id = headers['upstash-deduplication-id']
  if (id?.includes(':') === true) throw new ApiError(400, `invalid deduplication id: ${id} must not contain ':'`)
  if (id !== undefined) return `id ${id}`
  if (headers['upstash-content-based-deduplication'] !== 'true') return undefined
  return `content ${createHash('sha256')
    .update(JSON.stringify([url, forwarded]))
    .update(body)
    .digest('hex')}`
}

function errorText({ error, status }: { readonly error?: string; readonly status?: number }): string | undefined {
  if (error !== undefined) return error
  return status !== undefined && status >= 200 && status < 300 ? undefined : `answered ${status}`
}
