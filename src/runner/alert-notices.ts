import type { Db } from '../database/connection.ts'
import type { Recovery } from '../database/findings.ts'
import { type JobDiagnostics, readJobDiagnostics } from '../database/job-diagnostics.ts'
import { toError } from '../errors.ts'
import { recordNotice } from '../notices/record.ts'
import type { RunnerParts } from './parts.ts'
import { redact } from './redact.ts'

export interface Streak {
  readonly job: string
  /** How many runs in a row have failed. */
  readonly runs: number
  /** The last of them. */
  readonly runId: string
  /** What was wrong when it was raised, in words. */
  readonly moment: string
}

// A process that ends waits three seconds for its alerts.
const momentMs = 2_000
const mostCharacters = 4_000

/** What is wrong at this moment, in words without secrets; where that takes too long or fails, that it is missing. Never throws. */
export async function describeInTime({ describeMoment, log }: Pick<RunnerParts, 'describeMoment' | 'log'>) {
  if (describeMoment === undefined) return ''
  const late = Promise.withResolvers<undefined>()
  const timer = setTimeout(late.resolve, momentMs, undefined)
  try {
    const text = await Promise.race([describeMoment(), late.promise])
    if (text !== undefined) return shorten(redact(text))
    return `The diagnostics could not be read within ${momentMs / 1000} s: \`npm run cli -- diagnose\` reads them now.`
  } catch (thrown) {
    log.warn({ err: toError(thrown) }, 'diagnostics of an alert could not be read')
    return 'The diagnostics could not be read: `npm run cli -- diagnose` reads them now.'
  } finally {
    clearTimeout(timer)
  }
}

/** Notes that operators are to hear of a job that keeps failing, with what else is wrong at this moment. */
export async function tellOfStreak(trx: Db, streak: Streak, recipient: string | undefined, now: Date): Promise<void> {
  if (recipient === undefined) return
  const { job, moment, runId, runs } = streak
  const found = await readJobDiagnostics(trx, runId)
  const message = shorten(redact([found.errorCode, found.message].filter(part => part !== null).join(': ')))
  const facts = { job, runs, runId, message, diagnostics: [describe(found), moment].filter(Boolean).join('\n') }
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

function describe({ failingJobs, openFindings, unknownNotices, waitingNotices }: JobDiagnostics): string {
  const unsure = unknownNotices === 0 ? '' : `, of which ${unknownNotices} may have arrived`
  return [
    `Jobs whose newest run failed: ${failingJobs.join(', ') || 'none'}`,
    `Open findings: ${openFindings.join(', ') || 'none'}`,
    `Notices that wait: ${waitingNotices}${unsure}`,
  ].join('\n')
}

function shorten(text: string): string {
  return text.length <= mostCharacters
    ? text
    : `${text.slice(0, mostCharacters)} [${text.length - mostCharacters} more characters]`
}
