import type { Step } from '../runner/attempt.ts'
import { createProgress, toDuration } from './print.ts'

const beatMs = 250

/** Shows on stderr, where that is a terminal, what a run is at and for how long. */
export function createRunProgress(job: string) {
  const progress = createProgress()
  const startedAt = performance.now()
  let doing = ''
  let applied = 0
  const draw = (): void => {
    const done = applied === 0 ? '' : `, ${applied} applied`
    progress.show(`${job}: ${doing}${done}, ${toDuration(performance.now() - startedAt)}`)
  }
  const timer = setInterval(draw, beatMs)
  return {
    show: (what: string): void => {
      doing = what
    },
    onStep: (step: Step): void => {
      if (step === 'applied') applied += 1
      else doing = words[step]
    },
    end: (): void => {
      clearInterval(timer)
      progress.clear()
    },
  }
}

const words: Readonly<Record<Exclude<Step, 'applied'>, string>> = {
  claimed: 'gathering',
  gathered: 'planning',
  planned: 'planned',
  applying: 'applying',
  closing: 'closing',
  closed: 'closed',
}
