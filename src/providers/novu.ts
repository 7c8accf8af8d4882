import type { Fetch } from './http.ts'
import { createLimiter } from './limiter.ts'
import type { Notifications } from './notifications.ts'
import { createNovuClient } from './novu-client.ts'
import { getWorkflows, isTaken, listWorkflows } from './novu-reads.ts'
import { send } from './novu-send.ts'

export interface NovuOptions {
  /** The API's address, without a slash at the end. */
  readonly url: string
  readonly secretKey: string
  readonly fetch: Fetch
  /** For one call, its answer included; 15 s unless given. */
  readonly timeoutMs?: number
  /** 10 unless given. */
  readonly requestsPerSecond?: number
}

/** A bulk call costs as much as a hundred single ones, so two of them in this time are 25 a second. */
const bulkWindowSeconds = 80

/**
 * Novu by its official SDK, which is imported at the first call. The limits are for the whole process and stay well below
 * those of the smallest plan: 60 events and 30 other requests a second (docs.novu.co, Rate Limiting).
 */
export function createNovu(options: NovuOptions): Notifications {
  const { fetch, requestsPerSecond = 10, secretKey, timeoutMs = 15_000, url } = options
  const client = createNovuClient({ url, secretKey, fetch, timeoutMs })
  const reads = { client, limiter: createLimiter({ limit: requestsPerSecond, intervalMs: 1000 }) }
  const sends = {
    client,
    singles: createLimiter({ limit: requestsPerSecond, intervalMs: 1000 }),
    bulks: createLimiter({ limit: 2, intervalMs: Math.ceil((bulkWindowSeconds / requestsPerSecond) * 1000) }),
  }
  return {
    send: async (messages, signal) => await send(sends, messages, signal),
    isTaken: async (transactionId, signal) => await isTaken(reads, transactionId, signal),
    listWorkflows: async signal => await listWorkflows(reads, signal),
    getWorkflows: async (ids, signal) => await getWorkflows(reads, ids, signal),
  }
}
