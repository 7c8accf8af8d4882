/** Something outside that is either there or not. */
export interface Reachability {
  /** Asks once, at the cost of one harmless call. Never throws: what went wrong is the answer. */
  check(signal: AbortSignal): Promise<Reached>
}

export interface Reached {
  /** `misconfigured`: it answered, and refused our key or does not know our address, so the mistake is ours. */
  readonly state: 'up' | 'down' | 'misconfigured'
  /** Misconfigured in what our key may do alone: it answers, and knows the key. */
  readonly scopeOnly?: boolean
  readonly latencyMs: number
  /** Why, in words without secrets; empty when up. */
  readonly detail: string
}
