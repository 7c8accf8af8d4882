import type { PingKind, RunState, Trigger } from '../database/tables.ts'
import type { JobClass } from './define-job.ts'

export interface ClosedAttempt {
  readonly class: JobClass
  readonly outcome: Exclude<RunState, 'running'> | 'busy'
  /** Nothing will run this message again: it was refused for good (489), or it is a dead letter. */
  readonly final: boolean
  /** The scheduler will not deliver this message again. */
  readonly lastAttempt: boolean
  /** It ended by RetryLaterError: nothing is wrong but the moment. */
  readonly retryLater: boolean
  readonly trigger: Trigger
  readonly dryRun: boolean
  /** The operator asked for the ping of a run started by hand. */
  readonly pingAsked: boolean
}

/** Which heartbeat ping a closed attempt gives. Pure. The README's table of outcomes has it in words. */
export function pingFor(attempt: ClosedAttempt): PingKind | 'none' {
  const byHand = attempt.trigger === 'operator' || attempt.trigger === 'cli'
  // A run by hand that pinged would hide a scheduler that is dead.
  if (attempt.dryRun || (byHand && !attempt.pingAsked)) return 'none'
  switch (attempt.outcome) {
    case 'succeeded':
      return 'success'
    case 'failed':
    case 'incomplete':
      return tellsFailure(attempt) ? 'fail' : 'none'
    case 'abandoned':
    case 'busy':
    case 'duplicate':
    case 'interrupted':
    case 'paused':
    case 'skipped':
      return 'none'
  }
}

/** A fail opens an incident at once, so one that a retry may heal is told only where money waits. */
function tellsFailure({ class: jobClass, final, lastAttempt, retryLater }: ClosedAttempt): boolean {
  if (final || lastAttempt) return true
  return jobClass === 'financial' && !retryLater
}
