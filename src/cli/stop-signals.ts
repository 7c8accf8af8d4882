import type { App } from '../app.ts'
import { printNote, toDuration } from './print.ts'

// One Ctrl-C arrives twice when npm started us: from the terminal, and passed on by npm.
const echoMs = 1_000

/**
 * Ctrl-C (or SIGTERM) drains: the run may finish within the budget. A second one stops it before its next effect and
 * closes it as interrupted; a third one ends the process, and the run's lease has to expire.
 */
export function onStopSignals(app: App, drainMs: number) {
  const stopping = new AbortController()
  let pressed = 0
  let lastAt = -Infinity
  const onSignal = (): void => {
    if (performance.now() - lastAt < echoMs) return
    lastAt = performance.now()
    pressed += 1
    stopping.abort()
    if (pressed > 2) process.exit(1)
    const budgetMs = pressed === 1 ? drainMs : 0
    printNote(
      budgetMs > 0 ? `the run may finish within ${toDuration(budgetMs)}; again to stop it now` : 'stopping the run',
    )
    void app.runner.drain(budgetMs)
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return {
    stopping: stopping.signal,
    end: (): void => {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    },
  }
}
