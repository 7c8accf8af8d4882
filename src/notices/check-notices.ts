import pMap from 'p-map'
import type { ClaimedNotice } from '../database/outbox-claims.ts'
import type { NoticeEnd } from '../database/outbox-claims.ts'
import { PermanentError, toError } from '../errors.ts'
import type { Message } from '../providers/notifications.ts'
import { nextTry, waitAfter } from './backoff.ts'
import type { Reader } from './facts.ts'
import type { NoticeKind } from './notice.ts'
import { operatorReader, readExperts } from './recipients.ts'
import { type Batch, isTooLate } from './sender-parts.ts'

/** A notice that is still true, in words. */
export interface CheckedNotice {
  readonly notice: ClaimedNotice
  readonly message: Message
}

export interface Checked {
  readonly ready: readonly CheckedNotice[]
  /** Of those that must not go, or not now. */
  readonly ends: readonly NoticeEnd[]
}

const atOnce = 5
const aboutJobs: readonly string[] = ['job-failing', 'job-recovered'] satisfies NoticeKind[]

/** Looks at each notice once more, right before it goes, and words it for its reader. Never throws for one of them. */
export async function checkNotices(notices: readonly ClaimedNotice[], { parts }: Batch): Promise<Checked> {
  const { db, stop, times } = parts
  const signal = AbortSignal.any([stop, AbortSignal.timeout(times.checkMs)])
  const experts = await readExperts(
    db,
    notices.filter(({ facts, kind }) => !aboutJobs.includes(kind) && readerOf(facts) === undefined).map(toRecipient),
  )
  const check = async (notice: ClaimedNotice): Promise<CheckedNotice | NoticeEnd> => {
    const known = aboutJobs.includes(notice.kind) ? operatorReader : readerOf(notice.facts)
    const reader = known ?? experts.get(notice.recipient)?.reader
    if (reader === undefined) return drop(notice, 'no_reader')
    return (await recheck(notice, signal, parts)) ?? word(notice, reader, parts)
  }
  const results = await pMap(notices, check, { concurrency: atOnce })
  return {
    ready: results.filter(result => 'message' in result),
    ends: results.filter(result => 'state' in result),
  }
}

export function drop({ id }: ClaimedNotice, reason: string): NoticeEnd {
  return { id, state: 'dropped', note: reason }
}

/** Undefined when it is still true. */
async function recheck(
  notice: ClaimedNotice,
  signal: AbortSignal,
  { clock, db, log, payments, random, rechecks }: Batch['parts'],
): Promise<NoticeEnd | undefined> {
  const now = clock()
  const { attempts, id, kind, usefulUntil } = notice
  const wait = (note: string): NoticeEnd => {
    return { id, state: 'pending', note, nextAttemptAt: nextTry(now, waitAfter(attempts + 1, random), usefulUntil) }
  }
  if (isTooLate(notice, now)) return drop(notice, 'too_late')
  // A newer build may have written it, before it was rolled back.
  if (!isKnown(kind, rechecks)) return wait('kind_unknown')
  try {
    signal.throwIfAborted()
    const outgoing = { ...notice, kind, attempt: attempts + 1 }
    const verdict = await rechecks[kind](outgoing, { db, payments, now, signal })
    return verdict.kind === 'drop' ? drop(notice, verdict.reason) : undefined
  } catch (thrown) {
    log.warn({ err: toError(thrown), notice: id, kind }, 'notice could not be checked')
    return wait('recheck_failed')
  }
}

/** Words it, or sets it aside: what cannot be worded now never can, before somebody mends the wording or the facts. */
function word(
  notice: ClaimedNotice,
  reader: Reader,
  { clock, log, render }: Batch['parts'],
): CheckedNotice | NoticeEnd {
  const { facts, id, kind, recipient, transactionId } = notice
  try {
    const { payload, workflow } = render(kind as NoticeKind, facts, reader, clock())
    const { email, firstName, lastName, locale, timeZone } = reader
    const name = { ...(firstName === undefined ? {} : { firstName }), ...(lastName === undefined ? {} : { lastName }) }
    const to = { subscriberId: recipient, ...(email === undefined ? {} : { email }), ...name, locale, timeZone }
    return { notice, message: { workflow, transactionId, to, payload } }
  } catch (thrown) {
    // Not the error itself, whose message may quote the facts.
    const code = thrown instanceof PermanentError ? thrown.code : toError(thrown).name
    log.error({ notice: id, kind, code }, 'notice could not be worded')
    return { id, state: 'poison', note: `unworded: ${code}` }
  }
}

function isKnown(kind: string, rechecks: object): kind is NoticeKind {
  return Object.hasOwn(rechecks, kind)
}

function readerOf(facts: Readonly<Record<string, unknown>>): Reader | undefined {
  return facts['reader'] as Reader | undefined
}

function toRecipient({ recipient }: ClaimedNotice): string {
  return recipient
}
