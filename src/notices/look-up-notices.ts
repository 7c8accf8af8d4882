import pMap from 'p-map'
import type { ClaimedNotice } from '../database/outbox-claims.ts'
import type { NoticeEnd } from '../database/outbox-ends.ts'
import { KeyRefusedError, toError } from '../errors.ts'
import { withinTime } from '../time-limit.ts'
import { nextTry, waitAfter } from './backoff.ts'
import { type Ended, recordEnds } from './record-ends.ts'
import type { Batch, Visit } from './sender-parts.ts'

/** The note of a notice that two look-ups did not find: its next try goes out alone. */
export const absent = 'absent'

const atOnce = 4
const cleanLookUps = 2

/**
 * Asks the vendor about notices that may have been sent: one that is there is sent, one that is absent in two look-ups is
 * sent again under the same id, at once and then more and more seldom. The first question that fails ends it; what was not asked is asked later.
 */
export async function lookUpNotices(notices: readonly ClaimedNotice[], batch: Batch): Promise<Visit> {
  if (notices.length === 0) return 'not asked'
  const { hold, parts } = batch
  const { stop, times } = parts
  let keyRefused: string | undefined
  let answered = false
  let failed = false
  const ask = async (notice: ClaimedNotice): Promise<NoticeEnd> => {
    if (failed || stop.aborted || !hold.lasts(times.sendMs)) return again(notice, notice.note, batch)
    try {
      const find = async (limited: AbortSignal) => await parts.notifications.isTaken(notice.transactionId, limited)
      const isTaken = await withinTime(stop, times.sendMs, find)
      answered = true
      return isTaken ? { id: notice.id, state: 'sent', note: 'found' } : afterMiss(notice, batch)
    } catch (thrown) {
      const err = toError(thrown)
      failed = true
      if (err instanceof KeyRefusedError) keyRefused = 'key_refused'
      batch.troubleCode = 'look_up_failed'
      parts.log.warn({ err, notice: notice.id, kind: notice.kind }, 'notice could not be looked up')
      return again(notice, notice.note, batch)
    }
  }
  const ends = await pMap(notices, ask, { concurrency: atOnce })
  const ended: Ended = { ends, ...(keyRefused === undefined ? {} : { keyRefused }), keyWorks: answered }
  await recordEnds(batch, ended)
  return failed ? 'trouble' : 'fine'
}

function afterMiss(notice: ClaimedNotice, batch: Batch): NoticeEnd {
  const lookups = notice.lookups + 1
  if (lookups < cleanLookUps) return { ...again(notice, notice.note, batch), lookups }
  const { clock, random } = batch.parts
  const { attempts, id, usefulUntil } = notice
  const nextAttemptAt = attempts <= 1 ? clock() : nextTry(clock(), waitAfter(attempts - 1, random), usefulUntil)
  return { id, state: 'pending', note: absent, nextAttemptAt }
}

/** Stays as it is until the next look-up. */
function again({ id, lookups }: ClaimedNotice, note: string | null, { parts }: Batch): NoticeEnd {
  const { clock, times } = parts
  return { id, state: 'unknown', note, lookups, nextAttemptAt: new Date(clock().getTime() + times.lookUpAfterMs) }
}
