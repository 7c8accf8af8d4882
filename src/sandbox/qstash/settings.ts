import { parseExpression } from './expression.ts'
import type { FlowControl } from './flow.ts'
import { parseDuration } from './retry.ts'

/** How a message is to be delivered: what `Upstash-*` headers of a publish or a schedule say. */
export interface Settings {
  /** The destination, character for character. */
  readonly url: string
  readonly method: string
  /** What each delivery carries besides QStash's own headers, by canonical name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly retries: number
  readonly retryDelay?: string
  /** For each attempt, in real time. */
  readonly timeoutMs: number
  readonly delayMs: number
  readonly labels: readonly string[]
  readonly flow?: FlowControl
  readonly callback?: Settings
  readonly failureCallback?: Settings
}

/** An answer of the API that is no success. */
export class ApiError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
  }
}

export type Headers = Readonly<Record<string, string>>

/** What a call may say besides the settings of its deliveries. */
export const publishOnly = ['not-before', 'deduplication-id', 'content-based-deduplication'] as const
export const scheduleOnly = ['cron', 'schedule-id'] as const

const defaultTimeoutMs = 900_000
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
const modelled = [
  'method',
  'retries',
  'retry-delay',
  'timeout',
  'delay',
  'label',
  'flow-control-key',
  'flow-control-value',
  'callback',
  'failure-callback',
]
const modelledFamilies = ['forward-', 'callback-', 'failure-callback-', 'telemetry-']
// These belong to the connection or are set by QStash itself.
const neverForwarded = ['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'expect']

/**
 * Reads the headers of a call; `allowed` are the names that this call knows besides the common ones. Throws ApiError:
 * 400 for a value that QStash refuses, 501 for a header that this stand-in does not model.
 * Source: upstash.com/docs/qstash/features.
 */
export function parseSettings(url: string, headers: Headers, body: Buffer, allowed: readonly string[]): Settings {
  refuseUnmodelled(headers, allowed)
  const callback = callbackSettings(headers, 'upstash-callback')
  const failureCallback = callbackSettings(headers, 'upstash-failure-callback')
  const retryDelay = readRetryDelay(headers)
  const flow = readFlow(headers)
  return {
    url: checkDestination(url),
    method: readMethod(headers),
    headers: readForwarded(headers),
    body,
    retries: readRetries(headers),
    timeoutMs: Math.min(readDuration(headers, 'upstash-timeout') ?? defaultTimeoutMs, defaultTimeoutMs),
    delayMs: readDuration(headers, 'upstash-delay') ?? 0,
    labels: (headers['upstash-label'] ?? '').split(',').filter(label => label !== ''),
    ...(retryDelay === undefined ? {} : { retryDelay }),
    ...(flow === undefined ? {} : { flow }),
    ...(callback === undefined ? {} : { callback }),
    ...(failureCallback === undefined ? {} : { failureCallback }),
  }
}

function refuseUnmodelled(headers: Headers, allowed: readonly string[]): void {
  for (const name of Object.keys(headers)) {
    if (!name.startsWith('upstash-')) continue
    const rest = name.slice('upstash-'.length)
    if (modelled.includes(rest) || allowed.includes(rest)) continue
    if (modelledFamilies.some(family => rest.startsWith(family))) continue
    throw new ApiError(501, `the QStash stand-in does not model the header ${name} here`)
  }
}

/** A callback is a message with settings of its own, said by the same headers under a longer prefix. */
function callbackSettings(headers: Headers, prefix: string): Settings | undefined {
  const url = headers[prefix]
  if (url === undefined) return undefined
  const own = Object.entries(headers)
    .filter(([name]) => name.startsWith(`${prefix}-`))
    .map(([name, value]) => [`upstash-${name.slice(prefix.length + 1)}`, value])
  return parseSettings(url, { 'content-type': 'application/json', ...Object.fromEntries(own) }, Buffer.alloc(0), [])
}

function checkDestination(url: string): string {
  if (!/^https?:\/\//i.test(url)) {
    throw new ApiError(400, 'invalid destination url: endpoint has invalid scheme, add http:// or https://')
  }
  if (!URL.canParse(url)) throw new ApiError(400, `invalid destination url: ${url}`)
  return url
}

function readMethod(headers: Headers): string {
  const method = headers['upstash-method'] ?? 'POST'
  if (!methods.includes(method)) throw new ApiError(400, `invalid method: ${method}`)
  return method
}

function readRetries(headers: Headers): number {
  const text = headers['upstash-retries'] ?? '3'
  if (!/^\d{1,6}$/.test(text)) throw new ApiError(400, `invalid retries: ${text}`)
  return Number(text)
}

function readDuration(headers: Headers, name: string): number | undefined {
  const text = headers[name]
  if (text === undefined) return undefined
  const duration = parseDuration(text)
  if (duration === undefined) throw new ApiError(400, `invalid ${name}: ${text}`)
  return duration
}

function readRetryDelay(headers: Headers): string | undefined {
  const text = headers['upstash-retry-delay']
  if (text === undefined) return undefined
  try {
    parseExpression(text)
  } catch (err) {
    throw new ApiError(400, `invalid retry delay expression: ${text}: ${err instanceof Error ? err.message : ''}`)
  }
  return text
}

function readFlow(headers: Headers): FlowControl | undefined {
  const key = headers['upstash-flow-control-key']
  if (key === undefined) return undefined
  const text = headers['upstash-flow-control-value'] ?? ''
  const found = new Map(text.split(',').map(pair => pair.trim().split('=', 2) as [string, string]))
  const periodMs = parseDuration(found.get('period') ?? '1s')
  const [parallelism, rate] = [found.get('parallelism'), found.get('rate')]
  const numbers = [parallelism, rate].filter(value => value !== undefined)
  if (periodMs === undefined || numbers.length === 0 || !numbers.every(value => /^[1-9]\d*$/.test(value))) {
    throw new ApiError(400, `invalid flow control value: ${text}`)
  }
  return {
    key,
    periodMs,
    ...(parallelism === undefined ? {} : { parallelism: Number(parallelism) }),
    ...(rate === undefined ? {} : { rate: Number(rate) }),
  }
}

function readForwarded(headers: Headers): Record<string, string> {
  const forwarded: Record<string, string> = {}
  if (headers['content-type'] !== undefined) forwarded['Content-Type'] = headers['content-type']
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('upstash-forward-')) continue
    const own = name.slice('upstash-forward-'.length)
    if (!neverForwarded.includes(own)) forwarded[canonical(own)] = value
  }
  return forwarded
}

/** Header names as Go's HTTP library writes them: each word with a capital. */
function canonical(name: string): string {
  return name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => `${dash}${letter.toUpperCase()}`)
}
