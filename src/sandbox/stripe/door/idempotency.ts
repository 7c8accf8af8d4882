import type { Answer } from '../../stand-in.ts'
import { nowMs, type State } from '../state.ts'
import { invalid, Refusal } from './refusal.ts'

/** What a key stands for, on one account. */
export interface Recorded {
  /** Method, path and parameters of the first request. */
  readonly fingerprint: string
  readonly atMs: number
  readonly requestId: string
  /** Undefined while the first request is being carried out. */
  answer: Answer | undefined
}

export interface Keyed {
  readonly key: string
  /** The key and the account for which it stands. */
  readonly slot: string
  readonly fingerprint: string
  readonly requestId: string
}

const keptMs = 24 * 3_600_000

/**
 * The stored answer of an earlier request with this key. Throws a Refusal when the key is at work or stands for other
 * parameters. Source: docs.stripe.com/api/idempotent_requests.
 */
export function findAnswer(state: State, { fingerprint, key, requestId, slot }: Keyed): Answer | undefined {
  if (key.length > 255) throw invalid('parameter_invalid', 'Idempotency keys can be up to 255 characters long.')
  prune(state)
  const recorded = state.keys.get(slot)
  if (recorded === undefined) return undefined
  if (recorded.fingerprint !== fingerprint) throw differs(key)
  if (recorded.answer === undefined) throw inUse(key)
  const { body, headers, status } = recorded.answer
  return {
    status,
    headers: {
      ...headers,
      'Request-Id': requestId,
      'Idempotent-Replayed': 'true',
      'Original-Request': recorded.requestId,
    },
    body,
  }
}

/** Marks the key as at work. */
export function openKey(state: State, { fingerprint, requestId, slot }: Keyed): Recorded {
  const recorded: Recorded = { fingerprint, atMs: nowMs(state), requestId, answer: undefined }
  state.keys.set(slot, recorded)
  return recorded
}

/** A request that another one with the same key keeps from running. */
export function inUse(key: string): Refusal {
  const message = `There is currently another in-progress request using this Idempotent Key: ${key}. Please try again later.`
  return new Refusal(409, { type: 'invalid_request_error', code: 'idempotency_key_in_use', message }, false)
}

/** Keys are forgotten when they are a day old; they stand in the order of their age. */
function prune(state: State): void {
  const now = nowMs(state)
  for (const [slot, { atMs }] of state.keys) {
    if (now - atMs < keptMs) return
    state.keys.delete(slot)
  }
}

function differs(key: string): Refusal {
  const message =
    'Keys for idempotent requests can only be used with the same parameters they were first used with. ' +
    `Try using a key other than '${key}' if you meant to execute a different request.`
  return new Refusal(400, { type: 'idempotency_error', message }, false)
}
