import type { Db } from '../database/connection.ts'
import { recordAudit } from '../database/audit.ts'
import { pauseJob, resumeJob } from '../database/job-settings.ts'
import type { Job } from './define-job.ts'
import type { RunResult, Runner } from './run-job.ts'

/** A run that a person asks for. */
export interface RunByHand {
  readonly job: Job
  readonly trigger: 'operator' | 'cli'
  readonly operator: string
  /** The job's input, untrusted. */
  readonly input: unknown
  readonly dryRun: boolean
  /** The plan the operator has approved: nothing is sent when it has changed. */
  readonly planHash: string | undefined
  /** Whether it shall report to the heartbeat, which would hide a scheduler that is dead. */
  readonly ping: boolean
}

/** What operators can do, each of it on the audit trail with their name. */
export interface OperatorActions {
  startRun(wanted: RunByHand): Promise<RunResult>
  /** False when the job was paused already; then nothing changes. */
  pause(job: Job, operator: string, reason: string): Promise<boolean>
  /** False when the job was not paused; then nothing changes. */
  resume(job: Job, operator: string, reason: string): Promise<boolean>
}

export interface OperatorActionsParts {
  readonly db: Db
  readonly runner: Runner
  readonly clock: () => Date
  readonly newId: () => string
}

/** Makes the actions that the routes and the command line offer. */
export function createOperatorActions({ clock, db, newId, runner }: OperatorActionsParts): OperatorActions {
  return {
    startRun: async ({ dryRun, input, job, operator, ping, planHash, trigger }) => {
      if (runner.draining) return { kind: 'refused', reason: 'draining', message: 'this process is ending: call again' }
      const details = { trigger, dryRun, ping, ...(planHash === undefined ? {} : { planHash }) }
      await recordAudit(db, { at: clock(), actor: operator, action: 'run.start', subject: job.name, details })
      return await runner.run({
        job,
        messageId: `${trigger}:${newId()}`,
        trigger,
        scheduled: false,
        lastAttempt: true,
        dryRun,
        body: input,
        tokenHash: null,
        operator,
        planHash,
        pingAsked: ping,
      })
    },
    pause: async (job, operator, reason) => await pauseJob(db, { job: job.name, operator, reason, now: clock() }),
    resume: async (job, operator, reason) => await resumeJob(db, { job: job.name, operator, reason, now: clock() }),
  }
}
