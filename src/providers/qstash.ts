import type { Fetch } from './http.ts'
import { judgeRefusal } from './judge-refusal.ts'
import { isRecord, reach } from './reach.ts'
import type { Reachability } from './reachability.ts'

export interface QstashOptions {
  /** The region's address, without a slash at the end. */
  readonly url: string
  readonly token: string
  readonly fetch: Fetch
  /** 3 s unless given. */
  readonly timeoutMs?: number
}

/**
 * The scheduler's API, asked for two numbers that are no secret. Tokens belong to one region, so 404 means the wrong
 * host as much as 401 means the wrong token.
 */
export function createQstash({ fetch, timeoutMs = 3_000, token, url }: QstashOptions): Reachability {
  return {
    check: async signal =>
      await reach({
        fetch,
        url: `${url}/v2/globalParallelism`,
        headers: { authorization: `Bearer ${token}` },
        timeoutMs,
        signal,
        isItsOwn: body => isRecord(body) && typeof body['parallelismMax'] === 'number',
        judge: status => {
          if (status !== 401) return judgeRefusal(status, { key: 'QSTASH_TOKEN', address: 'QSTASH_URL' })
          return { state: 'misconfigured', detail: 'refused our token (401): is QSTASH_TOKEN of this region?' }
        },
      }),
  }
}
