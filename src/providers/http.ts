import { Agent, fetch as undiciFetch } from 'undici'

export type Fetch = typeof undiciFetch

export interface Http {
  /** undici's fetch on the shared connections. Follows no redirect unless a call asks for it. */
  readonly fetch: Fetch
  /** Cuts off whatever is still running, so call it last. Safe to call twice. */
  close(): Promise<void>
}

export interface HttpOptions {
  /** Most connections to one origin; further calls wait for one. */
  readonly connectionsPerOrigin?: number
  readonly connectTimeoutMs?: number
  /** How long an answer may be silent, at its beginning and between its parts. */
  readonly silenceTimeoutMs?: number
}

// Coarse nets for a caller that forgot its own signal; every provider sets a much shorter limit.
const silenceTimeoutMs = 30_000
const idleMs = 4_000

/**
 * The one door to other servers: one bounded set of connections and a `fetch` tied to it. The fetch is undici's own,
 * because Node's built-in one refuses a dispatcher of another undici.
 */
export function createHttp(options: HttpOptions = {}): Http {
  const agent = new Agent({
    connections: options.connectionsPerOrigin ?? 20,
    connectTimeout: options.connectTimeoutMs ?? 3_000,
    headersTimeout: options.silenceTimeoutMs ?? silenceTimeoutMs,
    bodyTimeout: options.silenceTimeoutMs ?? silenceTimeoutMs,
    keepAliveTimeout: idleMs,
    // On HTTP/2 all calls to a vendor would share one connection, and one that went silent would hold up all of them.
    allowH2: false,
  })
  let closing: Promise<void> | undefined
  return {
    // A redirect would carry the secret in the path or a header to wherever the answer points.
    fetch: async (input, init) => await undiciFetch(input, { redirect: 'manual', dispatcher: agent, ...init }),
    close: async () => {
      // Not agent.close(): it forgets the running calls, which then cannot be cut off any more (undici 8.12).
      closing ??= agent.destroy()
      await closing
    },
  }
}
