import { recordAudit } from './audit.ts'
import type { Db } from './connection.ts'
import { resolveFinding } from './findings.ts'
import { closedByRows } from './payout-accounts.ts'

/** Closes the open finding of a payout that rows explain by now, audited; gives how many there were, 0 or 1. */
export async function closeExplained(db: Db, payoutId: string, now: Date): Promise<number> {
  const kind = 'payout-unexplained'
  const note = 'rows that name this payout add up to it by now'
  return await db.transaction().execute(async trx => {
    if (!(await resolveFinding(trx, kind, payoutId, closedByRows, now, note))) return 0
    const details = { kind, note }
    await recordAudit(trx, { at: now, actor: closedByRows, action: 'finding.resolve', subject: payoutId, details })
    return 1
  })
}
