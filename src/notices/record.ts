import { createHash } from 'node:crypto'
import type { Db } from '../database/connection.ts'
import { recordFinding } from '../database/findings.ts'
import { toJson } from '../database/json.ts'
import { insertNotice } from '../database/outbox.ts'
import { PermanentError, toError } from '../errors.ts'
import { checkFacts, type Reader } from './facts.ts'
import type { Notice } from './notice.ts'
import { operatorReader } from './recipients.ts'
import { createRenderer, type Render } from './render.ts'
import { poisonFinding } from './vendor-findings.ts'

/**
 * Writes down what somebody is to be told. Call it in the transaction that decides it, so that neither exists without
 * the other. False when it was written before; then nothing changes. False, too, when its facts do not fit its kind, or
 * would not make a payload that its workflow takes: what was decided must not fail for its notice, so that is set aside
 * with a finding, and sent never.
 */
export async function recordNotice(trx: Db, notice: Notice): Promise<boolean> {
  const misfit = findMisfit(notice, rehearse)
  if (misfit === undefined) return await insertNotice(trx, { ...notice, transactionId: transactionIdOf(notice) })
  await setAside(trx, notice, misfit)
  return false
}

/** Why a notice could never be sent, without a word of what it says; undefined when it can. */
export function findMisfit({ at, facts, kind }: Notice, render: Render): string | undefined {
  const problem = checkFacts(kind, facts)
  if (problem !== undefined) return `facts: ${problem}`
  try {
    // Whose reader is found when it goes, is worded for another one now: the fields are the same.
    render(kind, facts, 'reader' in facts ? (facts['reader'] as Reader) : operatorReader, at)
    return undefined
  } catch (thrown) {
    // What the renderer says of itself tells no value; any other error may quote the facts.
    return `words: ${thrown instanceof PermanentError ? thrown.message : toError(thrown).name}`
  }
}

/** Words a notice as it will be, but for the addresses of links. */
const rehearse = createRenderer({ appUrl: 'https://rehearsal.invalid', environment: 'rehearsal' })

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
