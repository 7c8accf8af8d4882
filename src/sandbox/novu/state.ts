import { randomBytes } from 'node:crypto'
import type { Answer } from '../stand-in.ts'
import type {
  DeliveredMessage,
  NovuEvent,
  NovuFaultOrder,
  NovuOptions,
  NovuRequest,
  NovuSubscriber,
  NovuWorkflow,
} from './types.ts'
import { siteWorkflows } from './workflows.ts'

export interface State {
  readonly clock: () => Date
  readonly secretKey: string
  readonly workflows: Map<string, NovuWorkflow>
  /** As they were at the start. */
  readonly original: ReadonlyMap<string, NovuWorkflow>
  /** Taken by the API, and not yet by the worker. */
  queue: Queued[]
  readonly events: NovuEvent[]
  readonly inbox: DeliveredMessage[]
  readonly subscribers: Map<string, NovuSubscriber>
  readonly asked: NovuRequest[]
  readonly faults: Injected[]
  /** Answers by idempotency key. */
  readonly answers: Map<string, StoredAnswer>
  dedupeByTransaction: boolean
  dedupeByKey: boolean
  delayMs: number
}

export interface Queued {
  readonly workflow: string
  readonly to: readonly NovuSubscriber[]
  readonly payload: Readonly<Record<string, unknown>>
  readonly transactionId: string
  readonly dueMs: number
}

export interface Injected {
  readonly order: NovuFaultOrder
  skips: number
  left: number
}

export interface StoredAnswer {
  readonly bodyHash: string
  /** Undefined while the request is under way. */
  readonly answer: Answer | undefined
  readonly untilMs: number
}

export function createState({ clock = () => new Date(), secretKey, workflows = siteWorkflows }: NovuOptions): State {
  return {
    clock,
    secretKey: secretKey ?? randomBytes(16).toString('hex'),
    workflows: new Map(workflows.map(workflow => [workflow.id, workflow])),
    original: new Map(workflows.map(workflow => [workflow.id, workflow])),
    queue: [],
    events: [],
    inbox: [],
    subscribers: new Map(),
    asked: [],
    faults: [],
    answers: new Map(),
    dedupeByTransaction: true,
    dedupeByKey: false,
    delayMs: 0,
  }
}

/** In the form of a MongoDB id. */
export function createId(): string {
  return randomBytes(12).toString('hex')
}
