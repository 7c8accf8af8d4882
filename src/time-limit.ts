/**
 * A limit of time that always comes. `AbortSignal.any` with `AbortSignal.timeout` is none: when nobody listens at the moment
 * at which the time is up, the timeout may be collected as garbage before anybody looks, and the signal never ends (Node 24).
 */

export interface TimeLimit {
  /** Ends with a caller, for its reason, or with a `TimeoutError` when the time is up. */
  readonly signal: AbortSignal
  /** Lets go of the timer and of the callers. Call it when what was limited is over, its answer read. */
  readonly clear: () => void
}

/** Starts a limit of `timeoutMs`; it holds itself until it is cleared. */
export function limitTime(timeoutMs: number, ...callers: readonly AbortSignal[]): TimeLimit {
  const limit = new AbortController()
  const timer = setTimeout(() => {
    limit.abort(new DOMException(`no answer within ${timeoutMs} ms`, 'TimeoutError'))
  }, timeoutMs)
  const ends = callers.map(caller => {
    const end = (): void => {
      limit.abort(caller.reason)
    }
    if (caller.aborted) end()
    // Removed by `clear`: a caller may live as long as the process.
    caller.addEventListener('abort', end, { once: true })
    return () => {
      caller.removeEventListener('abort', end)
    }
  })
  return {
    signal: limit.signal,
    clear: () => {
      clearTimeout(timer)
      for (const letGo of ends) letGo()
    },
  }
}

/** Gives what `use` gives, which has the signal to end by. */
export async function withinTime<T>(
  caller: AbortSignal,
  timeoutMs: number,
  use: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clear, signal } = limitTime(timeoutMs, caller)
  try {
    return await use(signal)
  } finally {
    clear()
  }
}
