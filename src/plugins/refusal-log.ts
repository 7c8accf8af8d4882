import type { FastifyBaseLogger } from 'fastify'

export interface RefusalLog {
  /** Counts one refusal, and writes a line unless one was written a moment ago. */
  record(reason: string): void
  /** Writes what was counted and not yet written. */
  flush(): void
}

const quietMs = 10_000

/**
 * Tells of refused calls in one line per 10 seconds at most, with the number for each reason: ten thousand forgeries
 * must not fill the log, and one misconfigured key must still show. Starts no timer.
 */
export function createRefusalLog(log: FastifyBaseLogger, clock: () => Date): RefusalLog {
  let counts = new Map<string, number>()
  let writtenAt = Number.NEGATIVE_INFINITY

  const flush = () => {
    if (counts.size === 0) return
    const refused = [...counts.values()].reduce((sum, count) => sum + count, 0)
    log.warn({ refused, reasons: Object.fromEntries(counts) }, 'calls were refused for their signature or secret')
    counts = new Map()
    writtenAt = clock().getTime()
  }
  return {
    record: reason => {
      counts.set(reason, (counts.get(reason) ?? 0) + 1)
      if (clock().getTime() - writtenAt >= quietMs) flush()
    },
    flush,
  }
}
