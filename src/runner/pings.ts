import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { countOwedPings } from '../database/heartbeat-pings.ts'
import { toError } from '../errors.ts'
import type { OwedPings } from './context.ts'
import { claimDue, deliverPing, type PingParts, type PingTally } from './deliver-ping.ts'

/** What pings need from outside. */
export type PingsOptions = Omit<PingParts, 'random' | 'stop' | 'claimMs'> & {
  /** From 0 up to 1; spreads the waits between tries. */
  readonly random?: () => number
}

export interface Pings {
  /**
   * Sends what is owed, whoever wrote it, and resolves when everything owed at the time of the call was delivered,
   * dropped or left for later. Calls during a pass share the next look at the database. Rejects only when the database
   * cannot say what is owed.
   */
  sendOwed(): Promise<OwedPings>
  /** Makes a last pass; what has not arrived after `budgetMs` stays owed. Afterwards `sendOwed` does nothing. */
  close(budgetMs: number): Promise<void>
}

// More than there are heartbeats, so that a host that hangs holds up nobody but itself.
const maxAtOnce = 16
// A claim outlives the longest try by what recording its end may take when the database is slow.
const claimMarginMs = 20_000
const closeReserveMs = 500

/** Delivers heartbeat pings from their rows, at least once, the newest of each heartbeat only. */
export function createPings(options: PingsOptions): Pings {
  const stop = new AbortController()
  const parts: PingParts = {
    ...options,
    random: options.random ?? Math.random,
    stop: stop.signal,
    claimMs: Math.max(0, ...[...options.heartbeats.values()].map(({ timeoutMs }) => timeoutMs)) + claimMarginMs,
  }
  const underWay = new Set<Promise<PingTally>>()
  const startDue = share(async () => await startWhatIsDue(underWay, parts))
  const countOwed = share(async () => await countOwedPings(options.db))

  const sendOwed = async (): Promise<OwedPings> => {
    const total: PingTally = { delivered: 0, dropped: 0 }
    let more = true
    while (more) {
      const due = await startDue()
      for (const tally of [due, ...(await Promise.all(underWay))]) add(total, tally)
      more = due.full && !stop.signal.aborted
    }
    return { ...total, owed: await countOwed() }
  }

  let closing: Promise<void> | undefined
  return {
    sendOwed: async () => (closing === undefined ? await sendOwed() : { delivered: 0, dropped: 0, owed: 0 }),
    close: async budgetMs => {
      closing ??= finishWithin(sendOwed(), budgetMs, stop, options.log)
      await closing
    },
  }
}

/** Claims what is due and begins to deliver it. `full`: there may be more than could be begun at once. */
async function startWhatIsDue(
  underWay: Set<Promise<PingTally>>,
  parts: PingParts,
): Promise<PingTally & { full: boolean }> {
  const limit = parts.stop.aborted ? 0 : Math.max(0, maxAtOnce - underWay.size)
  const { claimed, dropped } = await claimDue(parts, { limit })
  for (const ping of claimed) {
    const delivery = deliverPing(ping, parts).finally(() => underWay.delete(delivery))
    underWay.add(delivery)
  }
  return { delivered: 0, dropped, full: claimed.length === limit }
}

function add(total: PingTally, { delivered, dropped }: PingTally): void {
  total.delivered += delivered
  total.dropped += dropped
}

/** One at a time; calls meanwhile share one more, which begins afterwards and so sees what they had written before. */
function share<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  let next: Promise<T> | undefined
  const start = async (): Promise<T> => {
    running = work().finally(() => {
      running = undefined
    })
    return await running
  }
  return async () => {
    if (running === undefined) return await start()
    next ??= running
      .catch(() => {})
      .then(async () => {
        next = undefined
        return await (running ?? start())
      })
    return await next
  }
}

/** Waits for the last pass, cuts its sends off shortly before the budget ends, and gives up at its end. */
async function finishWithin(
  pass: Promise<OwedPings>,
  budgetMs: number,
  stop: AbortController,
  log: FastifyBaseLogger,
): Promise<void> {
  const over = pass.then(
    () => true,
    (thrown: unknown) => {
      log.warn({ err: toError(thrown) }, 'last heartbeat pings could not be looked up')
      return true
    },
  )
  const reserveMs = Math.min(closeReserveMs, budgetMs / 2)
  if (await Promise.race([over, sleep(budgetMs - reserveMs, false, { ref: false })])) return
  stop.abort()
  await Promise.race([over, sleep(reserveMs, false, { ref: false })])
}
