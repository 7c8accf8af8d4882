export interface NovuOptions {
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
  readonly active: boolean
  readonly steps: number
  /** Whether the API itself checks payloads, and answers 400; else a bad one is accepted and nothing is sent. */
  readonly validatePayload: boolean
  readonly payloadSchema?: Readonly<Record<string, unknown>>
}

/** A message that has reached its person. */
export interface DeliveredMessage {
  readonly to: {
    readonly subscriberId: string
    readonly email?: string
    readonly firstName?: string
    readonly lastName?: string
    readonly locale?: string
    readonly timezone?: string
  }
  readonly workflow: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly transactionId: string
  readonly at: Date
  /** Of the rendered message: pt, es or en. */
  readonly language: string
  readonly subject: string
  readonly text: string
}

export type NovuFault =
  /** The connection stays open and nothing comes; the event is taken or not. */
  | { readonly kind: 'hang'; readonly taken: boolean }
  /** The connection breaks without an answer. */
  | { readonly kind: 'reset'; readonly taken: boolean }
  | { readonly kind: 'limit'; readonly retryAfter?: string }
  | { readonly kind: 'error'; readonly taken: boolean; readonly status?: number }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** 200 or 201 with bytes that are no JSON. */
  | { readonly kind: 'garbage'; readonly taken: boolean }
  /** Taken, and half of the answer arrives before the connection breaks. */
  | { readonly kind: 'truncate' }
  /** One event of a bulk is not taken, and its answer says so. */
  | { readonly kind: 'failOne'; readonly index: number }

export interface FaultScope {
  /** trigger and bulk are `send`; notifications are `lookUp`; workflows are `workflows`. All of them unless given. */
  readonly call?: 'send' | 'lookUp' | 'workflows'
  /** How many requests it meets: one unless given. */
  readonly times?: number
  /** How many requests in its scope pass first: none unless given. */
  readonly after?: number
}

export type NovuFaultOrder = NovuFault & FaultScope

export interface NovuStandIn {
  readonly url: string
  readonly secretKey: string
  /** Everything that reached somebody, oldest first. */
  inbox(): readonly DeliveredMessage[]
  inject(fault: NovuFaultOrder): void
  clearFaults(): void
  /** Replaces parts of a workflow's definition; throws for one that is not there. */
  setWorkflow(id: string, changes: Partial<Omit<NovuWorkflow, 'id'>>): void
  removeWorkflow(id: string): void
  /** How the vendor tells duplicates: by transaction id in its worker (on), by the Idempotency-Key header (off). */
  setDedupe(settings: { readonly transactionId?: boolean; readonly idempotencyKey?: boolean }): void
  /** How long the vendor takes between its answer and the moment an event shows and is sent; 0 unless set. */
  setDelay(delayMs: number): void
  close(): Promise<void>
}

/** Starts a Novu on 127.0.0.1 that the official SDK works with. */
export async function startNovu(_options: NovuOptions = {}): Promise<NovuStandIn> {
  throw new Error('not built yet')
}
