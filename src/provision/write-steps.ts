import { setTimeout as sleep } from 'node:timers/promises'
import { KeyRefusedError, toError } from '../errors.ts'
import type { ResourceKind, Written } from '../providers/monitoring.ts'
import type { Account } from './account.ts'
import { type AppliedStep, findStep, isPending, judge, type Pending, type Tried } from './judge-steps.ts'
import type { Step } from './plan-monitoring.ts'

export interface WriteOptions {
  readonly signal: AbortSignal
  readonly onStep?: (text: string) => void
  /** Hears of each wait before it begins. */
  readonly onWait?: (text: string) => void
  /** A real pause unless given; ends with the signal. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

/** What all waits for a vendor that throttles us may come to, in one apply. */
export interface Patience {
  leftMs: number
}

interface Writing extends WriteOptions {
  readonly patience: Patience
}

/** Enough for the longest wait that is asked for once. */
export function createPatience(): Patience {
  return { leftMs: 300_000 }
}

// A create without an answer may come true while a gateway's backend goes on: the list is asked again and again for it.
const lookAfterMs = [0, 2_000, 5_000, 10_000]
const throttledMs = 10_000
const mostSilencesInARow = 3

/**
 * Writes what is missing or differs of one kind, one after another, and reads the list again; before each create too, so that
 * what somebody else has made meanwhile is not made again. A create that was sent and may have happened is never sent again.
 * Throws when no more is to be written: somebody stopped us, a name is ambiguous by now, it is not known whether something was
 * made, or the vendor takes nothing. What was done until then is in `applied`.
 */
export async function writeKind(
  account: Account,
  options: Writing,
  kind: ResourceKind,
  applied: AppliedStep[],
): Promise<void> {
  const tried: Tried[] = []
  let failure: Error | undefined
  try {
    await writeAll(account, options, kind, tried)
  } catch (thrown) {
    failure = toError(thrown)
  }
  if (tried.length > 0) {
    // What was done is told as it is, where that can still be read, and else by the answers.
    const unread = await account.reread(kind).then(() => undefined, toError)
    const steps = unread === undefined ? account.plan() : undefined
    applied.push(...tried.map(one => judge(one, steps)))
    failure ??= unread
  }
  if (failure !== undefined) throw failure
}

async function writeAll(account: Account, options: Writing, kind: ResourceKind, tried: Tried[]): Promise<void> {
  for (const planned of account.plan().filter(isPending)) {
    if (planned.kind !== kind) continue
    options.signal.throwIfAborted()
    const step = planned.action === 'create' ? await lookBefore(account, planned) : planned
    if (step === undefined) continue
    options.onStep?.(`${step.action} ${kind} ${step.name}`)
    tried.push({ step, written: await account.write(step) })
    await goOn(account, options, tried)
  }
}

/** Two that make the same things at once must not go on: each would make another twin. */
function refuseTwins(steps: readonly Step[]): void {
  const twin = steps.find(step => step.action === 'ambiguous')
  if (twin !== undefined) throw new Error(`there are several ${twin.name} by now: somebody else makes them too`)
}

/** What is to be done by now; undefined: nothing any more. Throws where a name is ambiguous by now. */
async function lookBefore(account: Account, { kind, name }: Pending): Promise<Pending | undefined> {
  await account.reread(kind)
  const steps = account.plan()
  refuseTwins(steps)
  const step = findStep({ kind, name }, steps)
  return step !== undefined && isPending(step) ? step : undefined
}

/** Decides by the last answer whether the next step may follow, and replaces it by what is known then. */
async function goOn(account: Account, options: Writing, tried: Tried[]): Promise<void> {
  const last = tried.at(-1)
  if (last === undefined) return
  const written = last.step.action === 'create' ? await settleCreate(account, options, last) : last.written
  tried[tried.length - 1] = { step: last.step, written }
  const { name } = last.step
  if (written.outcome === 'not now') throw new Error(`Better Stack takes nothing now (${written.reason})`)
  if (written.outcome === 'refused' && written.reason.includes('team_name')) {
    throw new Error('the token is of the whole organisation: say whose things are meant with --team')
  }
  if (written.outcome !== 'unknown') return
  if (last.step.action === 'create') throw new Error(`it is not known whether ${name} was made (${written.reason})`)
  const lately = tried.slice(-mostSilencesInARow)
  if (lately.length === mostSilencesInARow && lately.every(one => one.written.outcome === 'unknown')) {
    throw new Error(`Better Stack failed ${mostSilencesInARow} times in a row`)
  }
}

/** What became of a create: only one that was surely not carried out is sent once more, after the wait that was asked for. */
async function settleCreate(account: Account, options: Writing, { step, written }: Tried): Promise<Written> {
  if (written.outcome === 'unknown') return await lookFor(account, options, step, written)
  if (written.outcome !== 'not now') return written
  const waitMs = written.retryAfterMs ?? throttledMs
  if (waitMs > options.patience.leftMs) return written
  options.patience.leftMs -= waitMs
  const isThere = await look(account, options, step, waitMs, written.reason)
  if (isThere === true) return { outcome: 'done' }
  if (isThere === undefined || options.signal.aborted) return written
  const again = await account.write(step)
  return again.outcome === 'unknown' ? await lookFor(account, options, step, again) : again
}

async function lookFor(account: Account, options: WriteOptions, step: Pending, written: Written): Promise<Written> {
  const reason = written.outcome === 'done' ? '' : written.reason
  for (const waitMs of lookAfterMs) {
    const isThere = await look(account, options, step, waitMs, reason)
    if (isThere === true) return { outcome: 'done' }
    // A list that cannot be read will not tell in some seconds either.
    if (isThere === undefined || options.signal.aborted) break
  }
  return written
}

/** Whether it is in the list after a while; undefined where the list cannot be read. Somebody who stops us ends the wait. */
async function look(
  account: Account,
  { onWait, signal, wait = pause }: WriteOptions,
  { kind, name }: Pending,
  waitMs: number,
  reason: string,
): Promise<boolean | undefined> {
  if (waitMs > 0 && !signal.aborted) {
    onWait?.(`${name}: ${reason}; looking again in ${Math.ceil(waitMs / 1_000)} s`)
    await wait(waitMs, signal).catch(() => {})
  }
  try {
    await account.reread(kind)
  } catch (thrown) {
    if (thrown instanceof KeyRefusedError) throw thrown
    return undefined
  }
  return findStep({ kind, name }, account.plan())?.action !== 'create'
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal })
}
