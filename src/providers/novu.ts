import type { Fetch } from './http.ts'
import type { Notifications } from './notifications.ts'

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

/** Novu by its official SDK, which is imported at the first call. */
export function createNovu(_options: NovuOptions): Notifications {
  throw new Error('not built yet')
}
