import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../database/connection.ts'
import { recordFinding, resolveFinding } from '../database/findings.ts'
import { type ClaimedPing, claimPings, finishPing, returnPing } from '../database/heartbeat-pings.ts'
import { toError } from '../errors.ts'
import type { HeartbeatSender, SendResult } from '../providers/heartbeat.ts'

export interface Heartbeat {
  readonly url: string
  /** For one try. */
  readonly timeoutMs: number
}

export interface PingParts {
  readonly db: Db
  readonly sender: HeartbeatSender
  /** By job name. Pings of other jobs are left to a process that knows their heartbeat, and dropped when out of date. */
  readonly heartbeats: ReadonlyMap<string, Heartbeat>
  readonly clock: () => Date
  /** This process, among all that share the database. */
  readonly owner: string
  readonly log: FastifyBaseLogger
  readonly random: () => number
  /** Fires when the process can wait no longer: what is on its way is given back. */
  readonly stop: AbortSignal
  /** How long nobody else may send a ping that was claimed. */
  readonly claimMs: number
}

export interface PingTally {
  delivered: number
  dropped: number
}

const triesInline = 3
const inlineBudgetMs = 15_000
const firstWaitMs = 500
const maxWaitMs = 5 * 60_000
const minWaitMs = 50
const findingKind = 'heartbeat-unknown'

/** Claims what is due, of one job or of all, and says how many were dropped on the way. */
export async function claimDue(parts: PingParts, { job, limit }: { readonly job?: string; readonly limit: number }) {
  const { claimMs, clock, db, heartbeats, log, owner } = parts
  const jobs = [...heartbeats.keys()]
  const wanted = { owner, jobs, limit, claimMs, now: clock(), ...(job === undefined ? {} : { job }) }
  const { claimed, dropped } = await claimPings(db, wanted)
  for (const { id, job: name, kind, note } of dropped) {
    log[note === 'superseded' ? 'debug' : 'warn']({ job: name, ping: id, kind, note }, 'heartbeat ping dropped')
  }
  return { claimed, dropped: dropped.length }
}

/**
 * Tries a ping a few times and then whatever its heartbeat owes next, so that a newer ping need not wait for the next
 * minute. Never rejects: a ping whose end could not be recorded goes out again when its claim has run out.
 */
export async function deliverPing(first: ClaimedPing, parts: PingParts): Promise<PingTally> {
  const tally: PingTally = { delivered: 0, dropped: 0 }
  let ping = first
  let tries = 0
  let startedAt = performance.now()
  try {
    for (;;) {
      tries += 1
      const waitMs = await tryOnce(ping, tally, parts)
      if (parts.stop.aborted) return tally
      const endMs = performance.now() - startedAt + waitMs + timeoutOf(ping, parts)
      // Not again at once; a newer ping of this heartbeat may be due all the same.
      if (waitMs > 0 && tries < triesInline && endMs <= inlineBudgetMs) await pause(waitMs, parts.stop)
      const next = await claimDue(parts, { job: ping.job, limit: parts.stop.aborted ? 0 : 1 })
      tally.dropped += next.dropped
      const [nextPing] = next.claimed
      if (nextPing === undefined) return tally
      if (nextPing.id !== ping.id) [tries, startedAt] = [0, performance.now()]
      ping = nextPing
    }
  } catch (thrown) {
    parts.log.error({ err: toError(thrown), job: ping.job, ping: ping.id }, 'heartbeat ping could not be recorded')
    return tally
  }
}

/** Sends once and records what came of it. Returns how long to wait before the next try, 0 when there is none. */
async function tryOnce(ping: ClaimedPing, tally: PingTally, parts: PingParts): Promise<number> {
  const url = parts.heartbeats.get(ping.job)?.url ?? ''
  const { attempts, body, id, job, kind } = ping
  const result = await parts.sender.send({
    url,
    kind,
    body,
    timeoutMs: timeoutOf(ping, parts),
    signal: parts.stop,
  })
  const log = parts.log.child({ job, ping: id, kind, attempts, heartbeat: parts.sender.describe(url) })
  switch (result.outcome) {
    case 'delivered':
      tally.delivered += 1
      log.debug('heartbeat ping delivered')
      await recordArrival(ping, parts)
      return 0
    case 'permanent':
      tally.dropped += 1
      log.error({ reason: result.reason }, 'heartbeat ping refused')
      await recordRefusal(ping, result.reason, parts)
      return 0
    case 'retryable': {
      const waitMs = parts.stop.aborted ? 0 : waitAfter(result, attempts, parts.random)
      if (!parts.stop.aborted) log.warn({ reason: result.reason, waitMs }, 'heartbeat ping did not arrive yet')
      await returnPing(parts.db, ping, new Date(parts.clock().getTime() + waitMs), result.reason)
      return waitMs
    }
  }
}

async function recordArrival(ping: ClaimedPing, { clock, db }: PingParts): Promise<void> {
  const now = clock()
  await finishPing(db, ping, { state: 'delivered', note: null, now })
  await resolveFinding(db, findingKind, ping.job, 'eleva-jobs', now)
}

async function recordRefusal(ping: ClaimedPing, reason: string, { clock, db }: PingParts): Promise<void> {
  const { job, runId } = ping
  const now = clock()
  await finishPing(db, ping, { state: 'dropped', note: reason, now })
  const message =
    `the heartbeat of ${job} refused its ping (${reason}): compare the address in its variable with the monitor's, ` +
    'or nobody will hear when this job stops'
  await recordFinding(db, { kind: findingKind, subject: job, job, runId, message }, now)
}

/** Full jitter under a doubling ceiling, and never sooner than the other side asked. */
function waitAfter(result: Extract<SendResult, { outcome: 'retryable' }>, attempts: number, random: () => number) {
  const ceilingMs = Math.min(maxWaitMs, firstWaitMs * 2 ** Math.min(attempts - 1, 20))
  return Math.ceil(Math.max(minWaitMs, random() * ceilingMs, result.retryAfterMs ?? 0))
}

function timeoutOf({ job }: ClaimedPing, { heartbeats }: PingParts): number {
  return heartbeats.get(job)?.timeoutMs ?? 0
}

/** A little longer than asked, because timers may fire a moment early and the ping would not be due. */
async function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  await sleep(waitMs + 2, undefined, { signal }).catch(() => {})
}
