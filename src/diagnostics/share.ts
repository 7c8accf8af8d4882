type Ask<T> = (signal: AbortSignal) => Promise<T>

/** Lets several looks of one moment have one call: who asks while it is under way, and not given up, gets its answer. */
export function shareCall<T>(ask: Ask<T>): Ask<T> {
  let underway: { readonly signal: AbortSignal; readonly answer: Promise<T> } | undefined
  return async signal => {
    if (underway !== undefined && !underway.signal.aborted) return await underway.answer
    const mine = { signal, answer: ask(signal) }
    underway = mine
    try {
      return await mine.answer
    } finally {
      if (underway === mine) underway = undefined
    }
  }
}
