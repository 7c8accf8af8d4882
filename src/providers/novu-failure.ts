import { KeyRefusedError } from '../errors.ts'
import type { SendAnswer } from './notifications.ts'
import type { Asked } from './novu-client.ts'

/** What a send came to that has no list of answers, for all of its messages. */
export type SendFailure =
  | Exclude<SendAnswer, { kind: 'accepted' }>
  /** The answer is about an earlier request with this idempotency key, which is over: only another key gets through. */
  | { readonly kind: 'keyUsed'; readonly code: string }

const maxRetryAfterMs = 60 * 60_000

/**
 * What a refused or lost send came to. By the status and Novu's own words, never by the SDK's class: a refused key, for
 * one, is thrown as an answer that could not be read. What is not Novu's own word about this request is unknown.
 * Source: the API's exceptions (`workflow_not_found` is a 422 like any other) and docs.novu.co, Idempotency.
 */
export function classifyFailure(asked: Asked): SendFailure {
  const { replayed, retryAfter, sent, status } = asked
  if (!sent || (status === undefined && wasNeverConnected(asked.error))) return { kind: 'later', code: codeOf(asked) }
  if (status === undefined || status < 400) return { kind: 'unknown', code: codeOf(asked) }
  if (status === 401 || status === 403) return { kind: 'keyRefused', code: `http_${status}` }
  if (status === 429) return { kind: 'later', code: 'rate_limited', ...readRetryAfter(retryAfter) }
  if (replayed) return { kind: 'keyUsed', code: `http_${status}_repeated` }
  if (status === 409) return { kind: 'unknown', code: 'in_flight' }
  // A gateway may say this too; no message is ever small enough for it the next time.
  if (status === 413) return { kind: 'refused', code: 'too_large' }
  return isOwnWord(asked) ? classifyRefusal(asked, status) : { kind: 'unknown', code: codeOf(asked) }
}

/** What one event's own error says, in a bulk or in the answer to a single one. */
export function classifyEventError(messages: unknown): SendAnswer {
  const said = JSON.stringify(messages ?? '')
  if (said.includes('workflow_not_found')) return { kind: 'unready', code: 'workflow_not_found' }
  if (/payload validation failed/i.test(said)) return { kind: 'refused', code: 'payload_validation_error' }
  // Anything else went wrong inside of Novu, after it had begun with the event.
  return { kind: 'unknown', code: 'event_error' }
}

/** The error of a read that failed; `what` names it by ids. Carries no word of the vendor's message. */
export function toReadError(asked: Asked, what: string): Error {
  const code = asked.status === 429 ? 'rate_limited' : codeOf(asked)
  if (asked.status === 401 || asked.status === 403) {
    return new KeyRefusedError(`novu refused our key (${asked.status}): is NOVU_SECRET_KEY of this environment?`)
  }
  return Object.assign(new Error(`novu did not tell about ${what} (${code})`), { code })
}

function classifyRefusal(asked: Asked, status: number): SendFailure {
  const message = messageOf(asked.body)
  if (status === 404 || message === 'workflow_not_found') return { kind: 'unready', code: 'workflow_not_found' }
  if (status === 422 && message.includes('reused for a different body')) return { kind: 'keyUsed', code: 'key_reused' }
  if (status !== 400 && status !== 422) return { kind: 'unknown', code: `http_${status}` }
  const type = isRecord(asked.body) ? asked.body['type'] : undefined
  return { kind: 'refused', code: type === 'PAYLOAD_VALIDATION_ERROR' ? 'payload_validation_error' : `http_${status}` }
}

/** Every refusal of the API says its status in its body; the pages of a proxy do not. */
function isOwnWord({ body, status }: Asked): boolean {
  return isRecord(body) && body['statusCode'] === status
}

function messageOf(body: unknown): string {
  const message = isRecord(body) ? body['message'] : undefined
  return typeof message === 'string' ? message : ''
}

function codeOf({ body, error, sent, status }: Asked): string {
  if (!sent) return 'not_sent'
  if (status === undefined)
    return isTimeout(error) ? 'timeout' : wasNeverConnected(error) ? 'no_connection' : 'no_answer'
  return status >= 200 && status <= 299 && (body === undefined || error !== undefined)
    ? 'unreadable_answer'
    : `http_${status}`
}

function isTimeout(error: Error | undefined): boolean {
  return listCauses(error).some(({ name }) => name === 'TimeoutError')
}

const certificateCodes = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|ERR_SSL_)/

/** Whether it broke before there was a connection to send on: then nothing can have reached the vendor. */
function wasNeverConnected(error: Error | undefined): boolean {
  const roots = listCauses(error).filter(one => !('cause' in one && one.cause instanceof Error) && !isAggregate(one))
  return roots.length > 0 && roots.every(isOfConnecting)
}

function isOfConnecting(error: Error): boolean {
  const { code = '', syscall = '' } = error as NodeJS.ErrnoException
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true
  return code === 'UND_ERR_CONNECT_TIMEOUT' || certificateCodes.test(code)
}

/** An error with everything under it: where a host has several addresses, each has an error of its own. */
function listCauses(error: unknown): Error[] {
  if (!(error instanceof Error)) return []
  const under = isAggregate(error) ? error.errors : [error.cause]
  return [error, ...under.flatMap(listCauses)]
}

function isAggregate(error: Error): error is AggregateError & { readonly errors: unknown[] } {
  return 'errors' in error && Array.isArray(error.errors) && error.errors.length > 0
}

function readRetryAfter(header: string | null): { retryAfterMs?: number } {
  const seconds = /^\d{1,6}$/.test(header ?? '') ? Number(header) : Number.NaN
  return Number.isNaN(seconds) ? {} : { retryAfterMs: Math.min(seconds * 1000, maxRetryAfterMs) }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
