/** What a refusal of the vendor means for an operation. It moved nothing, and under this key it never will. */
export type Refusal =
  /** The cause may go away: another try, under a new key, once `wakeAfterMs` have passed. */
  | { readonly kind: 'blocked'; readonly wakeAfterMs: number }
  /** A person has to look. */
  | { readonly kind: 'rejected' }

const hourMs = 60 * 60_000

/** Codes whose cause may go away, and when it is worth looking again (docs.stripe.com/error-codes). */
const passing: Readonly<Record<string, number>> = {
  balance_insufficient: 6 * hourMs,
  insufficient_funds: 6 * hourMs,
  payouts_not_allowed: 12 * hourMs,
  payouts_limit_exceeded: 12 * hourMs,
  amount_too_small: 20 * hourMs,
  bank_account_unusable: 20 * hourMs,
  transfers_not_allowed: 12 * hourMs,
  insufficient_capabilities_for_transfer: 12 * hourMs,
  capability_not_active: 12 * hourMs,
  // Stored answers of moments that are long over: a new key gets a new answer.
  rate_limit: hourMs,
  lock_timeout: hourMs,
  idempotency_key_in_use: hourMs,
}

/** Decides by the vendor's code, never by its words; a code that is not known needs a person. */
export function judgeRefusal(code: string): Refusal {
  const wakeAfterMs = Object.hasOwn(passing, code) ? passing[code] : undefined
  return wakeAfterMs === undefined ? { kind: 'rejected' } : { kind: 'blocked', wakeAfterMs }
}

/** Sending the same amount again would be refused again: its rows are better paid together with later ones. */
export function isCuredByRegrouping(code: string | null): boolean {
  return code === 'amount_too_small'
}
