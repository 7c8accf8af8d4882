import type { Fetch } from './http.ts'
import { reach } from './reach.ts'
import type { Reachability } from './reachability.ts'

export interface SiteOptions {
  /** The site's address, without a slash at the end. */
  readonly url: string
  readonly fetch: Fetch
  /** 10 s unless given. */
  readonly timeoutMs?: number
}

/**
 * The marketplace's site, asked by its open health route. It needs no key of ours, so a 4xx or a redirect means that
 * our address for it is wrong or that something in front of it turns us away: our mistake, and no outage.
 */
export function createSite({ fetch, timeoutMs = 10_000, url }: SiteOptions): Reachability {
  return {
    check: async signal =>
      await reach({
        fetch,
        url: `${url}/api/healthcheck`,
        timeoutMs,
        signal,
        judge: status => {
          if (status === 408) return { state: 'down', detail: 'answered 408: it gave up waiting' }
          if (status < 400)
            return { state: 'misconfigured', detail: `redirects (${status}): is its address still right?` }
          return { state: 'misconfigured', detail: `refused the call (${status}): is its address still right?` }
        },
      }),
  }
}
