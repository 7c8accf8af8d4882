export interface NovuOptions {
  /** The real clock unless given. */
  readonly clock?: () => Date
  /** A free port unless given. */
  readonly port?: number
  readonly secretKey?: string
  /** The site's own unless given. */
  readonly workflows?: readonly NovuWorkflow[]
}

/** A workflow as the site defines it. */
export interface NovuWorkflow {
  readonly id: string
  readonly name: string
  readonly active: boolean
  readonly steps: number
  /** Whether the API itself checks payloads, and answers 400; else a bad one is accepted and nothing is sent. */
  readonly validatePayload: boolean
  readonly payloadSchema?: Readonly<Record<string, unknown>>
}

/** A person as the stand-in knows them. */
export interface NovuSubscriber {
  readonly subscriberId: string
  readonly email?: string
  readonly firstName?: string
  readonly lastName?: string
  readonly locale?: string
  readonly timezone?: string
}

/** A message that has reached its person. */
export interface DeliveredMessage {
  readonly to: NovuSubscriber
  readonly workflow: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly transactionId: string
  readonly at: Date
  /** Of the rendered message. */
  readonly language: Language
  readonly subject: string
  readonly text: string
}

export type Language = 'pt' | 'es' | 'en'

/** What became of an event that the API took. */
export interface NovuEvent {
  readonly id: string
  readonly workflow: string
  readonly subscriberId: string
  readonly transactionId: string
  readonly at: Date
  /** `failed`: its payload is not what the workflow wants, and nothing was sent. */
  readonly outcome: 'sent' | 'failed'
}

/** A request that came in. */
export interface NovuRequest {
  readonly call: NovuCall | undefined
  readonly method: string
  readonly path: string
  /** What follows the question mark; empty without one. */
  readonly query: string
  readonly idempotencyKey: string | undefined
  readonly transactionIds: readonly string[]
}

export type NovuCall = 'send' | 'lookUp' | 'workflows'

export type NovuFault =
  /** The connection stays open and nothing comes. */
  | { readonly kind: 'hang'; readonly taken: boolean }
  /** The connection breaks without an answer. */
  | { readonly kind: 'reset'; readonly taken: boolean }
  | { readonly kind: 'limit'; readonly retryAfter?: string }
  /** 500 unless told otherwise. */
  | { readonly kind: 'error'; readonly taken: boolean; readonly status?: number }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** The status of a success with bytes that are no JSON. */
  | { readonly kind: 'garbage'; readonly taken: boolean }
  /** Taken, and half of the answer arrives before the connection breaks. */
  | { readonly kind: 'truncate' }
  /** Our key is not accepted. */
  | { readonly kind: 'unauthorized'; readonly status?: 401 | 403 }
  /** One event of a bulk is not taken, and its answer says so. */
  | { readonly kind: 'failOne'; readonly index: number }

export interface FaultScope {
  /** All of them unless given. */
  readonly call?: NovuCall
  /** Of those, the ones with this query, as `limit=1`; all of them unless given. */
  readonly query?: string
  /** How many requests it meets: one unless given. */
  readonly times?: number
  /** How many requests in its scope pass first: none unless given. */
  readonly after?: number
}

export type NovuFaultOrder = NovuFault & FaultScope

export interface NovuDedupe {
  /** In the worker: the second event under an id is accepted, and nothing is sent. On unless set. */
  readonly transactionId?: boolean
  /** In the API, by the Idempotency-Key header. Off unless set: not every organization has it. */
  readonly idempotencyKey?: boolean
}

/** How a test sets the world up, breaks it and looks at it. */
export interface NovuControl {
  /** Everything that reached somebody, oldest first. */
  inbox(): readonly DeliveredMessage[]
  /** Every event that the API took and the worker began, oldest first. */
  events(): readonly NovuEvent[]
  subscribers(): readonly NovuSubscriber[]
  asked(): readonly NovuRequest[]
  inject(fault: NovuFaultOrder): void
  clearFaults(): void
  /** Replaces parts of a workflow's definition; throws for one that is not there. */
  setWorkflow(id: string, changes: Partial<Omit<NovuWorkflow, 'id'>>): void
  /** Throws for one that is not there. */
  removeWorkflow(id: string): void
  /** Puts a workflow back as it was at the start, removed or changed; throws for one that was not there then. */
  restoreWorkflow(id: string): void
  setDedupe(settings: NovuDedupe): void
  /** How long it takes on the stand-in's clock from the answer until an event shows and is sent; 0 unless set. */
  setDelay(delayMs: number): void
}
