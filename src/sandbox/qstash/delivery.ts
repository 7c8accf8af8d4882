import { attemptOnce } from './attempt-once.ts'
import { callbackBody } from './callback.ts'
import { retryDelayMs } from './retry.ts'
import type { Settings } from './settings.ts'
import { type Attempt, changed, isFinal, keepMessage, logEvent, type Message, type State } from './state.ts'
import { randomId } from '../qstash-token.ts'

/** Accepts a message for delivery once its delay has passed. Each message has an id of its own. */
export function submit(
  state: State,
  settings: Settings,
  origin: { readonly scheduleId?: string; readonly notBefore?: Date } = {},
): Message {
  const now = state.clock()
  const notBefore = origin.notBefore ?? new Date(now.getTime() + settings.delayMs)
  const message: Message = {
    id: randomId('msg', 53),
    settings,
    ...(origin.scheduleId === undefined ? {} : { scheduleId: origin.scheduleId }),
    createdAt: now,
    notBefore,
    state: 'CREATED',
    retried: 0,
    disarm: () => undefined,
  }
  keepMessage(state, message)
  logEvent(state, message, { state: 'CREATED' })
  wait(state, message, notBefore.getTime() - now.getTime())
  return message
}

/** Ends a message before its next attempt; one in flight is not called back. False when it had already ended. */
export function cancel(state: State, message: Message): boolean {
  if (isFinal(message)) return false
  message.disarm()
  finish(state, message, 'CANCELED')
  return true
}

/** Lets the messages go that became due while deliveries were held. */
export function release(state: State): void {
  const due = state.held ?? []
  state.held = undefined
  for (const message of due) comeDue(state, message)
}

function wait(state: State, message: Message, virtualMs: number): void {
  message.disarm = state.timers.after(virtualMs, () => {
    comeDue(state, message)
  })
}

function comeDue(state: State, message: Message): void {
  if (state.held !== undefined) {
    state.held.push(message)
    changed(state)
    return
  }
  state.flow.run(message.settings.flow, async () => {
    if (isFinal(message) || state.closing.signal.aborted) return
    message.state = 'ACTIVE'
    logEvent(state, message, { state: 'ACTIVE' })
    conclude(state, message, await attemptWithCopies(state, message))
  })
}

async function attemptWithCopies(state: State, message: Message): Promise<Attempt> {
  const { id, retried, scheduleId, settings } = message
  const outgoing = { messageId: id, settings, retried, ...(scheduleId === undefined ? {} : { scheduleId }) }
  const { duplicates, duplicatesCome } = state.faults
  state.faults.duplicates = 0
  const copies = async (): Promise<void> => {
    await Promise.all(
      Array.from({ length: duplicates }, async () => await attemptOnce(state, { ...outgoing, isDuplicate: true })),
    )
  }
  if (duplicatesCome === 'together') void copies()
  const attempt = await attemptOnce(state, { ...outgoing, isDuplicate: false })
  if (duplicatesCome === 'afterwards') void copies()
  return attempt
}

/** Success ends the message; a failure that may heal is retried; the rest becomes a dead letter. */
function conclude(state: State, message: Message, attempt: Attempt): void {
  if (isFinal(message) || state.closing.signal.aborted) return
  const { callback, retries } = message.settings
  if (callback !== undefined) submit(state, { ...callback, body: callbackBody(message, attempt) })
  if (isSuccess(attempt)) {
    finish(state, message, 'DELIVERED', attempt)
    return
  }
  logEvent(state, message, { state: 'ERROR', attempt })
  if (message.retried < retries && !isNonRetryable(attempt)) retry(state, message, attempt)
  else fail(state, message, attempt)
}

function retry(state: State, message: Message, attempt: Attempt): void {
  const { retryDelay } = message.settings
  const delayMs = retryDelayMs({
    retried: message.retried,
    headers: attempt.responseHeaders,
    now: state.clock(),
    ...(retryDelay === undefined ? {} : { retryDelay }),
  })
  message.retried += 1
  message.state = 'RETRY'
  message.notBefore = new Date(state.clock().getTime() + delayMs)
  logEvent(state, message, { state: 'RETRY', nextDeliveryTime: message.notBefore, attempt })
  wait(state, message, delayMs)
}

function fail(state: State, message: Message, attempt: Attempt): void {
  state.counter += 1
  const dlqId = `${state.clock().getTime()}-${state.counter}`
  state.deadLetters.set(dlqId, { dlqId, message, attempt })
  const { failureCallback } = message.settings
  if (failureCallback !== undefined) {
    submit(state, { ...failureCallback, body: callbackBody(message, attempt, dlqId) })
  }
  finish(state, message, 'FAILED', attempt)
}

function finish(state: State, message: Message, end: 'DELIVERED' | 'FAILED' | 'CANCELED', attempt?: Attempt): void {
  message.state = end
  state.open.delete(message)
  logEvent(state, message, { state: end, ...(attempt === undefined ? {} : { attempt }) })
  changed(state)
}

function isSuccess({ status }: Attempt): boolean {
  return status !== undefined && status >= 200 && status < 300
}

/** Both are needed: the status alone, and the header on any other status, are retried. */
function isNonRetryable({ responseHeaders, status }: Attempt): boolean {
  return status === 489 && responseHeaders['upstash-nonretryable-error']?.[0] === 'true'
}
