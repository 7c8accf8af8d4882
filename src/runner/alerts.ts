import type { Db } from '../database/connection.ts'
import {
  recordFinding,
  resolveCaughtUp,
  reopenDeclined,
  resolveDeclined,
  resolveRecovered,
  resolveUnseen,
} from '../database/findings.ts'
import { countFailuresInARow, listLeftovers, listUntoldFailures } from '../database/run-history.ts'
import type { AbandonedRun } from '../database/runs.ts'
import { isStreakTold, listUntoldRecoveries } from '../database/streaks.ts'
import { describeInTime, tellOfRecovery, tellOfStreak } from './alert-notices.ts'
import type { AttemptResult } from './attempt.ts'
import type { ClosedAttempt } from './close-attempt.ts'
import type { Job } from './define-job.ts'
import type { Delivery } from './delivery.ts'
import type { RunnerParts } from './parts.ts'
import { periodSeconds } from './slots.ts'

type StreakParts = Pick<RunnerParts, 'alertRecipient' | 'clock' | 'db' | 'describeMoment' | 'log'>

const usualAlertAfter = 3
const oneDaySeconds = 86_400
const leftoverRuns = 3
// Whoever closed the run needs a moment to tell of it; after a day it is the next run that matters.
const toldWithinMs = 60_000
const untoldForMs = 86_400_000
const fallsBehind = 'job-falls-behind'
const keepsFailing = 'job-failing'

/** After how many failed runs in a row operators hear of it: 1 for a financial job that runs once a day or less. */
export function alertAfter(job: Job): number {
  if (job.alertAfter !== undefined) return job.alertAfter
  return job.class === 'financial' && periodSeconds(job) >= oneDaySeconds ? 1 : usualAlertAfter
}

/**
 * Tells operators what a single run does not show: a streak of failures, once, runs that one after the other leave work
 * that is due until one leaves nothing, and what is over: as findings and log lines, and streaks as notices too.
 */
export async function raiseAlerts(
  delivery: Delivery,
  runId: string,
  result: AttemptResult,
  { ending }: ClosedAttempt,
  parts: RunnerParts,
): Promise<void> {
  // A stale plan is the operator's news, not the job's.
  if (delivery.dryRun || ending.planChanged === true) return
  const failed = ending.state === 'failed' || ending.state === 'incomplete'
  if (failed && (delivery.lastAttempt || ending.final)) await raiseStreak(delivery.job, runId, parts)
  if (ending.state !== 'succeeded' || result.report === null) return
  if (result.report.left > 0) {
    await raiseLeftovers(delivery.job, runId, parts)
    return
  }
  if ((result.plan?.unread ?? 0) === 0) await closeUnseen(delivery.job, parts)
}

/** A run whose process died tells nobody itself: its failures count all the same. For every minute. */
export async function raiseAbandoned(
  abandoned: readonly AbandonedRun[],
  jobs: ReadonlyMap<string, Job>,
  parts: StreakParts,
): Promise<void> {
  for (const { id, job: name } of abandoned) {
    parts.log.warn({ job: name, runId: id }, 'run was abandoned by its process')
    const job = jobs.get(name)
    if (job !== undefined) await raiseStreak(job, id, parts)
  }
}

/**
 * Tells of streaks whose last failure nobody could tell of, because the process died, or the database was away, between
 * closing the run and writing the finding. For every minute.
 */
export async function raiseUntold(jobs: ReadonlyMap<string, Job>, parts: StreakParts): Promise<void> {
  const ago = (ms: number): Date => new Date(parts.clock().getTime() - ms)
  for (const { attempt, final, job: name, runId } of await listUntoldFailures(
    parts.db,
    ago(untoldForMs),
    ago(toldWithinMs),
  )) {
    const job = jobs.get(name)
    if (job !== undefined && (final || attempt > job.retries)) await raiseStreak(job, runId, parts)
  }
}

/**
 * Ends the streaks of jobs that have succeeded since, and of those that have left nothing since, and what is told of
 * declined operations whose rows were settled, or wait again; tells operators once. For every minute, so that a run that went well costs
 * no statement more.
 */
export async function announceRecoveries(parts: Omit<StreakParts, 'describeMoment'>): Promise<void> {
  const { alertRecipient, clock, db, log } = parts
  for (const job of await resolveCaughtUp(db, fallsBehind, clock())) log.info({ job }, 'job has caught up')
  const now = clock()
  for (const { job } of await resolveRecovered(db, now)) log.info({ job }, 'job recovered')
  for (const streak of alertRecipient === undefined ? [] : await listUntoldRecoveries(db, alertRecipient))
    await db.transaction().execute(async trx => await tellOfRecovery(trx, streak, alertRecipient, now))
  for (const operationId of await resolveDeclined(db, clock()))
    log.info({ operationId }, 'what was declined is settled')
  for (const operationId of await reopenDeclined(db)) log.warn({ operationId }, 'what was declined waits again')
}

/**
 * A finding, and what operators are told: once a streak, also where somebody resolved the finding meanwhile. (1) Nothing
 * before there are enough failures, (2) the diagnostics of the moment, read outside of the transaction and only where
 * nobody was told yet, (3) finding and notice.
 */
async function raiseStreak(job: Job, runId: string, parts: StreakParts): Promise<void> {
  const { alertRecipient, clock, db, log } = parts
  const limit = alertAfter(job)
  if ((await countFailuresInARow(db, job.name, runId, limit)) < limit) return
  const isToldIn = async (from: Db): Promise<boolean> =>
    alertRecipient === undefined || (await isStreakTold(from, job.name, runId, alertRecipient))
  const isTold = await isToldIn(db)
  const moment = isTold ? '' : await describeInTime(parts)
  const message = `${job.name} has failed ${limit} time(s) in a row: read run ${runId}, mend the cause, then run it by hand`
  const finding = { kind: keepsFailing, subject: job.name, job: job.name, runId, message }
  const now = clock()
  const fresh = await db.transaction().execute(async trx => {
    const isNew = await recordFinding(trx, finding, now)
    const streak = { job: job.name, runs: limit, runId, moment }
    // Of several processes one tells: the others have waited at the finding's row.
    if (!isTold && !(await isToldIn(trx))) await tellOfStreak(trx, streak, alertRecipient, now)
    return isNew
  })
  if (fresh) log.error({ job: job.name, runId, failuresInARow: limit }, 'job keeps failing')
}

/** What the job has not seen any more is over, unless it tells of what happened. */
async function closeUnseen({ name, standingFindings = [] }: Job, { clock, db, log }: RunnerParts): Promise<void> {
  if (standingFindings.length === 0) return
  const closed = await resolveUnseen(db, name, standingFindings, clock())
  if (closed.length > 0) log.info({ job: name, closed }, 'findings are over')
}

async function raiseLeftovers(job: Job, runId: string, { clock, db, log }: RunnerParts): Promise<void> {
  const left = await listLeftovers(db, job.name, leftoverRuns)
  if (left.length < leftoverRuns || left.includes(0)) return
  const message =
    `${job.name} has left work that is due in ${leftoverRuns} runs in a row (${left.toReversed().join(', ')}): read run ` +
    `${runId}, find out what takes its time, and run it by hand until nothing is left`
  const finding = { kind: fallsBehind, subject: job.name, job: job.name, runId, message }
  if (await recordFinding(db, finding, clock())) log.error({ job: job.name, runId, left }, 'job falls behind')
}
