import pThrottle from 'p-throttle'

export interface Limiter {
  /** Waits for a turn in the lane, first come first served. Throws the signal's reason when it fires before. */
  takeTurn(lane: string, signal: AbortSignal): Promise<void>
}

export interface LimiterOptions {
  /** At most so many turns of one lane in any interval. */
  readonly limit: number
  readonly intervalMs: number
}

/** One limit per lane, for the whole process. Whoever gives up leaves no place taken behind. */
export function createLimiter(options: LimiterOptions): Limiter {
  const lanes = new Map<string, Lane>()
  return {
    takeTurn: async (name, signal) => {
      signal.throwIfAborted()
      let lane = lanes.get(name)
      if (lane === undefined) lanes.set(name, (lane = createLane(options)))
      await lane(signal)
    },
  }
}

type Lane = (signal: AbortSignal) => Promise<void>

function createLane({ intervalMs, limit }: LimiterOptions): Lane {
  const throttled = pThrottle({ limit, interval: intervalMs, strict: true })(async () => {})
  let last = Promise.resolve()
  const takeNext = async (before: Promise<void>, signal: AbortSignal): Promise<void> => {
    await before
    // Only the first in line asks for a place: p-throttle cannot take back a place that nobody needs any more.
    if (!signal.aborted) await throttled()
  }
  return async signal => {
    last = takeNext(last, signal)
    await orAborted(last, signal)
  }
}

async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => {
    reject(signal.reason as Error)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.race([work, aborted])
    signal.throwIfAborted()
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
