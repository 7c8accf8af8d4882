import type { Trigger } from '../database/tables.ts'
import type { Job } from './define-job.ts'

/** One call asking for a job, after the door: who may ask has been decided, what was asked is untrusted. */
export interface Delivery {
  readonly job: Job
  /** The caller's id for the message; the same for every attempt of it. */
  readonly messageId: string
  readonly trigger: Trigger
  /** True when it belongs to a slot of the job's cron. */
  readonly scheduled: boolean
  /** True when nobody will deliver this message again if it fails. */
  readonly lastAttempt: boolean
  readonly dryRun: boolean
  /** The parsed body; undefined when empty. */
  readonly body: unknown
  /** SHA-256 of the signed token; null when the delivery was not signed. */
  readonly tokenHash: Buffer | null
  readonly operator: string | null
  /** The plan an operator approved. */
  readonly planHash: string | undefined
  /** True when a run by hand shall report to the heartbeat all the same. */
  readonly pingAsked: boolean
}
