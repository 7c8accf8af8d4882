import { answerControl, controlPath } from './control-door.ts'
import { attemptOnce, type Outgoing } from './qstash/attempt-once.ts'
import { release } from './qstash/delivery.ts'
import { createFaults, type QstashFaults } from './qstash/faults.ts'
import { createState, type QstashOptions } from './qstash/options.ts'
import { answerApi, maxApiBodyBytes, rotateKeys } from './qstash/routes.ts'
import { getSchedule, trigger } from './qstash/schedules.ts'
import { type Attempt, isFinal, type Message, type State } from './qstash/state.ts'
import { randomId, type SigningKeys } from './qstash-token.ts'
import { listen } from './stand-in.ts'

export type { QstashOptions } from './qstash/options.ts'
export type { Attempt } from './qstash/state.ts'

export interface QstashStandIn {
  readonly url: string
  readonly token: string
  /** As they are now. */
  readonly keys: SigningKeys
  /** Triggers a schedule now and gives the new message's id. Throws when it is unknown or paused. */
  fire(scheduleId: string): string
  /** One signed request without retries, callbacks or an entry among the messages. */
  deliverOnce(delivery: SingleDelivery): Promise<Attempt>
  /** Every message, oldest first; beyond 10,000 the oldest finished ones are forgotten. */
  messages(): MessageView[]
  /** Every HTTP delivery, oldest first, of one message where given. */
  attempts(messageId?: string): Attempt[]
  /** The first attempt of a message, or attempt `number`, once it has ended. Rejects when the stand-in is closed first. */
  attempted(messageId: string, number?: number): Promise<Attempt>
  /** Resolves when nothing is in flight and every message has ended, its retries included; held ones do not count. */
  idle(): Promise<void>
  /** Lets no delivery start until `resume`. */
  hold(): void
  resume(): void
  /** Next becomes current, as one roll in the console does. */
  rotateKeys(): SigningKeys
  readonly faults: QstashFaults
  /** What callers asked for in vain: the errors of all 501 answers. */
  notModelled(): string[]
  /** Every call of the API, as in `GET /v2/schedules`, oldest first. */
  apiCalls(): string[]
  /** Resolves once so many calls of the API have come that match, 1 unless given; those of before count too. */
  called(pattern: RegExp, times?: number): Promise<void>
  /** Ends everything that is in flight; calling it again does nothing more. */
  readonly close: () => Promise<void>
}

export interface SingleDelivery {
  readonly url: string
  readonly method?: string
  readonly body?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly messageId?: string
  readonly scheduleId?: string
  readonly retried?: number
  /** 30 s unless given. */
  readonly timeoutMs?: number
}

export type MessageView = Readonly<
  Pick<Message, 'id' | 'scheduleId' | 'state' | 'retried' | 'createdAt' | 'notBefore'>
> & {
  readonly url: string
}

/**
 * Starts a QStash on 127.0.0.1 that the official client and receiver work with. It forgets everything when closed. Its
 * faults can be called over HTTP too: `POST {url}/_control/{name}`, see control-door.ts.
 */
export async function startQstash(options: QstashOptions = {}): Promise<QstashStandIn> {
  const state = createState(options)
  const controls = createControls(state)
  const { close, url } = await listen({
    ...(options.port === undefined ? {} : { port: options.port }),
    maxBodyBytes: maxApiBodyBytes,
    answer: async (request, closed) =>
      request.path.startsWith(controlPath)
        ? answerControl('QStash', controls.faults, request)
        : await answerApi(state, request, closed),
  })
  return {
    ...controls,
    url,
    token: state.token,
    get keys() {
      return state.keys
    },
    close: async () => {
      state.closing.abort()
      state.timers.close()
      await close()
    },
  }
}

function createControls(state: State): Omit<QstashStandIn, 'url' | 'token' | 'keys' | 'close'> {
  return {
    fire: scheduleId => trigger(state, getSchedule(state, scheduleId)),
    deliverOnce: async delivery => await attemptOnce(state, outgoingOf(delivery)),
    messages: () => [...state.messages.values()].map(viewOf),
    attempts: messageId => state.attempts.filter(attempt => messageId === undefined || attempt.messageId === messageId),
    attempted: async (messageId, number = 1) => await until(state, () => findAttempt(state, messageId, number)),
    idle: async () => {
      await until(state, () => isIdle(state) || undefined)
    },
    hold: () => {
      state.held ??= []
    },
    resume: () => {
      release(state)
    },
    rotateKeys: () => rotateKeys(state),
    faults: createFaults(state.faults),
    notModelled: () => [...state.notModelled],
    apiCalls: () => [...state.apiCalls],
    called: async (pattern, times = 1) => {
      const count = (): number => state.apiCalls.filter(call => pattern.test(call)).length
      await until(state, () => count() >= times || undefined)
    },
  }
}

function isIdle({ held = [], inFlight, open }: State): boolean {
  return inFlight === 0 && open.size === held.filter(message => !isFinal(message)).length
}

function findAttempt({ attempts }: State, messageId: string, number: number): Attempt | undefined {
  return attempts.filter(attempt => attempt.messageId === messageId && !attempt.isDuplicate)[number - 1]
}

/** Waits until `look` finds something; it looks again after every change. */
async function until<Found>(state: State, look: () => Found | undefined): Promise<Found> {
  const found = Promise.withResolvers<Found>()
  const watcher = (): void => {
    const now = look()
    if (now !== undefined) found.resolve(now)
    else if (state.closing.signal.aborted) found.reject(new Error('the QStash stand-in was closed meanwhile'))
  }
  state.watchers.add(watcher)
  state.closing.signal.addEventListener('abort', watcher)
  watcher()
  try {
    return await found.promise
  } finally {
    state.watchers.delete(watcher)
    state.closing.signal.removeEventListener('abort', watcher)
  }
}

function viewOf({ createdAt, id, notBefore, retried, scheduleId, settings, state }: Message): MessageView {
  return {
    id,
    ...(scheduleId === undefined ? {} : { scheduleId }),
    state,
    retried,
    createdAt,
    notBefore,
    url: settings.url,
  }
}

function outgoingOf(delivery: SingleDelivery): Outgoing {
  const {
    body = '',
    headers = {},
    messageId,
    method = 'POST',
    retried = 0,
    scheduleId,
    timeoutMs = 30_000,
    url,
  } = delivery
  return {
    messageId: messageId ?? randomId('msg', 53),
    ...(scheduleId === undefined ? {} : { scheduleId }),
    retried,
    isDuplicate: false,
    settings: { url, method, headers, body: Buffer.from(body), timeoutMs, retries: 0, delayMs: 0, labels: [] },
  }
}
