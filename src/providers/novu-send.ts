import { createHash, randomUUID } from 'node:crypto'
import type { TriggerEventRequestDto } from '@novu/api/models/components/index.js'
import type { Limiter } from './limiter.ts'
import type { Message, SendAnswer } from './notifications.ts'
import type { Asked, NovuClient } from './novu-client.ts'
import { classifyEventError, classifyFailure, type SendFailure } from './novu-failure.ts'

/** What the vendor takes in one call. */
const maxMessages = 100

export interface SendParts {
  readonly client: NovuClient
  /** For calls with one message. */
  readonly singles: Limiter
  /** For calls with several, each of which counts as a hundred. */
  readonly bulks: Limiter
}

/** Sends the messages, in one call where there are several, and answers for each in their order. */
export async function send(
  parts: SendParts,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<readonly SendAnswer[]> {
  if (messages.length > maxMessages) throw new Error(`${messages.length} messages are too many for one call`)
  const [first] = messages
  if (first === undefined) return []
  if (messages.length === 1) return [await sendOne(parts, first, signal)]
  const key = `bulk-${hash(messages.map(({ transactionId }) => transactionId))}`
  const asked = await inTurn(parts.bulks, signal, async () => await trigger(parts.client, messages, key, signal))
  if (Array.isArray(asked)) return asked
  // Refused as a whole, for what may be wrong with one of them: nothing was taken, and each can speak for itself.
  if (asked.kind === 'refused' || asked.kind === 'unready') {
    return await Promise.all(messages.map(async message => await sendOne(parts, message, signal)))
  }
  return messages.map(() => asked)
}

async function sendOne({ client, singles }: SendParts, message: Message, signal: AbortSignal): Promise<SendAnswer> {
  const key = message.transactionId
  const asked = await inTurn(singles, signal, async () => await trigger(client, [message], key, signal))
  return Array.isArray(asked) ? (asked[0] ?? unmatched) : asked
}

type Sent = SendAnswer[] | Exclude<SendFailure, { kind: 'keyUsed' }>

/** Whoever gives up while waiting has sent nothing. */
async function inTurn(limiter: Limiter, signal: AbortSignal, work: () => Promise<Sent>): Promise<Sent> {
  try {
    await limiter.takeTurn('novu', signal)
  } catch (thrown) {
    if (!signal.aborted) throw thrown
    return { kind: 'later', code: 'not_sent' }
  }
  return await work()
}

/**
 * Where the organization has idempotency keys, Novu keeps refusals and failures for a day under theirs too, and would
 * repeat them to every later try. The request behind such an answer is over, so this one goes again under a new key; the
 * transaction id stays the same.
 */
async function trigger(
  client: NovuClient,
  messages: readonly Message[],
  key: string,
  signal: AbortSignal,
): Promise<Sent> {
  const answer = await triggerOnce(client, messages, key, signal)
  if (Array.isArray(answer) || answer.kind !== 'keyUsed') return answer
  const again = await triggerOnce(client, messages, `${hash([key])}-${randomUUID()}`, signal)
  return Array.isArray(again) || again.kind !== 'keyUsed' ? again : { kind: 'unknown', code: again.code }
}

async function triggerOnce(
  client: NovuClient,
  messages: readonly Message[],
  key: string,
  signal: AbortSignal,
): Promise<SendAnswer[] | SendFailure> {
  const events = messages.map(toEvent)
  const [single] = events
  const isSingle = events.length === 1 && single !== undefined
  const asked = await client.ask(
    async novu => (isSingle ? await novu.trigger(single, key) : await novu.triggerBulk({ events }, key)),
    signal,
  )
  return readAnswers(asked, messages, isSingle) ?? classifyFailure(asked)
}

function toEvent({ payload, to, transactionId, workflow }: Message): TriggerEventRequestDto {
  const { timeZone, ...person } = to
  return {
    workflowId: workflow,
    transactionId,
    payload: { ...payload },
    to: { ...person, ...(timeZone === undefined ? {} : { timezone: timeZone }) },
  }
}

const unmatched: SendAnswer = { kind: 'unknown', code: 'unmatched_answer' }

/** An answer for each message; undefined where the request as a whole failed. */
function readAnswers(
  { body, status }: Asked,
  messages: readonly Message[],
  isSingle: boolean,
): SendAnswer[] | undefined {
  if (status === undefined || status < 200 || status > 299) return undefined
  const list: readonly unknown[] | undefined =
    isSingle && isRecord(body) ? [body] : Array.isArray(body) ? body : undefined
  if (list === undefined) return undefined
  const byId = new Map(list.filter(isRecord).map(entry => [entry['transactionId'], entry]))
  return messages.map(({ transactionId }, index) => {
    const inOrder = list.length === messages.length ? list[index] : undefined
    // Events that failed may come without their id; then only their place says which they are.
    const entry = byId.get(transactionId) ?? (isRecord(inOrder) && !('transactionId' in inOrder) ? inOrder : undefined)
    return entry === undefined ? unmatched : readAnswer(entry, transactionId)
  })
}

function readAnswer(entry: Record<string, unknown>, transactionId: string): SendAnswer {
  const { acknowledged, error, status } = entry
  switch (status) {
    case 'processed':
      return acknowledged === true && entry['transactionId'] === transactionId
        ? { kind: 'accepted' }
        : { kind: 'unknown', code: 'not_acknowledged' }
    case 'trigger_not_active':
    case 'no_workflow_active_steps_defined':
    case 'no_workflow_steps_defined':
      return { kind: 'unready', code: status }
    case 'invalid_recipients':
    case 'no_tenant_found':
      return { kind: 'refused', code: status }
    case 'error':
      return classifyEventError(error)
    default:
      return { kind: 'unknown', code: 'unreadable_answer' }
  }
}

function hash(words: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(words)).digest('hex').slice(0, 32)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
