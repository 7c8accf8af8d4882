const firstWaitMs = 30_000
const maxWaitMs = 60 * 60_000
const maxRetryAfterMs = 24 * 60 * 60_000
const keyWaitMs = 5 * 60_000
// Of each wait: enough to spread those that failed together, too little to matter to a reader.
const spread = 0.2

/** How long until the next try after this many: 30 s, doubling up to an hour, a little less by chance, never sooner than asked. */
export function waitAfter(attempts: number, random: () => number, retryAfterMs = 0): number {
  const fullMs = Math.min(maxWaitMs, firstWaitMs * 2 ** Math.min(Math.max(0, attempts - 1), 20))
  return Math.ceil(Math.max(fullMs * (1 - spread * random()), Math.min(retryAfterMs, maxRetryAfterMs)))
}

/** Shorter: a key is mended at one stroke, and every notice waits for it. */
export function waitForKey(attempts: number, random: () => number): number {
  return Math.min(keyWaitMs, waitAfter(attempts, random))
}

/** When the next try is, at most: what has stopped being useful is due at once, to be dropped. */
export function nextTry(now: Date, waitMs: number, usefulUntil: Date | null): Date {
  const at = now.getTime() + waitMs
  return new Date(
    usefulUntil !== null && usefulUntil.getTime() < at ? Math.max(now.getTime(), usefulUntil.getTime() + 1) : at,
  )
}
