import type { Db } from '../database/connection.ts'
import { recordAudit } from '../database/audit.ts'
import { acknowledgeFinding, type ChangedFinding, closeFinding } from '../database/finding-queries.ts'
import { approveOperation, declineOperation } from '../database/money-approvals.ts'
import { pauseJob, resumeJob } from '../database/job-settings.ts'
import type { Adoption, Correction, Corrections } from '../ledger/corrections.ts'
import type { Job } from './define-job.ts'
import { redact } from './redact.ts'
import type { RunResult, Runner } from './run-job.ts'

/** A run that a person asks for. */
export interface RunByHand {
  readonly job: Job
  readonly trigger: 'operator' | 'cli'
  readonly operator: string
  /** The job's input, untrusted; refused where the job takes none. What a schedule sends as a body is not, and means nothing. */
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
  /** Says that somebody is looking after it. Undefined when there is no such finding. */
  acknowledgeFinding(id: string, operator: string, note: string): Promise<ChangedFinding | undefined>
  /**
   * Closes it; what a job did not do because of it, it will do. Undefined when there is no such finding. Throws
   * PermanentError where money would go and `letMoneyGo` does not say that it may, or where it must stay open.
   */
  resolveFinding(id: string, operator: string, note: string, letMoneyGo: boolean): Promise<ChangedFinding | undefined>
  /** Lets a held operation go, when its turn has come; any other state is given back. */
  approveOperation(id: string, operator: string, approving: Approving): ReturnType<typeof approveOperation>
  /** Gives an operation up of which nothing was sent, and its rows wait until a person resolves the finding of that; any other state is given back. */
  declineOperation(id: string, operator: string, note: string): ReturnType<typeof declineOperation>
  /** Takes an object at Stripe as the receipt of an operation of which nobody knows what came. Throws PermanentError for what does not fit. */
  adoptObject(adoption: Omit<Adoption, 'operator'>, operator: string): Promise<void>
  /** Gives such an operation up because nothing moved, and frees its rows. Throws PermanentError while that is not proven. */
  declareUnmoved(correction: Omit<Correction, 'operator'>, operator: string): Promise<void>
}

/** What an operator says beside approving. */
export interface Approving {
  readonly note?: string | undefined
  /** What the operator was shown of why it is held: nothing else is approved. What it was held for unless given. */
  readonly shown?: readonly string[] | undefined
}

export interface OperatorActionsParts {
  readonly db: Db
  readonly runner: Runner
  readonly corrections: Corrections
  readonly clock: () => Date
  readonly newId: () => string
}

/** Makes the actions that the routes and the command line offer. */
export function createOperatorActions(parts: OperatorActionsParts): OperatorActions {
  const { clock, corrections, db, newId, runner } = parts
  return {
    startRun: async ({ dryRun, input, job, operator, ping, planHash, trigger }) => {
      if (runner.draining) return { kind: 'refused', reason: 'draining', message: 'this process is ending: call again' }
      if (job.takesInput !== true && hasContent(input)) {
        const message = `${job.name} takes no input: it would not limit what the run does, so nothing was begun`
        return { kind: 'refused', reason: 'malformed', message }
      }
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
    acknowledgeFinding: async (id, operator, note) =>
      await acknowledgeFinding(db, { id, operator, note, now: clock() }),
    resolveFinding: async (id, operator, note, letMoneyGo) =>
      await closeFinding(db, { id, operator, note, letMoneyGo, now: clock() }),
    approveOperation: async (id, operator, approving) =>
      await approveOperation(db, { ...approving, id, operator, now: clock() }),
    declineOperation: async (id, operator, note) => await declineOperation(db, { id, operator, note, now: clock() }),
    adoptObject: async (adoption, operator) => {
      await corrections.adopt({ ...adoption, operator })
    },
    declareUnmoved: async (correction, operator) => {
      await corrections.declareUnmoved({ ...correction, operator })
    },
  }
}

/** Whether somebody who gave this meant something by it: an empty document says nothing. */
function hasContent(input: unknown): boolean {
  if (input === undefined || input === null) return false
  return typeof input !== 'object' || Object.keys(input).length > 0
}

/** Why a finding was not changed, in words for the operator who asked. */
export function describeUnchanged({ finding }: ChangedFinding): string {
  const { acknowledged_by: seenBy, closed_at: closedAt, closed_by: closedBy, id, note, state } = finding
  const who = state === 'resolved' ? `${closedBy} at ${closedAt?.toISOString()}` : seenBy
  return `finding ${id} is ${state} already, by ${who}: ${redact(note ?? 'without a note')}`
}
