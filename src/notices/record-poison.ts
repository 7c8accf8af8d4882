import type { Db } from '../database/connection.ts'
import { recordFinding } from '../database/findings.ts'
import { countPoison } from '../database/outbox-findings.ts'
import { poisonFinding } from './vendor-findings.ts'

/** A notice that was set aside. */
export interface Poisoned {
  readonly kind: string
  /** Its note. */
  readonly reason: string
  readonly runId: string | null
}

/**
 * Tells operators of notices that were set aside: one finding for each workflow and reason, which counts them and closes with
 * the last. Belongs into the transaction that sets them aside, after it.
 */
export async function recordPoison(trx: Db, poisoned: readonly Poisoned[], now: Date): Promise<void> {
  const findings = poisoned.map(({ kind, reason, runId }) => ({ ...poisonFinding(kind, reason), runId }))
  const latest = new Map(findings.map(finding => [finding.subject, finding]))
  // In one order, so that of two who write about the same ones one waits for the other.
  const subjects = [...latest.keys()].toSorted()
  for (const subject of subjects) await recordFinding(trx, latest.get(subject) as (typeof findings)[number], now)
  if (subjects.length > 0) await countPoison(trx, subjects)
}
