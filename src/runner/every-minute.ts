import type { FastifyBaseLogger } from 'fastify'

export interface EveryMinuteOptions {
  readonly everyMs?: number
  /** Run one after the other; the function's name is what the log shows. */
  readonly steps: readonly (() => Promise<unknown>)[]
  readonly log: FastifyBaseLogger
}

export interface EveryMinute {
  /** No further pass begins; resolves when the running one is over. */
  stop(): Promise<void>
}

/**
 * Runs the steps at once and then every minute. Passes never overlap: one that takes longer swallows the beats it
 * missed. A step that fails is logged and keeps nothing else from running.
 */
export function startEveryMinute({ everyMs = 60_000, log, steps }: EveryMinuteOptions): EveryMinute {
  let running: Promise<void> | undefined
  const beat = (): void => {
    running ??= runSteps(steps, log).finally(() => {
      running = undefined
    })
  }
  beat()
  const timer = setInterval(beat, everyMs)
  return {
    stop: async () => {
      clearInterval(timer)
      await running
    },
  }
}

async function runSteps(steps: EveryMinuteOptions['steps'], log: FastifyBaseLogger): Promise<void> {
  for (const step of steps) {
    try {
      await step()
    } catch (err) {
      log.error({ err, step: step.name }, 'a step of every minute failed')
    }
  }
}
