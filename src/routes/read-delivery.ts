import type { IncomingHttpHeaders } from 'node:http'
import { parse as parseJson } from 'secure-json-parse'
import type { Trigger } from '../database/tables.ts'
import type { Job } from '../runner/define-job.ts'
import type { Delivery } from '../runner/delivery.ts'

/** A request for a job, after the door. */
export interface JobRequest {
  readonly headers: IncomingHttpHeaders
  readonly query: unknown
  readonly rawBody: Buffer
  /** SHA-256 of the token when the signature was verified; null when a bearer secret opened the door. */
  readonly tokenHash: Buffer | null
  /** A cron-style GET, which stands for a slot although it names no schedule. */
  readonly cronStyle: boolean
}

/** The request can never mean anything: what is wrong with it, in words for its sender. */
export class MalformedRequest extends Error {
  override readonly name = 'MalformedRequest'
}

/**
 * Reads what a verified request asks for. `Upstash-*` headers count only when the request is signed; a message without
 * an id takes the hash of its token, an unsigned one an id of its own. Throws MalformedRequest.
 */
export function readDelivery(job: Job, request: JobRequest, newId: () => string): Delivery {
  const dryRun = readDryRun(request.query)
  const body = readJson(request.rawBody)
  const shared = { job, dryRun, body, operator: null, planHash: undefined, pingAsked: false }
  const { cronStyle, headers, tokenHash } = request
  if (tokenHash === null) {
    const trigger: Trigger = cronStyle ? 'cron' : 'message'
    return { ...shared, messageId: `own:${newId()}`, trigger, scheduled: cronStyle, lastAttempt: true, tokenHash: null }
  }
  const scheduled = headers['upstash-schedule-id'] !== undefined
  const retried = readRetried(headers['upstash-retried'])
  return {
    ...shared,
    messageId: readMessageId(headers['upstash-message-id']) ?? `token:${tokenHash.toString('hex')}`,
    trigger: scheduled ? 'schedule' : 'message',
    scheduled,
    lastAttempt: retried >= job.retries,
    tokenHash,
  }
}

const maxMessageIdLength = 256

function readMessageId(header: string | string[] | undefined): string | undefined {
  if (header === undefined || header === '') return undefined
  // A header that is sent twice arrives as one, joined by a comma.
  if (typeof header !== 'string' || header.length > maxMessageIdLength || /[\s,]/.test(header)) {
    throw new MalformedRequest(`Upstash-Message-Id must be one id of at most ${maxMessageIdLength} characters`)
  }
  return header
}

/** How often QStash has tried before; 0 when it does not say. */
function readRetried(header: string | string[] | undefined): number {
  const retried = Number(header ?? 0)
  return Number.isInteger(retried) && retried >= 0 ? retried : 0
}

function readDryRun(query: unknown): boolean {
  const { dryRun = 'false', ...others } = query as Record<string, unknown>
  const unknown = Object.keys(others)
  if (unknown.length > 0) throw new MalformedRequest(`unknown query parameter ${unknown[0]}: only dryRun is known`)
  if (dryRun !== 'true' && dryRun !== 'false') throw new MalformedRequest('dryRun must be true or false')
  return dryRun === 'true'
}

/** JSON of untrusted bytes; undefined when there are none. Refuses what is no UTF-8 and keys that would poison a prototype. */
export function readJson(rawBody: Buffer): unknown {
  if (rawBody.length === 0) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(rawBody)
    return parseJson(text, { protoAction: 'error', constructorAction: 'error' })
  } catch (cause) {
    throw new MalformedRequest('the body is no JSON', { cause })
  }
}
