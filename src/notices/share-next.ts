/** One at a time; calls meanwhile share one more, which begins afterwards. */
export function shareNext<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  let next: Promise<T> | undefined
  const begin = async (): Promise<T> => {
    next = undefined
    running = work()
    try {
      return await running
    } finally {
      running = undefined
    }
  }
  return async () => {
    if (running === undefined) return await begin()
    next ??= running.then(begin, begin)
    return await next
  }
}
