import { toError } from '../../../errors.ts'
import type { Answer, Reaction, Request } from '../../stand-in.ts'
import { type Asked, nowMs, type State, stamp } from '../state.ts'
import { runDue } from '../world/timers.ts'
import { checkKey, findCaller } from './caller.ts'
import { carryOut, type Ready, readReady } from './carry-out.ts'
import { refusalOf, type StripeFault, takeFault } from './faults.ts'
import { failureOf, headersOf, loseBefore, spoil, wait } from './spoil.ts'
import { findAnswer, inUse, openKey, type Recorded } from './idempotency.ts'
import { NotModelled } from './not-modelled.ts'
import { Refusal } from './refusal.ts'

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

interface Visit {
  readonly request: Request
  readonly requestId: string
  readonly key: string | undefined
  readonly fault: StripeFault | undefined
  readonly asked: Writable<Asked>
  readonly closed: AbortSignal
}

/** Answers one call of the API, and keeps a record of it. */
export async function answerCall(state: State, request: Request, closed: AbortSignal): Promise<Reaction> {
  runDue(state)
  const visit = receive(state, request, closed)
  state.asked.push(visit.asked)
  const reaction = await serve(state, visit).catch((thrown: unknown) => refuse(state, visit, thrown))
  if (typeof reaction !== 'object') return reaction
  visit.asked.status = reaction.status
  const date = new Date(nowMs(state)).toUTCString()
  return { ...reaction, headers: { ...reaction.headers, Date: date } }
}

function receive(state: State, request: Request, closed: AbortSignal): Visit {
  const { headers, method, path, target } = request
  const account = headers['stripe-account']
  const key = method === 'POST' ? headers['idempotency-key'] : undefined
  const at = new Date(nowMs(state))
  const query = target.slice(path.length + 1)
  const asked = { method, path, query, key, account, at, status: 0, code: undefined, executed: false, replayed: false }
  const fault = takeFault(state, { method, path, account })
  return { request, requestId: stamp(state, 'req', 0).id, key, fault, asked, closed }
}

/**
 * 1. What is lost on the way, and what Stripe refuses at its gate.
 * 2. Who asks, and whether the question makes sense.
 * 3. The answer that the key stands for, or the endpoint's, which the key keeps.
 * 4. What becomes of that answer on its way back.
 */
async function serve(state: State, visit: Visit): Promise<Reaction> {
  const { fault, request } = visit
  const lost = loseBefore(fault)
  if (lost !== undefined) return lost
  const refusal = refusalOf(fault)
  if (refusal !== undefined) throw refusal
  checkKey(state, request)
  const ready = readReady(state, request, findCaller(state, request))
  const answer = await answerOnce(state, visit, ready)
  return await spoil(fault, answer, visit.closed)
}

async function answerOnce(state: State, visit: Visit, ready: Ready): Promise<Answer> {
  const { asked, fault, key, requestId } = visit
  if (fault?.kind === 'conflict') throw inUse(key ?? '')
  if (key === undefined) return await execute(state, visit, ready)
  const slot = `${ready.book.account.id} ${key}`
  const keyed = { key, slot, fingerprint: ready.fingerprint, requestId }
  const stored = findAnswer(state, keyed)
  if (stored !== undefined) {
    asked.replayed = true
    return stored
  }
  const recorded = openKey(state, keyed)
  try {
    return await execute(state, visit, ready, recorded)
  } finally {
    // Only its own: a day may have passed meanwhile, and the key may be at work again.
    if (recorded.answer === undefined && state.keys.get(slot) === recorded) state.keys.delete(slot)
  }
}

/** Runs the endpoint unless a fault says otherwise; what it came to is kept under the key before anybody hears of it. */
async function execute(state: State, visit: Visit, ready: Ready, recorded?: Recorded): Promise<Answer> {
  const { asked, closed, fault, key, requestId } = visit
  if (fault?.kind === 'error') asked.code = 'api_error'
  if (fault?.kind === 'slow' && fault.executes !== 'first') {
    await wait(fault.delayMs, closed)
    runDue(state)
  }
  const broken = fault?.kind === 'error' ? failureOf(fault, headersOf(key, requestId)) : undefined
  if (broken === undefined || (fault?.kind === 'error' && fault.executed)) {
    asked.executed = true
    const done = carryOut(state, ready, { requestId, key })
    asked.code ??= done.code
    if (recorded !== undefined && done.isStored) recorded.answer = done.answer
    if (broken === undefined) return done.answer
  }
  if (recorded !== undefined && fault?.kind === 'error' && fault.stored) recorded.answer = broken
  return broken
}

function refuse(state: State, visit: Visit, thrown: unknown): Reaction {
  const { asked, requestId } = visit
  const headers = headersOf(visit.key, requestId)
  if (thrown instanceof Refusal) {
    asked.code = thrown.code
    return { status: thrown.status, headers, body: JSON.stringify({ error: thrown.error }) }
  }
  const { message } = toError(thrown)
  const call = `${asked.method} ${asked.path}: ${message}`
  const isMissing = thrown instanceof NotModelled
  if (isMissing) state.notModelled.push(call)
  else state.problems.push(call)
  const error = {
    type: 'api_error',
    message: `the Stripe stand-in ${isMissing ? 'does not model' : 'failed in'} ${call}`,
  }
  // In Stripe's shape, so that the SDK shows the message; and at once, not after its retries.
  return {
    status: isMissing ? 501 : 500,
    headers: { ...headers, 'Stripe-Should-Retry': 'false' },
    body: JSON.stringify({ error }),
  }
}
