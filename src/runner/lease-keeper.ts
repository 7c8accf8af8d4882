import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../database/connection.ts'
import { type Lease, type LeaseState, readLeaseState, renewLease } from '../database/leases.ts'
import { toError } from '../errors.ts'

/** Four beats fit into a lease, so that three may fail before it is lost. */
const beatsPerLease = 4

export interface LeaseKeeper {
  /** Asks the database, right before an effect. */
  read(): Promise<LeaseState>
  /** Whether it can still be believed to be ours, without asking: by the monotonic clock, since the last confirmation. */
  isHeld(): boolean
  /** Ends the renewals; the lease itself is released when the run is closed, or runs out. */
  stop(): void
}

export interface LeaseKeeperOptions {
  readonly db: Db
  readonly lease: Lease
  readonly leaseMs: number
  /** When the lease was asked for, by performance.now(). */
  readonly askedAt: number
  readonly log: FastifyBaseLogger
  /** Called once, when the lease is somebody else's or can no longer be believed to be ours. */
  readonly onLost: () => void
}

/** Renews a lease until told to stop, and tells when it is lost: refused by the database, or not confirmed for its whole length. */
export function keepLease({ askedAt: claimedAt, db, lease, leaseMs, log, onLost }: LeaseKeeperOptions): LeaseKeeper {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let lost = false
  // Counted from before each request, so that a slow answer cannot stretch what we believe.
  let confirmedAt = claimedAt

  const stop = (): void => {
    stopped = true
    clearTimeout(timer)
  }
  const lose = (): void => {
    if (stopped) return
    lost = true
    stop()
    onLost()
  }
  const schedule = (): void => {
    if (!stopped) timer = setTimeout(() => void beat(), leaseMs / beatsPerLease)
  }
  const beat = async (): Promise<void> => {
    const askedAt = performance.now()
    const trust = setTimeout(lose, Math.max(0, leaseMs - (askedAt - confirmedAt)))
    try {
      const { held } = await renewLease(db, lease, leaseMs)
      if (!held) return lose()
      confirmedAt = askedAt
    } catch (thrown) {
      log.warn({ err: toError(thrown) }, 'lease renewal failed')
      if (performance.now() - confirmedAt >= leaseMs) return lose()
    } finally {
      clearTimeout(trust)
    }
    schedule()
  }
  schedule()
  return {
    read: async () => await readLeaseState(db, lease),
    isHeld: () => !lost && performance.now() - confirmedAt < leaseMs,
    stop,
  }
}
