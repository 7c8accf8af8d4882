import { nowMs, type State } from '../state.ts'

/** Lets `run` happen once the stand-in's clock has reached `atMs`. */
export function schedule({ timers }: State, atMs: number, run: () => void): void {
  const index = timers.findLastIndex(timer => timer.atMs <= atMs)
  timers.splice(index + 1, 0, { atMs, run })
}

/** Does what has become due since the last time: nothing happens by itself between two calls. */
export function runDue(state: State): void {
  const now = nowMs(state)
  while (state.timers[0] !== undefined && state.timers[0].atMs <= now) state.timers.shift()?.run()
}
