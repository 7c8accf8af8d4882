export type StopReason = 'deadline' | 'lease_lost' | 'draining'

const words: Readonly<Record<StopReason, string>> = {
  deadline: 'the run passed its deadline',
  lease_lost: 'the run lost its lease',
  draining: 'the process is ending',
}

/** Why a run's signal fired: what providers throw on, and what the runner tells apart afterwards. */
export class StopSignal extends Error {
  readonly reason: StopReason

  constructor(reason: StopReason) {
    super(words[reason])
    this.name = 'StopSignal'
    this.reason = reason
  }
}

/** The reason a signal fired for, or undefined while it has not. */
export function stopReasonOf(signal: AbortSignal): StopReason | undefined {
  if (!signal.aborted) return undefined
  return signal.reason instanceof StopSignal ? signal.reason.reason : 'draining'
}

/** How long code that was told to stop may take to do so before the runner goes on without it. */
export const settleMs = 2_000

/** Some code did not stop when told: it may still be at work, so its lease must not be handed on before it runs out. */
export class UnsettledError extends Error {
  constructor(options: ErrorOptions) {
    super('the job ignored its signal and may still be at work', options)
    this.name = 'UnsettledError'
  }
}

/** Waits for `work`, but not for long after the signal has fired. Throws UnsettledError when it had to leave it behind. */
export async function waitUnderSignal<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: overdue, reject } = Promise.withResolvers<never>()
  let timer: NodeJS.Timeout | undefined
  const onAbort = (): void => {
    timer = setTimeout(() => {
      reject(new UnsettledError({ cause: signal.reason }))
    }, settleMs)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, overdue])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}
