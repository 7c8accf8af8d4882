import { setTimeout as sleep } from 'node:timers/promises'
import { claimNotices } from '../database/outbox-claims.ts'
import { listOverdueKinds, resolveDelivered } from '../database/outbox-findings.ts'
import { recordFinding } from '../database/findings.ts'
import { toError } from '../errors.ts'
import { lookUpNotices } from './look-up-notices.ts'
import { rechecks } from './rechecks.ts'
import { recordLost } from './record-lost.ts'
import { sendNotices } from './send-notices.ts'
import {
  type Batch,
  createHold,
  type NoticeTally,
  type SenderParts,
  type SenderTimes,
  usualTimes,
} from './sender-parts.ts'
import { shareNext } from './share-next.ts'
import { undeliveredFinding } from './vendor-findings.ts'
import { createVendorHealth, type VendorHealth } from './vendor-health.ts'
import { createWorkflowWatch } from './vendor-workflows.ts'
import { closeReachable } from './unreachable.ts'
import { closeMendedZones } from './zone-findings.ts'

export type { NoticeStep, NoticeTally, SenderTimes } from './sender-parts.ts'

type Optional = 'onStep' | 'random' | 'rechecks'

/** What the sender needs from outside. */
export type NoticeSenderOptions = Omit<SenderParts, 'stop' | 'times' | 'watch' | Optional> &
  Partial<Pick<SenderParts, Optional>> & {
    readonly times?: Partial<SenderTimes>
    /** Sends nothing, and leaves what is due to others. */
    readonly isSilent?: boolean
  }

export interface NoticeSender {
  /**
   * Sends and looks up what is due, whoever wrote it. One pass at a time; calls during a pass share the next one, which sees
   * what they had written. Rejects only when the database cannot be asked.
   */
  sendDue(): Promise<NoticeTally>
  /**
   * Tells operators of notices that have not gone out for a day, and takes it back when they have; closes what was said of
   * zones that were corrected. Looks every 15 minutes at most.
   */
  raiseUndelivered(): Promise<void>
  /** Compares the workflows at the vendor with ours when it is time, as `WorkflowWatch` says. Nobody needs to wait for it. */
  compareWorkflows(): Promise<void>
  /** Makes a last pass; what has no answer when `budgetMs` end is looked up later. Afterwards `sendDue` does nothing. */
  close(budgetMs: number): Promise<void>
}

const batchSize = 100
// Of notices that try out a vendor that was in trouble: more than one, because one alone may be what it chokes on.
const probeSize = 3
// The rest waits for the next minute: a pass is shared, and somebody may wait for its end.
const maxBatches = 20
const overdueEveryMs = 15 * 60_000
const overdueMs = 24 * 60 * 60_000
const manyTries = 6
const closeReserveMs = 500

/** Delivers notices from their rows, each once. */
export function createNoticeSender({ isSilent = false, ...options }: NoticeSenderOptions): NoticeSender {
  const stop = new AbortController()
  const stopComparing = new AbortController()
  const outside = {
    random: Math.random,
    rechecks,
    onStep: () => {},
    ...options,
    times: { ...usualTimes, ...options.times },
  }
  const watch = createWorkflowWatch(outside, stopComparing.signal)
  const parts: SenderParts = { ...outside, stop: stop.signal, watch }
  const life: Life = {
    claims: 0,
    health: createVendorHealth(parts),
    beginBeforeMs: Infinity,
    overdueLookedAt: -Infinity,
  }
  const pass = shareNext(async () => (isSilent ? emptyTally() : await deliverDue(parts, life)))
  let closing: Promise<void> | undefined
  return {
    sendDue: async () => (closing === undefined ? await pass() : emptyTally()),
    raiseUndelivered: async () => {
      const now = parts.clock()
      if (isSilent || now.getTime() - life.overdueLookedAt < overdueEveryMs) return
      life.overdueLookedAt = now.getTime()
      await raiseUndelivered(now, parts)
      await closeMendedZones(parts.db, now)
      await closeReachable(parts.db, now)
    },
    compareWorkflows: async () => {
      if (!isSilent) await watch.compare()
    },
    close: async budgetMs => {
      stopComparing.abort()
      life.beginBeforeMs = performance.now() + budgetMs / 2
      closing ??= finishWithin(pass(), budgetMs, stop, parts)
      await closing
    },
  }
}

interface Life {
  claims: number
  readonly health: VendorHealth
  /** No batch begins after this `performance.now()`. */
  beginBeforeMs: number
  overdueLookedAt: number
}

async function deliverDue(parts: SenderParts, life: Life): Promise<NoticeTally> {
  const tally = emptyTally()
  for (let batches = 0; batches < maxBatches && performance.now() < life.beginBeforeMs; batches += 1) {
    if (!(await deliverBatch(tally, parts, life))) break
  }
  return tally
}

/** Whether there may be more, and the vendor would take it. */
async function deliverBatch(tally: NoticeTally, parts: SenderParts, life: Life): Promise<boolean> {
  const { clock, db, log, onStep, owner, times } = parts
  life.claims += 1
  const hold = createHold(`${owner}#${life.claims}`, times)
  const { claimMs, lookUpAfterMs } = times
  const isCautious = life.health.isCautious()
  const limit = isCautious ? probeSize : batchSize
  const claiming = { claim: hold.claim, limit, claimMs, lookUpAfterMs, now: clock() }
  const { dropped, full, toLookUp, toSend } = await db.transaction().execute(async trx => {
    const claims = await claimNotices(trx, claiming)
    const lost = claims.dropped.map(({ kind }) => kind)
    if (lost.length > 0) await recordLost(trx, lost, parts)
    return claims
  })
  tally.dropped += dropped.length
  for (const { id, kind } of dropped) log.warn({ notice: id, kind }, 'notice came too late')
  if (toSend.length + toLookUp.length === 0) return full
  await onStep('claimed')
  const batch: Batch = { parts, hold, tally, isCautious, troubleCode: '' }
  const [sent, lookedUp] = [await sendNotices(toSend, batch), await lookUpNotices(toLookUp, batch)]
  await life.health.hear({ sent, lookedUp, code: batch.troubleCode })
  return sent !== 'trouble' && lookedUp !== 'trouble' && (full || isCautious)
}

async function raiseUndelivered(now: Date, { db, log }: SenderParts): Promise<void> {
  const overdue = await listOverdueKinds(db, new Date(now.getTime() - overdueMs), manyTries)
  for (const { count, kind, oldest } of overdue) {
    const fresh = await recordFinding(db, undeliveredFinding(kind, count, oldest), now)
    if (fresh) log.error({ kind, count }, 'notices are not delivered')
  }
  const kinds = overdue.map(({ kind }) => kind)
  await resolveDelivered(db, kinds, now)
}

/** Waits for the last pass, cuts its calls off shortly before the budget ends, and gives up at its end. */
async function finishWithin(pass: Promise<unknown>, budgetMs: number, stop: AbortController, { log }: SenderParts) {
  const over = pass.then(
    () => true,
    (thrown: unknown) => {
      log.warn({ err: toError(thrown) }, 'last notices could not be sent')
      return true
    },
  )
  const reserveMs = Math.min(closeReserveMs, budgetMs / 2)
  if (await Promise.race([over, sleep(budgetMs - reserveMs, false, { ref: false })])) return
  stop.abort()
  await Promise.race([over, sleep(reserveMs, false, { ref: false })])
}

function emptyTally(): NoticeTally {
  return { sent: 0, dropped: 0, poison: 0, unknown: 0, later: 0 }
}
