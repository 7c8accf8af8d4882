import type { ClerkOptions } from './clerk.ts'
import { judgeRefusal } from './judge-refusal.ts'
import { isRecord, reach } from './reach.ts'
import type { Reachability } from './reachability.ts'

/**
 * Clerk, asked for its public signing keys with our secret one: no person is in the answer, and no rate limit counts
 * the call. Source: clerk.com/docs, Backend API, `GET /jwks` and rate limits.
 */
export function createClerkReachability({ fetch, secretKey, timeoutMs = 3_000, url }: ClerkOptions): Reachability {
  return {
    check: async signal =>
      await reach({
        fetch,
        url: `${url}/v1/jwks`,
        headers: { authorization: `Bearer ${secretKey}` },
        timeoutMs,
        signal,
        isItsOwn: body => isRecord(body) && Array.isArray(body['keys']) && body['keys'].length > 0,
        judge: status => judgeRefusal(status, { key: 'CLERK_SECRET_KEY', address: 'CLERK_API_URL' }),
      }),
  }
}
