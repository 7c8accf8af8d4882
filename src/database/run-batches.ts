import { createBatches } from './batches.ts'
import type { Db } from './connection.ts'
import { type Claim, type ClaimRequest, claimRun, claimRuns, closeRun, closeRuns, type RunClosing } from './runs.ts'

/** `claimRun` and `closeRun` of database/runs.ts, for callers that come many at a time. */
export interface RunBatches {
  readonly claim: (request: ClaimRequest) => Promise<Claim>
  readonly close: (closing: RunClosing) => Promise<boolean>
}

// Together under half of the pool: jobs, pings and health need connections too.
const limits = { maxInFlight: 2, maxSize: 32 }

/** Lets deliveries that arrive together share one statement and one commit. Make one for each pool. */
export function createRunBatches(db: Db): RunBatches {
  return {
    claim: createBatches<ClaimRequest, Claim>({
      ...limits,
      compare: (a, b) => compareText(a.job, b.job) || compareText(a.messageId, b.messageId),
      runAll: async requests => await claimRuns(db, requests),
      runOne: async request => await claimRun(db, request),
    }),
    close: createBatches<RunClosing, boolean>({
      ...limits,
      compare: (a, b) => compareText(a.job, b.job) || compareText(a.runId, b.runId),
      runAll: async closings => await closeRuns(db, closings),
      runOne: async closing => await closeRun(db, closing),
    }),
  }
}

/** Not by locale: two processes must agree. */
function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
