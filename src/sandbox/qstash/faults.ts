import type { ApiReaction, FaultState } from './state.ts'

/** What can go wrong on command. Each stays until it is used up or taken back. */
export interface QstashFaults {
  /** Delivers the next attempt `copies` more times under the same message id, at once or after the first answer. */
  duplicateNext(copies?: number, come?: FaultState['duplicatesCome']): void
  /** Signs with this key from now on. */
  signWith(key: FaultState['signWith']): void
  /** Mints the `nbf` claim like this from now on. */
  notBefore(claim: FaultState['notBefore']): void
  /** Moves the clock that tokens are dated with, in milliseconds; positive is ahead. */
  skew(skewMs: number): void
  /** The next `times` attempts are sent whole, and their connection is closed `afterMs` later with the answer unread. */
  dropConnectionAfter(afterMs: number, times?: number): void
  /** The next `times` calls of the API are answered with this status; 429 comes with the burst limit's headers. */
  failNextApiCalls(status: number, times?: number, headers?: Readonly<Record<string, string>>): void
  /** The next `times` calls of the API get no answer at all. */
  hangNextApiCalls(times?: number): void
  /** The next `times` calls that match, as in `POST /v2/schedules/…`, come to this; others go on as ever. */
  failApiCalls(on: RegExp, react: ApiReaction, times?: number): void
  /** Takes all of it back. */
  clear(): void
}

/** The headers of a 429 for the daily quota, which the official client tells apart from the burst limit. */
export const dailyQuotaHeaders = { 'RateLimit-Limit': '1000', 'RateLimit-Remaining': '0', 'RateLimit-Reset': '3600' }

const burstHeaders = { 'Burst-RateLimit-Limit': '100', 'Burst-RateLimit-Remaining': '0', 'Burst-RateLimit-Reset': '1' }

/** The commands over a state that the delivery and the API read. */
export function createFaults(faults: FaultState): QstashFaults {
  const none: FaultState = { ...faults, apiFailures: [] }
  return {
    duplicateNext: (copies = 1, come = 'together') => {
      faults.duplicates = copies
      faults.duplicatesCome = come
    },
    signWith: key => {
      faults.signWith = key
    },
    notBefore: claim => {
      faults.notBefore = claim
    },
    skew: skewMs => {
      faults.skewMs = skewMs
    },
    dropConnectionAfter: (afterMs, times = 1) => {
      faults.dropAfterMs = afterMs
      faults.drops = times
    },
    failNextApiCalls: (status, times = 1, headers = status === 429 ? burstHeaders : {}) => {
      for (let n = 0; n < times; n += 1) faults.apiFailures.push({ react: { status, headers } })
    },
    hangNextApiCalls: (times = 1) => {
      for (let n = 0; n < times; n += 1) faults.apiFailures.push({ react: 'hang' })
    },
    failApiCalls: (on, react, times = 1) => {
      for (let n = 0; n < times; n += 1) faults.apiFailures.push({ on, react })
    },
    clear: () => {
      Object.assign(faults, none, { apiFailures: [] })
    },
  }
}
