import type { FlowControl } from '../providers/schedules.ts'
import type { JobContext } from './context.ts'

/** What a failure means to people; sets the heartbeat's grace and when `/fail` is sent. */
export type JobClass = 'financial' | 'revenue' | 'experience' | 'operational'
export type Priority = 'critical' | 'high' | 'medium' | 'low'

/** One thing a job intends to do. These five fields, and nothing else, make the plan's hash. */
export interface Effect {
  readonly kind: string
  /** What it is done to: our own id, never a name or an address. */
  readonly subject: string
  readonly amountCents?: number
  readonly currency?: string
  readonly destination?: string
}

/** Something the plan leaves for now, and why, for the operator who asks. */
export interface Wait {
  readonly subject: string
  readonly reason: string
  /** The moment it stops waiting, where that is known. */
  readonly until?: Date
  /** What it is about, where that is money. */
  readonly amountCents?: number
  readonly currency?: string
}

/** A difference that a person must look at. One (kind, subject) is one finding, however many runs see it. */
export interface FindingDraft {
  readonly kind: string
  readonly subject: string
  /** What is wrong and what to do about it; no personal data. */
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
  /** It was written in the transaction that made it true: it is counted, and not written once more. */
  readonly isRecorded?: boolean
}

/** An item that was found broken while gathering, and that may be well the next time: it makes the run `incomplete`. */
export interface ItemFailure {
  readonly subject: string
  readonly code: string
  readonly message: string
}

/** What a job intends at `now`, as data. */
export interface Plan<E extends Effect = Effect> {
  readonly effects: readonly E[]
  readonly waits?: readonly Wait[]
  readonly findings?: readonly FindingDraft[]
  readonly failures?: readonly ItemFailure[]
  /** Due items beyond what one run takes on: the next run's work. */
  readonly left?: number
  /** Items that were not read and are not due either: what is known about them is not over. */
  readonly unread?: number
  /** Facts worth a number in the report, e.g. `{ checked: 3 }`. */
  readonly counts?: Readonly<Record<string, number>>
}

/** What one effect came to. Throw instead when the item failed; return a finding when a person must look. */
export interface Applied {
  readonly counts?: Readonly<Record<string, number>>
  readonly findings?: readonly FindingDraft[]
  /** The vendor's id for the effect. */
  readonly receipt?: string
  /** Cents that really moved, where that is not what the effect says: 0 for one that was held or blocked. */
  readonly amountCents?: number
}

interface JobDeclaration {
  /** File name, URL, ledger key and CLI argument. */
  readonly name: string
  /** One sentence for the README table, the CLI and the status page. */
  readonly summary: string
  readonly class: JobClass
  readonly priority: Priority
  /** Five fields, minute resolution. */
  readonly cron: string
  /** IANA zone in which `cron` is read. */
  readonly timeZone: string
  /** The run's deadline. Every call of the job takes `context.signal`, which fires then. */
  readonly timeoutMs: number
  /** Further deliveries after the first one failed; a run's attempts are one more. */
  readonly retries: number
  readonly movesMoney: boolean
  /** True when its effects write notices: what is due of them is sent after each run, and not only every minute. */
  readonly tellsPeople?: boolean
  /** The variable that holds the heartbeat's address. */
  readonly heartbeat: string
  /** Overrides the class rule for the heartbeat's grace. */
  readonly graceSeconds?: number
  /** True when a later slot does not make up for this one: it is then never skipped as stale or for a busy lease. */
  readonly everySlotCounts?: boolean
  /** True when `parse` makes something of a body. An operator who gives input to any other job is refused. */
  readonly takesInput?: boolean
  /** What its scheduled deliveries carry, as `parse` reads it. */
  readonly scheduleBody?: string
  /** For a job that must not be called at the same time as others with the same key. */
  readonly flowControl?: FlowControl
  /** Consecutive failed runs before operators are alerted; 3 unless said. */
  readonly alertAfter?: number
  /**
   * Kinds of findings that say what is, and that every complete run sees again for as long as it is so: two complete runs
   * in a row that do not see one close it. Never a kind that says what happened.
   */
  readonly standingFindings?: readonly string[]
}

export interface JobDefinition<Payload, Facts, E extends Effect> extends JobDeclaration {
  /** Untrusted body (parsed JSON, or undefined when empty) to payload. Throws PermanentError for what can never work. */
  parse(body: unknown): Payload
  /** Reads what the plan needs. No effect. */
  gather(context: JobContext, payload: Payload): Promise<Facts>
  /** Pure: no clock, no database, no provider. */
  plan(facts: Facts, now: Date): Plan<E>
  /** Does one effect, which must be safe to do twice. */
  apply(effect: E, context: JobContext): Promise<Applied | void>
  /**
   * Does several in one transaction: all of them, or none when it throws; what each came to, in their order. For effects
   * that are rows of ours alone, where so many round trips would take too long.
   */
  applyTogether?(effects: readonly E[], context: JobContext): Promise<readonly (Applied | void)[]>
}

/** A job as the runner sees it: only the runner calls parse, gather, plan and apply, in that order. */
export interface Job extends JobDeclaration {
  parse(body: unknown): unknown
  gather(context: JobContext, payload: unknown): Promise<unknown>
  plan(facts: unknown, now: Date): Plan
  apply(effect: Effect, context: JobContext): Promise<Applied | void>
  applyTogether?(effects: readonly Effect[], context: JobContext): Promise<readonly (Applied | void)[]>
}

/** Ties a job's four functions together by type; what comes out has the types forgotten, so that jobs fit in one list. */
export function defineJob<Payload, Facts, E extends Effect>(definition: JobDefinition<Payload, Facts, E>): Job {
  return definition
}

/** The jobs by name. Throws when two share a name or a heartbeat, naming the culprit. */
export function indexJobs(jobs: readonly Job[]): ReadonlyMap<string, Job> {
  const byName = new Map<string, Job>()
  const byHeartbeat = new Map<string, Job>()
  for (const job of jobs) {
    if (byName.has(job.name)) throw new Error(`the job ${job.name} is listed twice in src/jobs/index.ts`)
    const twin = byHeartbeat.get(job.heartbeat)
    if (twin !== undefined)
      throw new Error(`the jobs ${twin.name} and ${job.name} share the heartbeat ${job.heartbeat}`)
    byName.set(job.name, job)
    byHeartbeat.set(job.heartbeat, job)
  }
  return byName
}
