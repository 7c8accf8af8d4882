import pMap from 'p-map'
import type { ClaimedNotice } from '../database/outbox-claims.ts'
import { recordFinding } from '../database/findings.ts'
import type { NoticeEnd } from '../database/outbox-ends.ts'
import { PermanentError, toError } from '../errors.ts'
import type { Message } from '../providers/notifications.ts'
import { withinTime } from '../time-limit.ts'
import { nextTry, waitAfter, waitForKey } from './backoff.ts'
import type { Reader } from './facts.ts'
import type { NoticeKind } from './notice.ts'
import { findReaders, type FoundReader, guestPrefix, isForOperators } from './recipients.ts'
import { type Batch, isTooLate, type SenderParts } from './sender-parts.ts'
import { recordUnreachable } from './unreachable.ts'
import { toZoneFinding } from './zone-findings.ts'

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
const maxNoteLength = 500

/** Looks at each notice once more, right before it goes, and words it for its reader. Never throws for one of them. */
export async function checkNotices(notices: readonly ClaimedNotice[], { parts }: Batch): Promise<Checked> {
  const { db, rechecks, stop, times, watch } = parts
  const isKnown = (notice: ClaimedNotice): notice is KnownNotice => Object.hasOwn(rechecks, notice.kind)
  const known = notices.filter(isKnown)
  const readers = await findReaders(db, known)
  await tellOfZones([...readers.values()], parts)
  const judge = await watch.judge()
  const check = async (notice: KnownNotice, signal: AbortSignal): Promise<CheckedNotice | NoticeEnd> => {
    const reader = readers.get(notice.id)?.reader
    if (reader === undefined) return drop(notice, 'no_reader')
    const found = await recheck(notice, signal, parts)
    if ('state' in found) return found
    const { facts } = found
    const worded = word({ ...notice, facts }, 'reader' in facts ? (facts['reader'] as Reader) : reader, parts)
    const reason = 'message' in worded ? judge(worded.message) : undefined
    return reason === undefined ? worded : holdBack(notice, reason, parts)
  }
  const results = await withinTime(
    stop,
    times.checkMs,
    async limited => await pMap(known, async notice => await check(notice, limited), { concurrency: atOnce }),
  )
  await recordUnreachable(db, listUnreachable(known, results), parts.clock())
  // A newer build may have written them, before it was rolled back.
  const strange = notices.filter(notice => !isKnown(notice)).map(notice => wait(notice, 'kind_unknown', parts))
  return {
    ready: results.filter(result => 'message' in result),
    ends: [...strange, ...results.filter(result => 'state' in result)],
  }
}

/** Experts who were or are to be told, and have no address with us. Operators have theirs at the vendor. */
function listUnreachable(notices: readonly KnownNotice[], results: readonly (CheckedNotice | NoticeEnd)[]) {
  return notices.flatMap(({ kind, recipient }, index) => {
    const result = results[index]
    if (isForOperators(kind) || result === undefined || recipient.startsWith(guestPrefix)) return []
    const isUnknown = 'message' in result ? result.message.to.email === undefined : result.note === 'no_reader'
    return isUnknown ? [recipient] : []
  })
}

/** Those of whom nobody knew when their notice was decided: their reader is looked up now. */
async function tellOfZones(readers: readonly FoundReader[], { clock, db, log }: SenderParts): Promise<void> {
  const subjects = new Set(readers.flatMap(({ invalidZone, zoneOf }) => (invalidZone ? (zoneOf ?? []) : [])))
  for (const subject of subjects) {
    const fresh = await recordFinding(db, { ...toZoneFinding(subject), job: null, runId: null }, clock())
    if (fresh) log.warn({ subject }, 'time zone does not exist')
  }
}

export function drop({ id }: ClaimedNotice, reason: string): NoticeEnd {
  return { id, state: 'dropped', note: reason }
}

type KnownNotice = ClaimedNotice & { readonly kind: NoticeKind }

/** Waits longer each time, by what was in its way before it could go out. */
function wait(notice: ClaimedNotice, note: string, { clock, random }: SenderParts): NoticeEnd {
  const checks = notice.checks + 1
  const nextAttemptAt = nextTry(clock(), waitAfter(checks, random), notice.usefulUntil)
  return { id: notice.id, state: 'pending', note, checks, nextAttemptAt }
}

/** Until the vendor's workflow is mended, which is looked at as often: what it takes now it would swallow. */
function holdBack({ id, usefulUntil }: ClaimedNotice, note: string, { clock, random }: SenderParts): NoticeEnd {
  return { id, state: 'pending', note, nextAttemptAt: nextTry(clock(), waitForKey(Infinity, random), usefulUntil) }
}

/** The facts of one that is still true, as they are by now. */
async function recheck(
  notice: KnownNotice,
  signal: AbortSignal,
  parts: SenderParts,
): Promise<NoticeEnd | Pick<KnownNotice, 'facts'>> {
  const { clock, db, log, payments, rechecks } = parts
  const { id, kind } = notice
  const now = clock()
  if (isTooLate(notice, now)) return drop(notice, 'too_late')
  try {
    signal.throwIfAborted()
    const outgoing = { ...notice, attempt: notice.attempts + 1 }
    const verdict = await rechecks[kind](outgoing, { db, payments, now, signal })
    return verdict.kind === 'drop' ? drop(notice, verdict.reason) : { facts: verdict.facts ?? notice.facts }
  } catch (thrown) {
    log.warn({ err: toError(thrown), notice: id, kind }, 'notice could not be checked')
    return wait(notice, 'recheck_failed', parts)
  }
}

/** Words it, or sets it aside: what cannot be worded now never can, before somebody mends the wording or the facts. */
function word(notice: KnownNotice, reader: Reader, { clock, log, render }: SenderParts): CheckedNotice | NoticeEnd {
  const { facts, id, kind, recipient, transactionId } = notice
  try {
    const { payload, workflow } = render(kind, facts, reader, clock())
    const { email, firstName, lastName, locale, timeZone } = reader
    const name = { ...(firstName === undefined ? {} : { firstName }), ...(lastName === undefined ? {} : { lastName }) }
    const to = { subscriberId: recipient, ...(email === undefined ? {} : { email }), ...name, locale, timeZone }
    return { notice, message: { workflow, transactionId, to, payload } }
  } catch (thrown) {
    // What the renderer says of itself tells no value; any other error may quote the facts.
    const note = thrown instanceof PermanentError ? thrown.message : toError(thrown).name
    log.error({ notice: id, kind, note }, 'notice could not be worded')
    return { id, state: 'poison', note: `unworded: ${note.slice(0, maxNoteLength)}` }
  }
}
