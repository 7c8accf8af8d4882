import type { Fetch } from './http.ts'
import { judgeRefusal } from './judge-refusal.ts'
import { isRecord, reach } from './reach.ts'
import type { Reachability } from './reachability.ts'

export interface NovuReachabilityOptions {
  /** The API's address, without a slash at the end. */
  readonly url: string
  readonly secretKey: string
  readonly fetch: Fetch
  /** 3 s unless given. */
  readonly timeoutMs?: number
}

/**
 * Novu, asked for one workflow: of the calls that need the key, the one that returns neither people nor keys. Without
 * the SDK, which takes half a second and 70 MB to load.
 */
export function createNovuReachability(options: NovuReachabilityOptions): Reachability {
  const { fetch, secretKey, timeoutMs = 3_000, url } = options
  return {
    check: async signal =>
      await reach({
        fetch,
        url: `${url}/v2/workflows?limit=1`,
        headers: { authorization: `ApiKey ${secretKey}` },
        timeoutMs,
        signal,
        isItsOwn: isWorkflows,
        judge: status => judgeRefusal(status, { key: 'NOVU_SECRET_KEY', address: 'NOVU_BASE_URL' }),
      }),
  }
}

/** Its API wraps what it answers, its SDK shows it bare. */
function isWorkflows(body: unknown): boolean {
  const found = isRecord(body) && isRecord(body['data']) ? body['data'] : body
  return isRecord(found) && Array.isArray(found['workflows'])
}
