import type { Db } from '../database/connection.ts'
import { recordFinding } from '../database/findings.ts'
import { countToldLost } from '../database/outbox-findings.ts'
import type { SenderParts } from './sender-parts.ts'
import { lostFinding } from './vendor-findings.ts'

/**
 * Tells operators of notices that were of no use any more before they could be sent: one finding a kind, which counts them
 * and stands until a person resolves it. Takes one kind a notice. Belongs into the transaction that drops them.
 */
export async function recordLost(
  trx: Db,
  kinds: readonly string[],
  { clock, log }: Pick<SenderParts, 'clock' | 'log'>,
): Promise<void> {
  // In one order, so that of two who write about the same kinds one waits for the other.
  for (const kind of [...new Set(kinds)].toSorted()) {
    const count = kinds.filter(each => each === kind).length
    await recordFinding(trx, lostFinding(kind, (await countToldLost(trx, kind)) + count), clock())
    log.error({ kind, count }, 'notices were not sent in time')
  }
}
