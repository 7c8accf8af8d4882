const firstWaitMs = 30_000
const maxWaitMs = 60 * 60_000
const maxRetryAfterMs = 24 * 60 * 60_000
const keyWaitMs = 5 * 60_000
// Of each wait: enough to spread those that failed together, too little to matter to a reader.
const spread = 0.2

/** How long until the next try after this many: 30 s, doubling up to an hour, a little less by chance. */
export function waitAfter(attempts: number, random: () => number): number {
  const fullMs = Math.min(maxWaitMs, firstWaitMs * 2 ** Math.min(Math.max(0, attempts - 1), 20))
  return Math.ceil(fullMs * (1 - spread * random()))
}

/** Shorter: a key is mended at one stroke, and every notice waits for it. */
export function waitForKey(attempts: number, random: () => number): number {
  return Math.min(keyWaitMs, waitAfter(attempts, random))
}

/**
 * When the next try is. What is useful for a while only waits for a quarter of what is left of it at most, but 30 s, and so
 * is tried until shortly before its end. Nothing is tried sooner than the vendor asked (`retryAfterMs`, at most a day);
 * what has stopped being useful by then is due right after its end, to be dropped.
 */
export function nextTry(now: Date, waitMs: number, usefulUntil: Date | null, retryAfterMs = 0): Date {
  const notBeforeMs = Math.min(retryAfterMs, maxRetryAfterMs)
  if (usefulUntil === null) return after(now, Math.max(waitMs, notBeforeMs))
  const leftMs = usefulUntil.getTime() - now.getTime()
  const briefMs = Math.min(waitMs, Math.max(firstWaitMs, leftMs / 4))
  return after(now, Math.max(0, Math.min(Math.max(briefMs, notBeforeMs), leftMs + 1)))
}

function after(now: Date, ms: number): Date {
  return new Date(now.getTime() + Math.ceil(ms))
}
