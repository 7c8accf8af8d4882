import { KeyRefusedError, PermanentError } from '../errors.ts'
import type { Ending } from './outcomes.ts'
import { redact } from './redact.ts'

const maxMessageLength = 2_000

export const succeeded: Ending = { state: 'succeeded', final: true, errorCode: null, message: null }

export const planChanged: Ending = {
  state: 'failed',
  final: true,
  errorCode: 'plan_changed',
  message: 'the plan has changed since it was approved; nothing was sent',
  planChanged: true,
}

export const pausedHalfWay: Ending = {
  state: 'paused',
  final: true,
  errorCode: null,
  message: 'paused by an operator during the run; what was left is not lost, the next run plans it again',
}

/** How a run ends that something else than its own work has stopped. */
export function stopped(reason: 'deadline' | 'lease_lost' | 'draining'): Ending {
  switch (reason) {
    case 'deadline':
      return { state: 'failed', final: false, errorCode: 'deadline_exceeded', message: 'the run passed its deadline' }
    case 'lease_lost':
      return { state: 'failed', final: false, errorCode: 'lease_lost', message: 'the run lost its lease and stopped' }
    case 'draining':
      return { state: 'interrupted', final: false, errorCode: 'interrupted', message: 'the process is ending' }
  }
}

/** Words without secrets, short enough for a row and an answer. */
export function shorten(words: string): string {
  return redact(words).replaceAll('\0', '').slice(0, maxMessageLength)
}

/** A short word for what went wrong: the vendor's or the system's own code where there is one. */
export function codeOf(err: Error): string {
  if (err instanceof PermanentError) return err.code
  if (err instanceof KeyRefusedError) return 'key_refused'
  const code: unknown = (err as { code?: unknown }).code
  return typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) ? code : 'error'
}
