import { createHash } from 'node:crypto'
import type { Db } from '../database/connection.ts'
import { recordFinding } from '../database/findings.ts'
import { toJson } from '../database/json.ts'
import { insertNotice } from '../database/outbox.ts'
import { checkFacts } from './facts.ts'
import type { Notice } from './notice.ts'
import { poisonFinding } from './vendor-findings.ts'

/**
 * Writes down what somebody is to be told. Call it in the transaction that decides it, so that neither exists without
 * the other. False when it was written before; then nothing changes. False, too, when its facts do not fit its kind: what
 * was decided must not fail for its notice, so it is set aside with a finding, and sent never.
 */
export async function recordNotice(trx: Db, notice: Notice): Promise<boolean> {
  const problem = checkFacts(notice.kind, notice.facts)
  if (problem === undefined) return await insertNotice(trx, { ...notice, transactionId: transactionIdOf(notice) })
  await setAside(trx, notice, `facts: ${problem}`)
  return false
}

/** The vendor's key of a notice: always the same for one notice, and nobody is told apart in it by an address. */
export function transactionIdOf({ kind, occurrence, recipient, subject }: Notice): string {
  const key = JSON.stringify([kind, subject, recipient, occurrence])
  return `${kind}-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`
}

async function setAside(trx: Db, notice: Notice, note: string): Promise<void> {
  const transactionId = transactionIdOf(notice)
  const facts = isStorable(notice.facts) ? notice.facts : {}
  const isNew = await insertNotice(trx, { ...notice, facts, transactionId, end: { state: 'poison', note } })
  if (!isNew) return
  const { id } = await trx
    .selectFrom('jobs.outbox')
    .select('id')
    .where('transaction_id', '=', transactionId)
    .executeTakeFirstOrThrow()
  await recordFinding(trx, { ...poisonFinding(id, note), runId: notice.runId }, notice.at)
}

/** What no JSON can hold (a bigint, a circle) has no place in facts, and must not stop what was decided either. */
function isStorable(facts: Notice['facts']): boolean {
  try {
    return toJson(facts) !== null
  } catch {
    return false
  }
}
