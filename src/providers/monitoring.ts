export type ResourceKind = 'policy' | 'heartbeat-group' | 'monitor-group' | 'heartbeat' | 'monitor'

export type Attributes = Readonly<Record<string, unknown>>

/** One thing at the vendor. Its attributes hold secrets (a heartbeat's `url`, the headers of a monitor): never print them whole. */
export interface Resource {
  readonly kind: ResourceKind
  readonly id: string
  /** What people call it; nothing keeps two from having the same. */
  readonly name: string
  readonly attributes: Attributes
}

/** What became of a write. `reason` is for people: it holds no secret. */
export type Written =
  | { readonly outcome: 'done' }
  /** The vendor does not take it like this; others may still go through. */
  | { readonly outcome: 'refused'; readonly reason: string }
  /** It was not done, and may go through later: the vendor throttles us, or nobody was reached. */
  | {
      readonly outcome: 'not now'
      readonly reason: string
      /** How long the vendor asked us to wait. */
      readonly retryAfterMs?: number
    }
  /** It may have been done, or be done yet: only lists tell, and not at once. */
  | { readonly outcome: 'unknown'; readonly reason: string }

/** Heartbeats and monitors at a vendor. Whatever it throws says what to do and holds no secret; KeyRefusedError for 401 and 403. */
export interface Monitoring {
  /** All of them; throws rather than leave one out. */
  list(kind: ResourceKind, signal: AbortSignal): Promise<readonly Resource[]>
  /** Sends once: names are not unique, so that a second send could make a second one. */
  create(kind: ResourceKind, attributes: Attributes, signal: AbortSignal): Promise<Written>
  /** Changes the attributes that are given and no others. */
  update(kind: ResourceKind, id: string, attributes: Attributes, signal: AbortSignal): Promise<Written>
  /** What is gone already counts as done. */
  remove(kind: ResourceKind, id: string, signal: AbortSignal): Promise<Written>
}
