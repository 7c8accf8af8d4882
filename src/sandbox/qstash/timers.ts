/** Virtual time: what QStash would wait for, in milliseconds, passes `speed` times faster here. */
export interface Timers {
  /** Runs `run` once after `virtualMs`; the answer takes it back. */
  after(virtualMs: number, run: () => void): () => void
  /** Takes everything back; nothing runs afterwards. */
  close(): void
}

// setTimeout reads a longer delay as none at all.
const longestMs = 2 ** 31 - 1

/** Timers that run `speed` times faster than asked for; they keep the process alive until they are closed. */
export function createTimers(speed: number): Timers {
  const running = new Set<NodeJS.Timeout>()
  let closed = false
  const arm = (realMs: number, run: () => void, started: (timer: NodeJS.Timeout) => void): void => {
    if (closed) return
    const timer = setTimeout(
      () => {
        running.delete(timer)
        if (realMs > longestMs) arm(realMs - longestMs, run, started)
        else run()
      },
      Math.min(Math.max(realMs, 0), longestMs),
    )
    running.add(timer)
    started(timer)
  }
  return {
    after: (virtualMs, run) => {
      let current: NodeJS.Timeout | undefined
      arm(virtualMs / speed, run, timer => {
        current = timer
      })
      return () => {
        clearTimeout(current)
        if (current !== undefined) running.delete(current)
      }
    },
    close: () => {
      closed = true
      for (const timer of running) clearTimeout(timer)
      running.clear()
    },
  }
}
