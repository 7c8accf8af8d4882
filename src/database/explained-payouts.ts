import { recordAudit } from './audit.ts'
import type { Db } from './connection.ts'
import { resolveFinding } from './findings.ts'
import { closedByRows } from './payout-accounts.ts'

export interface ExplainedPayout {
  /** The payout. */
  readonly subject: string
  /** What explains it, for the record. */
  readonly why: string
}

/** Closes the open finding of a payout that has no cause any more, audited; gives how many there were, 0 or 1. */
export async function closeExplained(db: Db, { subject, why: note }: ExplainedPayout, now: Date): Promise<number> {
  const kind = 'payout-unexplained'
  return await db.transaction().execute(async trx => {
    if (!(await resolveFinding(trx, kind, subject, closedByRows, now, note))) return 0
    const details = { kind, note }
    await recordAudit(trx, { at: now, actor: closedByRows, action: 'finding.resolve', subject, details })
    return 1
  })
}
