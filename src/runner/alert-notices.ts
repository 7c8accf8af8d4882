import type { Db } from '../database/connection.ts'
import type { Recovery } from '../database/findings.ts'
import { type JobDiagnostics, readJobDiagnostics } from '../database/job-diagnostics.ts'
import { recordNotice } from '../notices/record.ts'
import { redact } from './redact.ts'

export interface Streak {
  readonly job: string
  /** How many runs in a row have failed. */
  readonly runs: number
  /** The last of them. */
  readonly runId: string
}

/** Notes that operators are to hear of a job that keeps failing, with what else is wrong at this moment. */
export async function tellOfStreak(trx: Db, streak: Streak, recipient: string | undefined, now: Date): Promise<void> {
  if (recipient === undefined) return
  const { job, runId, runs } = streak
  const found = await readJobDiagnostics(trx, runId, now)
  const message = redact([found.errorCode, found.message].filter(part => part !== null).join(': '))
  const facts = { job, runs, runId, message, diagnostics: describe(found) }
  const notice = { kind: 'job-failing', subject: job, recipient, occurrence: runId } as const
  await recordNotice(trx, { ...notice, facts, runId, at: now, usefulUntil: null })
}

/** Notes that operators are to hear that a job works again. */
export async function tellOfRecovery(
  trx: Db,
  { failedRunId, failedSince, job, runId }: Recovery,
  recipient: string | undefined,
  now: Date,
): Promise<void> {
  if (recipient === undefined) return
  const facts = { job, runId, failedSince: failedSince.toISOString() }
  const notice = { kind: 'job-recovered', subject: job, recipient, occurrence: failedRunId } as const
  await recordNotice(trx, { ...notice, facts, runId, at: now, usefulUntil: null })
}

function describe({ failingJobs, openFindings, waitingNotices }: JobDiagnostics): string {
  return [
    `Jobs whose newest run failed: ${failingJobs.join(', ') || 'none'}`,
    `Open findings: ${openFindings.join(', ') || 'none'}`,
    `Notices that wait: ${waitingNotices}`,
  ].join('\n')
}
