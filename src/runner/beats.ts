import { closeAbandonedRuns } from '../database/runs.ts'
import type { NoticeSender } from '../notices/sender.ts'
import { announceRecoveries, raiseAbandoned, raiseUntold } from './alerts.ts'
import type { OwedPings } from './context.ts'
import type { Job } from './define-job.ts'
import { startEveryMinute } from './every-minute.ts'
import type { RunnerParts } from './parts.ts'
import type { Pings } from './pings.ts'

export type Beat = ReturnType<typeof startEveryMinute>

export interface BeatParts extends RunnerParts {
  readonly jobs: ReadonlyMap<string, Job>
  readonly notices: NoticeSender
  readonly pings: Pings
}

/** What is looked at every minute: runs, pings and alerts together, notices by themselves, because their vendor may be slow, and what it has of their workflows. */
export function startBeats(parts: BeatParts): readonly Beat[] {
  const { clock, db, jobs, log, notices, pings } = parts
  const closeAbandoned = async (): Promise<void> => {
    await raiseAbandoned(await closeAbandonedRuns(db, clock()), jobs, parts)
  }
  const untold = async (): Promise<void> => await raiseUntold(jobs, parts)
  const sendOwedPings = async (): Promise<OwedPings> => await pings.sendOwed()
  const recoveries = async (): Promise<void> => await announceRecoveries(parts)
  const sendDueNotices = async (): Promise<unknown> => await notices.sendDue()
  const raiseUndelivered = async (): Promise<void> => await notices.raiseUndelivered()
  const compareWorkflows = async (): Promise<void> => await notices.compareWorkflows()
  return [
    startEveryMinute({ log, steps: [closeAbandoned, untold, recoveries, sendOwedPings] }),
    startEveryMinute({ log, steps: [sendDueNotices, raiseUndelivered] }),
    startEveryMinute({ log, steps: [compareWorkflows] }),
  ]
}
