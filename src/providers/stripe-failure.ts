import { KeyRefusedError, PermanentError } from '../errors.ts'
import type { WriteAnswer } from './payments.ts'
import type { Call } from './stripe-client.ts'

/** A request that did not come back with an object, in the fields that tell one failure from another. */
export interface Failure {
  /** False when the request never left this process. */
  readonly sent: boolean
  /** Of an answer in Stripe's own form. Undefined for none, half of one, and one that somebody in between made. */
  readonly status: number | undefined
  /** Stripe's code, else its type, else what we saw. Never its message, which may carry names and parts of keys. */
  readonly code: string
  readonly type: string | undefined
  /** The stored answer to an earlier request with the same key. */
  readonly replayed: boolean
  /** What Stripe itself says about trying again. */
  readonly shouldRetry: boolean | undefined
  readonly requestId: string | undefined
  /** The request was made on behalf of a Connect account, or asked for one. */
  readonly ofAccount: boolean
  /** Our key is a restricted one and may not do this, whatever the account. */
  readonly lacksPermission: boolean
}

/** The failure behind what the SDK threw, or behind an answer that it took for a success by mistake. */
export function readFailure(thrown: unknown, call: Call): Failure {
  const error = isRecord(thrown) ? thrown : {}
  const status = typeof error['statusCode'] === 'number' ? error['statusCode'] : undefined
  const type = toWord(error['rawType'])
  const headers = isRecord(error['headers']) ? error['headers'] : {}
  const advice = headers['stripe-should-retry']
  return {
    sent: call.sent,
    status,
    code: toWord(status === undefined ? undefined : error['code']) ?? type ?? describe(call, status),
    type,
    replayed: call.replayed,
    shouldRetry: advice === 'true' ? true : advice === 'false' ? false : undefined,
    requestId: toWord(error['requestId']),
    ofAccount: call.ofAccount,
    lacksPermission: error['code'] === 'more_permissions_required' || speaksOfPermission(error['message']),
  }
}

/** Stripe tells a restricted key mostly by its words: such answers have no code. Nothing of them is kept. */
function speaksOfPermission(message: unknown): boolean {
  return typeof message === 'string' && /required permissions|permission would allow|restricted API key/i.test(message)
}

/**
 * What a failed write came to. By status, code and type, never by the SDK's class: a key in use, for one, is thrown as an
 * API error. Whatever is not Stripe's own word about this request is unknown (docs.stripe.com/error-low-level).
 */
export function classifyWrite(failure: Failure): Exclude<WriteAnswer<never>, { kind: 'done' }> {
  const { code, replayed, sent, status, type } = failure
  if (!sent) return { kind: 'notExecuted', code: 'not_sent' }
  if (status === undefined || status < 400 || status >= 500) return { kind: 'unknown', code, replayed }
  // A stored answer never changes, so waiting for another one under this key would be in vain.
  if (isBusy(failure)) return { kind: replayed ? 'refused' : 'notExecuted', code }
  if (type === 'idempotency_error') return { kind: 'keyReused' }
  if (isKeyRefusal(failure)) return { kind: 'keyRefused', code }
  return { kind: 'refused', code }
}

/** Whether a read may succeed when it is asked again in a moment. */
export function mayPass(failure: Failure): boolean {
  const { shouldRetry, status } = failure
  return shouldRetry ?? (status === undefined || status < 400 || status >= 500 || isBusy(failure))
}

/** The error for a read that failed; `what` names it by ids. Throws nothing, carries no word of the vendor's message. */
export function toReadError(failure: Failure, what: string): Error {
  const { code, requestId, status } = failure
  const said = [status, code, requestId].filter(part => part !== undefined && part !== '').join(' ')
  if (isKeyRefusal(failure)) {
    return new KeyRefusedError(`stripe refused our key (${said}): is STRIPE_SECRET_KEY valid, and may it read ${what}?`)
  }
  if (code === 'resource_missing') {
    const next =
      'correct the id in our row; if it is right there, it is of another platform, or of test and not of live'
    return new PermanentError(`stripe does not know ${what} (${said}): ${next}`, { code })
  }
  if (status === 403 || code === 'account_invalid') {
    const next = 'it was disconnected or closed; ask the expert to connect it again, or another one'
    return new PermanentError(`our key may not see ${what} (${said}): ${next}`, { code: 'account_invalid' })
  }
  return Object.assign(new Error(`stripe did not tell about ${what} (${said})`), { code })
}

function isBusy({ code, status }: Failure): boolean {
  return status === 429 || code === 'rate_limit' || code === 'lock_timeout' || code === 'idempotency_key_in_use'
}

/**
 * An account that is not connected to us (any more), or that we may not touch for another cause, is no fault of the key,
 * which works for the platform: whoever sends money has just asked (`readPlatform`).
 */
function isKeyRefusal(failure: Failure): boolean {
  if (failure.status !== 403) return failure.status === 401
  return failure.lacksPermission || !isOfOneAccount(failure)
}

function isOfOneAccount({ code, ofAccount }: Failure): boolean {
  return code === 'account_invalid' || ofAccount
}

function describe(call: Call, status: number | undefined): string {
  const seen = status ?? call.status
  if (seen === undefined) return call.sent ? 'no_answer' : 'not_sent'
  return seen >= 200 && seen <= 299 ? 'unreadable_answer' : `http_${seen}`
}

function toWord(value: unknown): string | undefined {
  return typeof value === 'string' && /^\w{1,64}$/.test(value) ? value : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
