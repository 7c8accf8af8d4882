import { KeyRefusedError, RetryLaterError } from '../errors.ts'
import { limitTime } from '../time-limit.ts'
import type { Fetch } from './http.ts'

/** Experts' Google calendar tokens, which expire for good after six months without use. */
export interface CalendarTokens {
  /**
   * Makes Clerk use the expert's refresh token, which keeps it alive. `missing`: Clerk answered that this expert has
   * none. `unknown-user`: Clerk does not know the expert. Throws KeyRefusedError for a refused key, RetryLaterError
   * when Clerk asks us to slow down, and a plain Error for every other failure: an outage is never `missing`.
   */
  refresh(clerkUserId: string, signal: AbortSignal): Promise<'refreshed' | 'missing' | 'unknown-user'>
  /** Marks the expert's calendar step as not done. Call it only after `refresh` said `missing`. */
  markDisconnected(clerkUserId: string, signal: AbortSignal): Promise<void>
}

export interface ClerkOptions {
  /** The Backend API's address, without a slash at the end. */
  readonly url: string
  readonly secretKey: string
  readonly fetch: Fetch
  /** For one call, its answer included; 10 s unless given. */
  readonly timeoutMs?: number
}

/**
 * Clerk's Backend API, as far as the calendar tokens need it. Asking for an access token makes Clerk use the refresh
 * token where the access token has expired; the token itself is dropped unread. Disconnecting merges one nested key
 * into the expert's unsafe metadata, where the site keeps the set-up steps, and leaves every other key alone.
 * Source: clerk.com/docs, Backend API, `GET /users/{id}/oauth_access_tokens/{provider}` and `PATCH /users/{id}/metadata`
 * (deep merge), and its list of Backend API errors.
 */
export function createClerk(options: ClerkOptions): CalendarTokens {
  return {
    refresh: async (clerkUserId, signal) => {
      const answer = await call(options, 'GET', `${pathOf(clerkUserId)}/oauth_access_tokens/oauth_google`, signal)
      if (answer.status === 200) return hasToken(answer.body) ? 'refreshed' : 'missing'
      const { code, providerError } = readRefusal(answer.body)
      // Only this code says that the user is not there: an address of ours that is wrong is a 404 as well.
      if (answer.status === 404 && code === 'resource_not_found') return 'unknown-user'
      // Documented as 422 and 400; beyond those two a code is not worth believing.
      const refused = answer.status === 422 || answer.status === 400
      if (refused && (code === 'oauth_missing_refresh_token' || code === 'oauth_missing_access_token')) return 'missing'
      // Clerk passes on why Google refused; invalid_grant means revoked or expired for good, anything else may pass.
      if (refused && code === 'oauth_token_retrieval_error' && /\binvalid_grant\b/.test(providerError)) return 'missing'
      throw toFailure(answer, code)
    },
    markDisconnected: async (clerkUserId, signal) => {
      const answer = await call(options, 'PATCH', `${pathOf(clerkUserId)}/metadata`, signal, {
        unsafe_metadata: { expertSetup: { google_account: false } },
      })
      if (answer.status !== 200) throw toFailure(answer, readRefusal(answer.body).code)
    },
  }
}

interface Answer {
  readonly status: number
  readonly retryAfter: string | null
  /** Parsed JSON; undefined when it was none. */
  readonly body: unknown
}

const waitSeconds = 60
const maxWaitSeconds = 900

function pathOf(clerkUserId: string): string {
  return `/v1/users/${encodeURIComponent(clerkUserId)}`
}

async function call(
  { fetch, secretKey, timeoutMs = 10_000, url }: ClerkOptions,
  method: 'GET' | 'PATCH',
  path: string,
  signal: AbortSignal,
  body?: unknown,
): Promise<Answer> {
  signal.throwIfAborted()
  const limit = limitTime(timeoutMs, signal)
  try {
    const response = await fetch(`${url}${path}`, {
      method,
      redirect: 'manual',
      headers: { authorization: `Bearer ${secretKey}`, 'content-type': 'application/json' },
      signal: limit.signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, retryAfter: response.headers.get('retry-after'), body: parseJson(text) }
  } catch (thrown) {
    signal.throwIfAborted()
    if (limit.signal.aborted) throw new Error(`clerk did not answer within ${timeoutMs} ms`, { cause: thrown })
    throw new Error('clerk did not answer', { cause: thrown })
  } finally {
    limit.clear()
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A list of tokens, bare or in a page. Throws for anything else: what we cannot read must not pass for "no token". */
function hasToken(body: unknown): boolean {
  const list = isRecord(body) ? body['data'] : body
  if (!Array.isArray(list)) throw new Error('clerk answered 200 without a list of tokens')
  return list.some(entry => isRecord(entry) && typeof entry['token'] === 'string' && entry['token'] !== '')
}

function readRefusal(body: unknown): { code: string; providerError: string } {
  const errors = isRecord(body) ? body['errors'] : undefined
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  const meta = isRecord(first) && isRecord(first['meta']) ? first['meta'] : {}
  const code = isRecord(first) ? first['code'] : undefined
  const providerError = meta['provider_error']
  return {
    code: typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : 'no error code',
    providerError: typeof providerError === 'string' ? providerError : '',
  }
}

function toFailure({ retryAfter, status }: Answer, code: string): Error {
  if (status === 401 || status === 403) {
    return new KeyRefusedError(`clerk refused our key (${status}): is CLERK_SECRET_KEY of this instance?`)
  }
  if (status === 429) {
    const seconds = /^\d+$/.test(retryAfter ?? '') ? Number(retryAfter) : waitSeconds
    return new RetryLaterError('clerk asks us to call less often', Math.min(Math.max(seconds, 1), maxWaitSeconds))
  }
  return new Error(`clerk answered ${status} (${code})`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
