import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../database/connection.ts'
import type { RunBatches } from '../database/run-batches.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Step } from './attempt.ts'
import type { OwedPings, Providers } from './context.ts'

/** Everything a run needs from outside, put together in app.ts. */
export interface RunnerParts {
  readonly db: Db
  /** What opens and closes runs in `db`. */
  readonly runBatches: RunBatches
  readonly providers: Providers
  readonly ledger: Ledger
  readonly log: FastifyBaseLogger
  readonly clock: () => Date
  /** A new, time-ordered run id. */
  readonly newId: () => string
  /** This process, among all that share the database. */
  readonly owner: string
  readonly leaseMs: number
  /** Jobs whose heartbeat is configured: only they get ping rows. */
  readonly jobsWithHeartbeat: ReadonlySet<string>
  readonly sendOwedPings: () => Promise<OwedPings>
  /** Sends the notices that are due, after a run of a job that tells people. */
  readonly sendDueNotices: () => Promise<unknown>
  /** Who is told of jobs that keep failing, by the vendor's id; nobody unless given. */
  readonly alertRecipient?: string | undefined
  /** Says in words what is wrong at this moment, for those who are told; what takes long is left out. */
  readonly describeMoment?: () => Promise<string>
  /** Stops or kills a run at a named moment, in tests. */
  readonly onStep?: (step: Step, runId: string) => Promise<void> | void
}
