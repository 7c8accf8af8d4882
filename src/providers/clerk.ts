/** Experts' Google calendar tokens, which expire for good after six months without use. */
export interface CalendarTokens {
  /**
   * Makes Clerk use the expert's refresh token, which keeps it alive. `missing`: Clerk answered that this expert has
   * none. `unknown-user`: Clerk does not know the expert. Throws KeyRefusedError for a refused key, RetryLaterError
   * when Clerk asks us to slow down, and a plain Error for every other failure: an outage is never `missing`.
   */
  refresh(clerkUserId: string, signal: AbortSignal): Promise<'refreshed' | 'missing' | 'unknown-user'>
  /** Marks the expert's calendar step as not done. Call it only after `refresh` said `missing`. */
  markDisconnected(clerkUserId: string, signal: AbortSignal): Promise<void>
}
