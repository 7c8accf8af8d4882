import type { FastifyBaseLogger } from 'fastify'
import type { Claimed } from '../database/runs.ts'
import type { Step } from './attempt.ts'
import type { JobContext } from './context.ts'
import type { Delivery } from './delivery.ts'
import { keepLease, type LeaseKeeper } from './lease-keeper.ts'
import type { RunnerParts } from './parts.ts'
import { StopSignal } from './stop-signal.ts'

/** A tenth of the deadline, at most 10 s: enough to finish one effect and to close the run. */
const marginShare = 0.1
const maxMarginMs = 10_000

export interface OpenAttempt {
  readonly context: JobContext
  readonly lease: LeaseKeeper | undefined
  readonly log: FastifyBaseLogger
  readonly isNearDeadline: () => boolean
  readonly durationMs: () => number
  readonly onStep: (step: Step) => Promise<void>
  /** Gives back the timers. */
  readonly end: () => void
}

/**
 * Starts the clocks of a claimed attempt: its deadline, its lease's renewals, and the context the job works with.
 * `askedAt` is when the claim was asked for, by performance.now().
 */
export function openAttempt(
  { job }: Delivery,
  claim: Claimed,
  now: Date,
  controller: AbortController,
  askedAt: number,
  parts: RunnerParts,
): OpenAttempt {
  const startedAt = performance.now()
  const durationMs = (): number => Math.round(performance.now() - startedAt)
  const log = parts.log.child({ job: job.name, runId: claim.runId, attempt: claim.attempt })
  const deadline = setTimeout(() => {
    controller.abort(new StopSignal('deadline'))
  }, job.timeoutMs)
  const holding = claim.term === null ? undefined : { job: job.name, owner: parts.owner, term: claim.term }
  const lease =
    holding === undefined
      ? undefined
      : keepLease({
          db: parts.db,
          lease: holding,
          leaseMs: parts.leaseMs,
          askedAt,
          log,
          onLost: () => {
            controller.abort(new StopSignal('lease_lost'))
          },
        })
  const marginMs = Math.min(job.timeoutMs * marginShare, maxMarginMs)
  return {
    context: {
      runId: claim.runId,
      job: job.name,
      attempt: claim.attempt,
      now,
      clock: parts.clock,
      signal: controller.signal,
      log,
      db: parts.db,
      lease: holding && lease && { ...holding, isHeld: () => lease.isHeld() },
      providers: parts.providers,
      ledger: parts.ledger,
      sendOwedPings: parts.sendOwedPings,
    },
    lease,
    log,
    durationMs,
    isNearDeadline: () => performance.now() - startedAt >= job.timeoutMs - marginMs,
    onStep: async step => {
      await parts.onStep?.(step, claim.runId)
    },
    end: () => {
      clearTimeout(deadline)
      lease?.stop()
    },
  }
}
