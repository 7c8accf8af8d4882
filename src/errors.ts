/**
 * The errors that some caller acts on. Everything else is a plain `Error` with a `cause`.
 */

/**
 * Trying again cannot help; a person must. From `gather` or `plan` it ends the run for good (489, no retry); from
 * `apply` it makes that one item a finding and the run goes on.
 */
export class PermanentError extends Error {
  readonly code: string

  constructor(message: string, options: ErrorOptions & { readonly code?: string } = {}) {
    super(message, options)
    this.name = 'PermanentError'
    this.code = options.code ?? 'permanent'
  }
}

/** Nothing is wrong with the request, only with the moment: the run ends with 503 and asks to be called again later. */
export class RetryLaterError extends Error {
  readonly delaySeconds: number

  constructor(message: string, delaySeconds: number, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RetryLaterError'
    this.delaySeconds = delaySeconds
  }
}

/** A vendor refused our own key (401 or 403): every further call would be refused too, so the run stops at once. */
export class KeyRefusedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KeyRefusedError'
  }
}

/**
 * A statement that would have begun an effect found that the run may not: its lease is not ours any more, or an operator
 * has paused the job. Nothing was done; the run ends there.
 */
export class StopRunError extends Error {
  readonly reason: 'lease_lost' | 'paused'

  constructor(reason: 'lease_lost' | 'paused') {
    super(reason === 'paused' ? 'the job was paused before this effect' : 'the lease was lost before this effect')
    this.name = 'StopRunError'
    this.reason = reason
  }
}

/** What was thrown, as an `Error`: JavaScript may throw anything, and the runner must survive all of it. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  return new Error(`something that is no error was thrown: ${describe(thrown)}`, { cause: thrown })
}

function describe(thrown: unknown): string {
  try {
    return String(thrown).slice(0, 200)
  } catch {
    return typeof thrown
  }
}
