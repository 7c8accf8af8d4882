import type { Fetch } from './http.ts'
import { judgeRefusal } from './judge-refusal.ts'
import { isRecord, reach } from './reach.ts'
import type { Reachability } from './reachability.ts'

export interface PosthogOptions {
  /** The address that takes events, without a slash at the end. */
  readonly url: string
  /** Of the project; it can write events and read nothing. */
  readonly key: string
  readonly fetch: Fetch
  /** 3 s unless given. */
  readonly timeoutMs?: number
}

/**
 * PostHog, asked for its flags with their evaluation switched off: the key is checked, no person and no event comes of
 * it, and nothing is billed. Source: posthog.com/docs/api/flags.
 */
export function createPosthog({ fetch, key, timeoutMs = 3_000, url }: PosthogOptions): Reachability {
  return {
    check: async signal =>
      await reach({
        fetch,
        url: `${url}/flags?v=2`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ api_key: key, distinct_id: 'healthcheck', disable_flags: true }),
        timeoutMs,
        signal,
        isItsOwn: body => isRecord(body) && (isRecord(body['flags']) || isRecord(body['featureFlags'])),
        judge: status => judgeRefusal(status, { key: 'POSTHOG_KEY', address: 'POSTHOG_HOST' }),
      }),
  }
}
