import type { Cron } from 'croner'
import type { Flow } from './flow.ts'
import type { Settings } from './settings.ts'
import type { Timers } from './timers.ts'
import type { SigningKeys } from '../qstash-token.ts'

/** Everything that one QStash stand-in knows. Plain data: the functions that change it are in the files around. */
export interface State {
  readonly token: string
  readonly clock: () => Date
  readonly timers: Timers
  readonly flow: Flow
  readonly limits: Limits
  readonly accepts: (url: URL) => boolean
  readonly closing: AbortController
  readonly schedules: Map<string, Schedule>
  /** Oldest first. */
  readonly messages: Map<string, Message>
  readonly deadLetters: Map<string, DeadLetter>
  readonly deduplicated: Map<string, { readonly messageId: string; readonly at: Date }>
  readonly attempts: Attempt[]
  readonly events: Event[]
  /** The calls that were answered 501. */
  readonly notModelled: string[]
  /** Every call of the API, as in `GET /v2/schedules`, oldest first. */
  readonly apiCalls: string[]
  readonly faults: FaultState
  keys: SigningKeys
  /** Messages that are due while deliveries are held; undefined while they are not. */
  held: Message[] | undefined
  /** Messages that have not ended yet. */
  readonly open: Set<Message>
  /** HTTP requests on their way. */
  inFlight: number
  /** Called after every change that someone may be waiting for. */
  readonly watchers: Set<() => void>
  counter: number
}

export interface Limits {
  readonly schedules: number
  readonly parallelism: number
  readonly timeoutSpeed: number
  readonly upsertResumes: boolean
}

export interface Schedule {
  readonly id: string
  /** Normalised, with its `CRON_TZ=` prefix where there is one. */
  readonly cron: string
  readonly due: Cron
  readonly settings: Settings
  readonly createdAt: Date
  isPaused: boolean
  /** The last slot that fired or was skipped: no slot comes twice, whatever the clock does. */
  lastSlotAt?: Date
  lastMessageId?: string
  disarm: () => void
}

export type MessageState = 'CREATED' | 'ACTIVE' | 'RETRY' | 'DELIVERED' | 'FAILED' | 'CANCELED'

export interface Message {
  readonly id: string
  readonly settings: Settings
  readonly scheduleId?: string
  readonly createdAt: Date
  notBefore: Date
  state: MessageState
  /** Retries made so far. */
  retried: number
  disarm: () => void
}

/** One delivery over HTTP. */
export interface Attempt {
  readonly messageId: string
  readonly scheduleId?: string
  readonly url: string
  readonly method: string
  readonly retried: number
  /** A second delivery of the same attempt, made by `duplicateNext`. */
  readonly isDuplicate: boolean
  readonly startedAt: Date
  /** Real time. */
  readonly durationMs: number
  /** Absent when no answer came; then `error` says why. */
  readonly status?: number
  readonly error?: string
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly responseHeaders: Readonly<Record<string, readonly string[]>>
  /** Cut at 64 KiB. */
  readonly responseBody: Buffer
}

export interface DeadLetter {
  readonly dlqId: string
  readonly message: Message
  readonly attempt: Attempt
}

/** A line of the log that `GET /v2/events` shows. */
export interface Event {
  readonly number: number
  readonly time: Date
  readonly state: MessageState | 'ERROR'
  readonly message: Message
  readonly nextDeliveryTime?: Date
  readonly attempt?: Attempt
}

export interface FaultState {
  duplicates: number
  duplicatesCome: 'together' | 'afterwards'
  signWith: 'current' | 'next'
  notBefore: 'zero' | 'issued-at'
  skewMs: number
  drops: number
  dropAfterMs: number
  apiFailures: ApiFailure[]
}

export interface ApiFailure {
  /** Which calls, as in `POST /v2/schedules/…`; the next ones, whatever they are, unless given. */
  readonly on?: RegExp
  readonly react: ApiReaction
}

export type ApiReaction =
  /** No answer comes; with `lose` the call is carried out all the same. */
  | 'hang'
  | 'lose'
  /** The connection breaks. */
  | 'reset'
  /** The answer comes late. */
  | { readonly delayMs: number }
  | { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body?: string }

const keptHistory = 10_000

/** Tells everyone who waits for a condition to look again. */
export function changed(state: State): void {
  for (const watcher of state.watchers) watcher()
}

/** Adds to a history that forgets its oldest lines. */
export function remember<Line>(history: Line[], line: Line): void {
  history.push(line)
  if (history.length > keptHistory) history.shift()
}

/** Adds a line to the log. */
export function logEvent(state: State, message: Message, event: Omit<Event, 'number' | 'time' | 'message'>): void {
  state.counter += 1
  remember(state.events, { ...event, number: state.counter, time: state.clock(), message })
}

/** Whether the message has no more attempts before it. */
export function isFinal({ state }: Message): boolean {
  return state === 'DELIVERED' || state === 'FAILED' || state === 'CANCELED'
}

/** Keeps the message; beyond 10,000 the oldest finished ones are forgotten. */
export function keepMessage(state: State, message: Message): void {
  state.messages.set(message.id, message)
  state.open.add(message)
  if (state.messages.size <= keptHistory) return
  for (const old of state.messages.values()) {
    if (!isFinal(old)) continue
    state.messages.delete(old.id)
    return
  }
}
