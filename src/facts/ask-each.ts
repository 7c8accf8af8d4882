import pMap from 'p-map'
import { KeyRefusedError, PermanentError, RetryLaterError, toError } from '../errors.ts'
import type { Asked } from '../money/asked.ts'

export interface AskOptions {
  /** Questions that are open at once; the vendor's own limit is the provider's business. */
  readonly concurrency: number
  /** True once no further question may be begun. */
  readonly isTimeUp: () => boolean
  readonly signal: AbortSignal
}

/**
 * Asks about each item, in order and a few at a time, and gives the answers in the same order. An item that fails is no
 * reason to stop; throws when every further question would fail too: our key was refused, the vendor asked to come back
 * later, or the run has to end.
 */
export async function askEach<Item, T>(
  items: readonly Item[],
  ask: (item: Item) => Promise<T>,
  { concurrency, isTimeUp, signal }: AskOptions,
): Promise<Asked<T>[]> {
  const askOne = async (item: Item): Promise<Asked<T>> => {
    signal.throwIfAborted()
    if (isTimeUp()) return { kind: 'left' }
    try {
      return { kind: 'known', value: await ask(item) }
    } catch (thrown) {
      signal.throwIfAborted()
      const err = toError(thrown)
      if (err instanceof KeyRefusedError || err instanceof RetryLaterError) throw err
      if (err instanceof PermanentError) return { kind: 'refused', code: err.code }
      return { kind: 'failed', code: codeOf(err) }
    }
  }
  return await pMap(items, askOne, { concurrency })
}

/** The half of a run's deadline that is for reading is over: the other half is for what follows from it. */
export function isHalfOver(startedAt: Date, timeoutMs: number, clock: () => Date): boolean {
  return clock().getTime() - startedAt.getTime() >= timeoutMs / 2
}

/** A vendor's or the system's own word; never a message, which may carry names. */
function codeOf(err: Error): string {
  const code: unknown = (err as { code?: unknown }).code
  return typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) ? code : 'error'
}
