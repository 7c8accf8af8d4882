import type { FastifyBaseLogger } from 'fastify'
import type { Lease } from '../database/leases.ts'
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
  const lease = keepClaimed(claim, { job: job.name, askedAt, controller, log }, parts)
  const marginMs = Math.min(job.timeoutMs * marginShare, maxMarginMs)
  return {
    context: toContext(job.name, claim, { now, log, lease, signal: controller.signal }, parts),
    lease: lease?.keeper,
    log,
    durationMs,
    isNearDeadline: () => performance.now() - startedAt >= job.timeoutMs - marginMs,
    onStep: async step => {
      await parts.onStep?.(step, claim.runId)
    },
    end: () => {
      clearTimeout(deadline)
      lease?.keeper.stop()
    },
  }
}

interface KeptLease {
  readonly holding: Lease
  readonly keeper: LeaseKeeper
}

interface Keeping {
  readonly job: string
  readonly askedAt: number
  readonly controller: AbortController
  readonly log: FastifyBaseLogger
}

/** Undefined for a claim without a lease, as of a dry run. */
function keepClaimed({ term }: Claimed, keeping: Keeping, { db, leaseMs, owner }: RunnerParts): KeptLease | undefined {
  if (term === null) return undefined
  const { askedAt, controller, job, log } = keeping
  const holding = { job, owner, term }
  const onLost = (): void => {
    controller.abort(new StopSignal('lease_lost'))
  }
  return { holding, keeper: keepLease({ db, lease: holding, leaseMs, askedAt, log, onLost }) }
}

interface AttemptsOwn extends Pick<JobContext, 'log' | 'now' | 'signal'> {
  readonly lease: KeptLease | undefined
}

function toContext(
  job: string,
  { attempt, runId }: Claimed,
  { lease, log, now, signal }: AttemptsOwn,
  { clock, db, ledger, providers, sendOwedPings }: RunnerParts,
): JobContext {
  const held = lease && { ...lease.holding, isHeld: () => lease.keeper.isHeld() }
  return { runId, job, attempt, now, clock, signal, log, db, lease: held, providers, ledger, sendOwedPings }
}
