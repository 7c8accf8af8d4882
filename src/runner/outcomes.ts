import type { RunState } from '../database/tables.ts'

/** What the runner concluded about one delivery. */
export type Outcome =
  | 'succeeded'
  | 'failed'
  | 'incomplete'
  | 'interrupted'
  | 'duplicate'
  | 'busy'
  | 'skipped'
  | 'paused'

/** The one shape of every answer about a job (README, "What a job answers"). */
export interface RunAnswer {
  readonly runId: string
  readonly job: string
  readonly outcome: Outcome
  readonly attempt: number
  readonly slot: string | null
  readonly dryRun: boolean
  readonly report: Readonly<Record<string, unknown>> | null
  readonly planHash?: string
  readonly plan?: Readonly<Record<string, unknown>>
  readonly message?: string
}

/** An answer with what HTTP needs to carry it. */
export interface Answer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: RunAnswer
}

/** How an attempt ended, before anybody was told. */
export interface Ending {
  readonly state: Extract<RunState, 'succeeded' | 'failed' | 'incomplete' | 'interrupted' | 'paused'>
  /** No redelivery of this message may run it again. */
  readonly final: boolean
  readonly errorCode: string | null
  readonly message: string | null
  /** The job asked to be called again then, in seconds. */
  readonly retryLaterSeconds?: number
  /** The plan differs from the one that was approved. */
  readonly planChanged?: boolean
}

/** Render and QStash both come back quickly to a process that is ending: another one is already there. */
export const drainRetrySeconds = 10
/** What QStash takes as "never again"; it wants the status and the header (upstash.com/docs/qstash/features/retry). */
export const nonRetryableStatus = 489
export const nonRetryableHeaders = { 'upstash-nonretryable-error': 'true' } as const

/** The HTTP side of an ending: the table in the README, "What a job answers". */
export function toHttp(ending: Ending): Pick<Answer, 'statusCode' | 'headers'> {
  switch (ending.state) {
    case 'succeeded':
    case 'paused':
      return { statusCode: 200, headers: {} }
    case 'interrupted':
      return { statusCode: 503, headers: retryAfter(drainRetrySeconds) }
    case 'incomplete':
      return { statusCode: 500, headers: {} }
    case 'failed':
      if (ending.planChanged === true) return { statusCode: 409, headers: {} }
      if (ending.retryLaterSeconds !== undefined)
        return { statusCode: 503, headers: retryAfter(ending.retryLaterSeconds) }
      if (ending.final) return { statusCode: nonRetryableStatus, headers: nonRetryableHeaders }
      return { statusCode: 500, headers: {} }
  }
}

/** `Retry-After` in whole seconds, at least one: zero would mean "at once, for ever". */
export function retryAfter(seconds: number): Record<string, string> {
  return { 'retry-after': String(Math.max(1, Math.ceil(seconds))) }
}
