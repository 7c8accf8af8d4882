import type { Trigger } from '../database/tables.ts'
import { redact } from './redact.ts'
import type { Report } from './report.ts'

export interface FailedAttempt {
  readonly job: string
  readonly runId: string
  readonly attempt: number
  readonly ofAttempts: number
  readonly trigger: Trigger
  readonly slot: Date | null
  /** Null when nobody measured it. */
  readonly durationMs: number | null
  /** Its numbers are told, its failures are not. */
  readonly report: Report | null
  readonly errorCode: string | null
  readonly message: string | null
}

const maxMessageBytes = 600
const maxCounts = 8

/**
 * What a person reads in the incident: which job and run, how often it was tried, what it did, and why it failed.
 * Redacted, under 1,500 bytes, and nothing else about the run.
 */
export function failBody(failed: FailedAttempt): string {
  const slot = failed.slot === null ? '' : `, slot ${failed.slot.toISOString()}`
  const took = failed.durationMs === null ? '' : `, took ${(failed.durationMs / 1000).toFixed(1)} s`
  const lines = [
    `${failed.job} failed, attempt ${failed.attempt} of ${failed.ofAttempts}`,
    `run ${failed.runId} (${failed.trigger}${slot}${took})`,
    ...(failed.report === null ? [] : [describeCounts(failed.report)]),
    `${clean(failed.errorCode ?? 'error', 80)}: ${clean(failed.message ?? 'no message', maxMessageBytes)}`,
  ]
  return lines.join('\n')
}

function describeCounts({ applied, counts, failed, findings, left, planned, waiting }: Report): string {
  const own = Object.entries(counts).slice(0, maxCounts)
  const all = Object.entries({ planned, applied, failed, left, waiting, findings }).concat(own)
  return all.map(([name, count]) => `${clean(name, 40)} ${count}`).join(', ')
}

/** On one line, without secrets, and cut to a number of bytes: after the redaction, so that no secret is cut in two. */
function clean(text: string, maxBytes: number): string {
  const line = redact(text).replace(/\s+/g, ' ').trim()
  const bytes = Buffer.from(line)
  if (bytes.length <= maxBytes) return line
  return `${bytes
    .subarray(0, maxBytes - 4)
    .toString()
    .replace(/�$/, '')}…`
}
