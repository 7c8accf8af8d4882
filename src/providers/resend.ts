import type { Fetch } from './http.ts'
import { judgeRefusal } from './judge-refusal.ts'
import { isRecord, reach } from './reach.ts'
import type { Reachability } from './reachability.ts'

export interface ResendOptions {
  /** The API's address, without a slash at the end. */
  readonly url: string
  readonly apiKey: string
  readonly fetch: Fetch
  /** 3 s unless given. */
  readonly timeoutMs?: number
}

/**
 * Resend, asked for one of its domains. A key that may only send is told so by 401 `restricted_api_key`, which proves
 * that it is genuine: no second key with more rights is needed for our health. A wrong key is 403 there, and no lack of a
 * permission. Source: resend.com/docs, Errors.
 */
export function createResend({ apiKey, fetch, timeoutMs = 3_000, url }: ResendOptions): Reachability {
  return {
    check: async signal =>
      await reach({
        fetch,
        url: `${url}/domains?limit=1`,
        headers: { authorization: `Bearer ${apiKey}` },
        timeoutMs,
        signal,
        isItsOwn: body => isRecord(body) && Array.isArray(body['data']),
        judge: (status, body) => {
          if (status === 401 && isRecord(body) && body['name'] === 'restricted_api_key')
            return { state: 'up', detail: '' }
          if (status === 403)
            return { state: 'misconfigured', detail: 'refused our key (403): is RESEND_API_KEY right?' }
          return judgeRefusal(status, { key: 'RESEND_API_KEY', address: 'RESEND_BASE_URL' })
        },
      }),
  }
}
