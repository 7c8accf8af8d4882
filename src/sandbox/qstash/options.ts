import { createFlow } from './flow.ts'
import type { FaultState, Limits, State } from './state.ts'
import { createTimers } from './timers.ts'
import { createSigningKey, randomId, type SigningKeys } from '../qstash-token.ts'

export interface QstashOptions {
  /** A free port unless given. */
  readonly port?: number
  readonly token?: string
  readonly keys?: SigningKeys
  /** Signs tokens, reads crons and dates the history; the real clock unless given. */
  readonly clock?: () => Date
  /** How many times faster delays, retries and crons pass than real time; 1 unless given. */
  readonly speed?: number
  /** The same for the time an attempt may take: apart, because the receiver's work is not faster. 1 unless given. */
  readonly timeoutSpeed?: number
  /** 1000 unless given (the free plan has 10). */
  readonly maxSchedules?: number
  /** Deliveries at once; 100 unless given. */
  readonly parallelism?: number
  /** Whether an upsert resumes a paused schedule; yes unless given, because the vendor does not say. */
  readonly upsertResumes?: boolean
  /** Which destinations are really called; loopback unless given. Others fail each attempt. */
  readonly destinationFilter?: (url: URL) => boolean
}

/** An empty QStash with these options. */
export function createState(options: QstashOptions): State {
  const { clock = () => new Date(), parallelism = 100, speed = 1 } = options
  const timers = createTimers(speed)
  return {
    token: options.token ?? randomId('qstash', 40),
    clock,
    timers,
    flow: createFlow({ clock, timers, maxParallelism: parallelism }),
    limits: limitsOf(options, parallelism),
    accepts: options.destinationFilter ?? isLoopback,
    closing: new AbortController(),
    schedules: new Map(),
    messages: new Map(),
    open: new Set(),
    deadLetters: new Map(),
    deduplicated: new Map(),
    attempts: [],
    events: [],
    notModelled: [],
    apiCalls: [],
    faults: noFaults(),
    keys: options.keys ?? { current: createSigningKey(), next: createSigningKey() },
    held: undefined,
    inFlight: 0,
    watchers: new Set(),
    counter: 0,
  }
}

function limitsOf(options: QstashOptions, parallelism: number): Limits {
  return {
    schedules: options.maxSchedules ?? 1_000,
    parallelism,
    timeoutSpeed: options.timeoutSpeed ?? 1,
    upsertResumes: options.upsertResumes ?? true,
  }
}

function noFaults(): FaultState {
  return {
    duplicates: 0,
    duplicatesCome: 'together',
    signWith: 'current',
    notBefore: 'zero',
    skewMs: 0,
    drops: 0,
    dropAfterMs: 0,
    apiFailures: [],
  }
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
