import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../database/connection.ts'
import type { HeldLease } from '../database/leases.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { CalendarTokens } from '../providers/clerk.ts'
import type { PaymentReads } from '../providers/payments.ts'
import type { Reachability } from '../providers/reachability.ts'

/** A run's view of the world: the only door from a job to anything outside it. */
export interface JobContext {
  readonly runId: string
  readonly job: string
  readonly attempt: number
  /** Taken once per run, for plans. */
  readonly now: Date
  /** The time right before an effect. */
  readonly clock: () => Date
  /** Fires at the deadline, when the lease is lost and when the process has to end. Hand it to every call. */
  readonly signal: AbortSignal
  /** Child logger with job, run and attempt. */
  readonly log: FastifyBaseLogger
  readonly db: Db
  /** The run's lease; undefined in a dry run. What begins an effect of money requires it in its own statement. */
  readonly lease: HeldLease | undefined
  readonly providers: Providers
  /** The only way to move money. */
  readonly ledger: Ledger
  /** Sends the heartbeat pings that are still owed, and says how many went out and how many are still owed. */
  readonly sendOwedPings: () => Promise<OwedPings>
}

/** The outside world, by what our jobs need of it. */
export interface Providers {
  /** The marketplace's site: does it answer, and how fast? */
  readonly site: Reachability
  /** The scheduler's API; undefined when no token is configured. */
  readonly qstash: Reachability | undefined
  /** What Stripe says; writing is the ledger's alone. */
  readonly payments: PaymentReads
  /** Experts' calendar tokens; undefined when Clerk is not configured. */
  readonly calendarTokens: CalendarTokens | undefined
}

export interface OwedPings {
  readonly delivered: number
  readonly dropped: number
  readonly owed: number
}
