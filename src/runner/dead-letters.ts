import { oweFailPing, recordDeadLetter, type RecordedDeadLetter } from '../database/dead-letters.ts'
import { recordFinding } from '../database/findings.ts'
import { PermanentError, toError } from '../errors.ts'
import type { Job } from './define-job.ts'
import type { RunnerParts } from './parts.ts'
import { failBody } from './ping-body.ts'
import { graceSeconds, periodSeconds } from './slots.ts'

export interface DeadLetters {
  /**
   * Records what QStash's failure callback says (upstash.com/docs/qstash/features/callbacks). Operators are told unless the
   * message's run has succeeded meanwhile. Throws PermanentError when the body is no failure callback.
   */
  record(body: unknown): Promise<{ recorded: boolean; healed: boolean; job: string | null }>
}

type Parts = Pick<RunnerParts, 'db' | 'clock' | 'log' | 'jobsWithHeartbeat' | 'sendOwedPings'>

/** Makes the receiver of dead letters: messages that the scheduler has given up. */
export function createDeadLetters(jobs: ReadonlyMap<string, Job>, parts: Parts): DeadLetters {
  return {
    record: async body => {
      const callback = readCallback(body)
      const now = parts.clock()
      const job = jobs.get(callback.jobName ?? '')
      // Together or not at all: a letter that is known but was never told would be a silent failure.
      const letter = await parts.db.transaction().execute(async trx => {
        const recorded = await recordDeadLetter(trx, { ...callback, job: job?.name ?? null, receivedAt: now })
        if (recorded.fresh && !recorded.healed) await alert(callback, job, recorded, now, { ...parts, db: trx })
        return recorded
      })
      parts.sendOwedPings().catch((thrown: unknown) => {
        parts.log.warn({ err: toError(thrown) }, 'heartbeat of a dead letter failed')
      })
      return { recorded: letter.fresh, healed: letter.healed, job: job?.name ?? null }
    },
  }
}

async function alert(
  callback: Callback,
  job: Job | undefined,
  { overtaken, pinged, runId }: RecordedDeadLetter,
  now: Date,
  parts: Parts,
): Promise<void> {
  const { messageId, retried, status } = callback
  const name = job?.name ?? null
  const message =
    `QStash gave up message ${messageId} after ${(retried ?? 0) + 1} deliveries (last status ${status ?? 'unknown'}): ` +
    'mend the cause, then send it again from the dead letter queue or run the job by hand'
  await recordFinding(parts.db, { kind: 'dead-letter', subject: messageId, job: name, runId, message }, now)
  parts.log.error({ job: name, runId, messageId, status }, 'message became a dead letter')
  // A fail that comes after a newer success would be untrue.
  if (job === undefined || pinged || overtaken || !parts.jobsWithHeartbeat.has(job.name)) return
  const body = failBody({
    job: job.name,
    runId: runId ?? 'none',
    attempt: (retried ?? 0) + 1,
    ofAttempts: (retried ?? 0) + 1,
    trigger: callback.scheduleId === null ? 'message' : 'schedule',
    slot: null,
    durationMs: null,
    report: null,
    errorCode: 'dead_letter',
    message: `QStash gave up message ${messageId}, last status ${status ?? 'unknown'}`,
  })
  const trueUntil = new Date(now.getTime() + (periodSeconds(job) + graceSeconds(job)) * 1000)
  await oweFailPing(parts.db, { job: job.name, runId, body, happenedAt: now, trueUntil })
}

interface Callback {
  readonly messageId: string
  readonly jobName: string | undefined
  readonly dlqId: string | null
  readonly scheduleId: string | null
  readonly status: number | null
  readonly retried: number | null
  readonly createdAt: Date | null
}

const printable = /^[\x21-\x7e]{1,512}$/

function readCallback(body: unknown): Callback {
  if (typeof body !== 'object' || body === null) throw new PermanentError('the body is no failure callback')
  const fields = body as Record<string, unknown>
  const messageId = textOf(fields['sourceMessageId'])
  if (messageId === null) throw new PermanentError('the failure callback has no sourceMessageId')
  return {
    messageId,
    jobName: jobNameOf(fields),
    dlqId: textOf(fields['dlqId']),
    scheduleId: textOf(fields['scheduleId']),
    status: integerOf(fields['status']),
    retried: integerOf(fields['retried']),
    createdAt: timeOf(fields['createdAt']),
  }
}

/** The job by the address that was called, or by the old forwarder's header. */
function jobNameOf(fields: Record<string, unknown>): string | undefined {
  const headers = (fields['sourceHeader'] ?? {}) as Record<string, unknown>
  const forwarded = Object.entries(headers).find(([name]) => name.toLowerCase() === 'x-qstash-target-url')?.[1]
  const addresses = [Array.isArray(forwarded) ? forwarded[0] : forwarded, fields['url']]
  for (const address of addresses) {
    const name = /\/(?:jobs|api\/cron)\/([\w-]+)(?:\?|$)/.exec(textOf(address) ?? '')?.[1]
    if (name !== undefined) return name
  }
  return undefined
}

/** An id or an address: short and printable, or it is none. */
function textOf(value: unknown): string | null {
  return typeof value === 'string' && printable.test(value) ? value : null
}

function integerOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? value : null
}

/** Milliseconds since 1970, as a number or as digits: QStash sends both (upstash.com/docs/qstash/features/callbacks). */
function timeOf(value: unknown): Date | null {
  const at = new Date(Number(value ?? Number.NaN))
  return Number.isNaN(at.getTime()) ? null : at
}
