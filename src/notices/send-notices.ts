import { beginTries, type ClaimedNotice } from '../database/outbox-claims.ts'
import type { NoticeEnd } from '../database/outbox-ends.ts'
import { toError } from '../errors.ts'
import type { SendAnswer } from '../providers/notifications.ts'
import { withinTime } from '../time-limit.ts'
import { nextTry, waitAfter, waitForKey } from './backoff.ts'
import { type CheckedNotice, checkNotices, drop } from './check-notices.ts'
import { absent } from './look-up-notices.ts'
import { recordEnds } from './record-ends.ts'
import { type Batch, isTooLate, type SenderParts, type Visit } from './sender-parts.ts'

const releaseMs = 30_000
// Of calls with one message each; what is wrong is then more likely the vendor than the messages.
const maxUnclearInARow = 4

/**
 * Sends claimed notices: (1) check each against the database and word it, (2) send those together that go out for the first
 * time, (3) one by one those that were sent before and never arrived, past single ones that break their call, so that a
 * message that the vendor chokes on holds up nobody else, (4) give back what was not sent because the vendor is in trouble.
 */
export async function sendNotices(notices: readonly ClaimedNotice[], batch: Batch): Promise<Visit> {
  if (notices.length === 0) return 'not asked'
  const { ends, ready } = await checkNotices(notices, batch)
  if (ends.length > 0) await recordEnds(batch, { ends })
  await batch.parts.onStep('checked')
  const calls = planCalls(ready, batch)
  let visit: Visit = 'not asked'
  let unclear = 0
  for (const [index, call] of calls.entries()) {
    const latest = await sendTogether(call, batch)
    if (latest === 'fine') visit = latest
    if (latest === 'unclear' || latest === 'fine') unclear = latest === 'fine' ? 0 : unclear + 1
    if (latest === 'trouble' || unclear === maxUnclearInARow) {
      await release(calls.slice(index + 1).flat(), batch)
      return 'trouble'
    }
  }
  return visit === 'not asked' && unclear > 0 ? 'trouble' : visit
}

/** Each goes alone where the vendor is tried out; those that failed alone before go last, in another order each time. */
function planCalls(ready: readonly CheckedNotice[], { isCautious, parts }: Batch): CheckedNotice[][] {
  const goesAlone = ({ notice }: CheckedNotice): boolean => isCautious || notice.note === absent
  const together = ready.filter(checked => !goesAlone(checked))
  const alone = ready
    .filter(goesAlone)
    .map(checked => ({ checked, place: parts.random() }))
    .toSorted((a, b) => a.checked.notice.attempts - b.checked.notice.attempts || a.place - b.place)
  return [...(together.length === 0 ? [] : [together]), ...alone.map(({ checked }) => [checked])]
}

/** One call of the vendor, from the statement that says so to the statement that says what came of it. */
async function sendTogether(checked: readonly CheckedNotice[], batch: Batch): Promise<Visit | 'unclear'> {
  const { hold, parts } = batch
  const { onStep, stop, times } = parts
  const going = await begin(checked, batch)
  await onStep('sending')
  if (going.length === 0) return 'not asked'
  if (!hold.lasts(times.sendMs) || stop.aborted) {
    // Nothing went out: whoever has them now may send them, and so may we.
    await release(going, batch)
    return 'not asked'
  }
  const answers = await callVendor(going, parts)
  await onStep('answered')
  await recordAnswers(going, answers, batch)
  await onStep('recorded')
  if (!answers.every(isTrouble)) return 'fine'
  batch.troubleCode = answers.map(answer => ('code' in answer ? answer.code : '')).at(-1) ?? ''
  // One message alone may be what is wrong; of several it cannot be told which.
  return answers.length === 1 && answers[0]?.kind === 'unknown' ? 'unclear' : 'trouble'
}

