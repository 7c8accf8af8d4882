/** What the payment vendor tells of the calls that it makes to us and to the site. */
export interface WebhookReads {
  /** All endpoints that are registered, of this mode. What they answer to is in the address; whose events they get is not told. */
  listEndpoints(signal: AbortSignal): Promise<readonly WebhookEndpoint[]>
  /** The newest events of our own account and of these types (20 at most), newest first; at most 100. */
  listEvents(query: EventQuery, signal: AbortSignal): Promise<EventList>
}

export interface WebhookEndpoint {
  readonly id: string
  readonly url: string
  readonly enabled: boolean
  /** Types; `*` stands for all of them. */
  readonly events: readonly string[]
  /** In which its events are written; null: that of the account. */
  readonly apiVersion: string | null
}

export interface EventQuery {
  readonly from: Date
  readonly types: readonly string[]
  /** Only those that some endpoint has not taken. */
  readonly undeliveredOnly?: boolean
}

export interface EventList {
  readonly events: readonly VendorEvent[]
  /** There are older ones, too. */
  readonly more: boolean
}

export interface VendorEvent {
  readonly id: string
  readonly type: string
  /** To the second. */
  readonly happenedAt: Date
  /** Every endpoint that wants it has taken it. */
  readonly isDelivered: boolean
}
