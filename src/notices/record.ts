import { createHash } from 'node:crypto'
import type { Db } from '../database/connection.ts'
import { toJson } from '../database/json.ts'
import { insertNotices } from '../database/outbox.ts'
import { PermanentError, toError } from '../errors.ts'
import { checkFacts, type Reader } from './facts.ts'
import type { Notice } from './notice.ts'
import { operatorReader } from './recipients.ts'
import { type Poisoned, recordPoison } from './record-poison.ts'
import { createRenderer, type Render } from './render.ts'

/**
 * Writes down what somebody is to be told. Call it in the transaction that decides it, so that neither exists without
 * the other. False when it was written before; then nothing changes. False, too, when its facts do not fit its kind, or
 * would not make a payload that its workflow takes: what was decided must not fail for its notice, so that is set aside
 * with a finding, and sent never.
 */
export async function recordNotice(trx: Db, notice: Notice): Promise<boolean> {
  const [isNew = false] = await recordNotices(trx, [notice])
  return isNew
}

/** A notice, or one that will never be sent and is written down so that it is accounted for. */
export type NoticeToRecord = Notice & { readonly end?: { readonly state: 'dropped'; readonly note: string } }

/** As `recordNotice`, for many in one statement; in the order in which they are given. One that has its end is not checked. */
export async function recordNotices(trx: Db, notices: readonly NoticeToRecord[]): Promise<readonly boolean[]> {
  const checked = notices.map(notice => {
    const misfit = notice.end === undefined ? findMisfit(notice, rehearse) : undefined
    return { misfit, notice: { ...toStorable(notice, misfit), transactionId: transactionIdOf(notice) } }
  })
  const unread = new Map(
    await insertNotices(
      trx,
      checked.map(({ notice }) => notice),
    ),
  )
  const results: boolean[] = []
  const poisoned: Poisoned[] = []
  for (const { misfit, notice } of checked) {
    const id = unread.get(notice.transactionId)
    // Of two that are the same one is new.
    unread.delete(notice.transactionId)
    if (id !== undefined && misfit !== undefined) poisoned.push({ ...notice, reason: misfit })
    results.push(id !== undefined && misfit === undefined)
  }
  if (poisoned.length > 0) await recordPoison(trx, poisoned, notices[0]?.at as Date)
  return results
}

function toStorable(notice: NoticeToRecord, misfit: string | undefined) {
  if (misfit === undefined) return notice
  const end = { state: 'poison', note: misfit } as const
  return { ...notice, facts: isStorable(notice.facts) ? notice.facts : {}, end }
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

/** What no JSON can hold (a bigint, a circle) has no place in facts, and must not stop what was decided either. */
function isStorable(facts: Notice['facts']): boolean {
  try {
    return toJson(facts) !== null
  } catch {
    return false
  }
}