/** Drops what has come too late meanwhile, and notes that the others go out now. Gives those that are still ours. */
async function begin(checked: readonly CheckedNotice[], batch: Batch): Promise<CheckedNotice[]> {
  const { hold, parts } = batch
  const now = parts.clock()
  const late = checked.filter(({ notice }) => isTooLate(notice, now))
  if (late.length > 0) await recordEnds(batch, { ends: late.map(({ notice }) => drop(notice, 'too_late')) })
  const timely = checked.filter(each => !late.includes(each))
  if (timely.length === 0) return []
  const askedAtMs = performance.now()
  const ids = timely.map(({ notice }) => notice.id)
  const ours = await beginTries(parts.db, ids, { claim: hold.claim, claimMs: parts.times.claimMs, now })
  hold.extend(askedAtMs)
  return timely.filter(({ notice }) => ours.has(notice.id))
}

async function callVendor(going: readonly CheckedNotice[], { log, notifications, stop, times }: SenderParts) {
  let answers: readonly SendAnswer[] = []
  try {
    const messages = going.map(({ message }) => message)
    answers = await withinTime(stop, times.sendMs, async limited => await notifications.send(messages, limited))
  } catch (thrown) {
    log.error({ err: toError(thrown) }, 'sending notices broke')
  }
  return going.map((_, index): SendAnswer => answers[index] ?? { kind: 'unknown', code: 'no_answer' })
}

function isTrouble({ kind }: SendAnswer): boolean {
  return kind === 'unknown' || kind === 'later' || kind === 'keyRefused'
}

async function recordAnswers(going: readonly CheckedNotice[], answers: readonly SendAnswer[], batch: Batch) {
  const { log } = batch.parts
  const news = going.map(({ message, notice }, index) => {
    const answer = answers[index] ?? { kind: 'unknown', code: 'no_answer' }
    const code = 'code' in answer ? answer.code : undefined
    const fields = { notice: notice.id, kind: notice.kind, attempt: notice.attempts + 1, answer: answer.kind, code }
    log[answer.kind === 'accepted' ? 'debug' : 'warn'](fields, 'notice answered')
    return { answer, workflow: message.workflow, end: endOf(notice, answer, batch.parts) }
  })
  await recordEnds(batch, { ends: news.map(({ end }) => end), news })
  if (answers.some(({ kind }) => kind === 'unready' || kind === 'refused')) batch.parts.watch.hurry()
}

/** What an answer means for the notice. */
function endOf({ attempts, id, usefulUntil }: ClaimedNotice, answer: SendAnswer, parts: SenderParts): NoticeEnd {
  const { clock, random, times } = parts
  const now = clock()
  const wait = (waitMs: number, note: string, waitsForVendor: boolean, retryAfterMs?: number): NoticeEnd => {
    const nextAttemptAt = nextTry(now, waitMs, usefulUntil, retryAfterMs)
    return { id, state: 'pending', note, nextAttemptAt, waitsForVendor }
  }
  const tried = attempts + 1
  switch (answer.kind) {
    case 'accepted':
      return { id, state: 'sent', note: null }
    case 'refused':
      return { id, state: 'poison', note: answer.code }
    case 'unknown':
      return { id, state: 'unknown', note: answer.code, nextAttemptAt: new Date(now.getTime() + times.lookUpAfterMs) }
    case 'later':
      return wait(waitAfter(tried, random), answer.code, answer.retryAfterMs === undefined, answer.retryAfterMs)
    case 'unready':
      return wait(waitAfter(tried, random), answer.code, false)
    case 'keyRefused':
      return wait(waitForKey(tried, random), answer.code, true)
  }
}

/** Gives notices back that were not sent; in another order, so that what breaks its call is not always the first. */
async function release(unsent: readonly CheckedNotice[], batch: Batch): Promise<void> {
  if (unsent.length === 0) return
  const { clock, random } = batch.parts
  const now = clock()
  const ends = unsent.map(({ notice: { id, note, usefulUntil } }): NoticeEnd => {
    return { id, state: 'pending', note, nextAttemptAt: nextTry(now, releaseMs * (1 + random()), usefulUntil) }
  })
  await recordEnds(batch, { ends })
}
