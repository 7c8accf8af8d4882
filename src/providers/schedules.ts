/** What a schedule says: when it calls what, and how. Creating and changing one replaces all of it. */
export interface ScheduleSettings {
  readonly id: string
  /** Five fields, single spaces. */
  readonly cron: string
  /** IANA zone in which `cron` is read. */
  readonly timeZone: string
  readonly destination: string
  readonly method: string
  /** Further deliveries after the first one failed. */
  readonly retries: number
  /** How long a delivery may take. Undefined where that cannot be known. */
  readonly timeoutSeconds: number | undefined
  /** What each delivery carries; undefined: nothing. */
  readonly body: string | undefined
  /** Told when the last delivery failed too. */
  readonly failureCallback: string | undefined
  readonly flowControl: FlowControl | undefined
}

/** At most so many deliveries at once, or in a period, among all schedules with the key; further ones wait. */
export interface FlowControl {
  readonly key: string
  readonly parallelism?: number
  readonly rate?: number
  readonly periodSeconds?: number
}

/** A schedule as it is at the vendor. */
export interface Schedule extends ScheduleSettings {
  /** Told of every delivery; none of ours has one. */
  readonly callback: string | undefined
  /** What each delivery carries besides, by its name in small letters; none of ours has any. */
  readonly headers: Readonly<Record<string, string>>
  readonly queue: string | undefined
  readonly delaySeconds: number | undefined
  /** The expression that takes the place of the vendor's own waits. */
  readonly retryDelay: string | undefined
  readonly paused: boolean
  /** It was paused when it was changed last: the change is only whole once it is paused again. */
  readonly keptPaused: boolean
  readonly lastDueAt: Date | undefined
  readonly nextDueAt: Date | undefined
  /** What became of the newest delivery, where the vendor still knows. */
  readonly lastState: 'running' | 'succeeded' | 'failed' | undefined
}

/**
 * The vendor's schedules. Every call ends within its deadline. They throw KeyRefusedError for a refused token, RetryLaterError when asked to wait
 * for longer than is sensible, PermanentError for what can never work (its code is `quota` when there is no room for one
 * more), and Error for everything else: what was asked for may then have been done.
 */
export interface Schedules {
  list(signal: AbortSignal): Promise<readonly Schedule[]>
  /** Creates it, or replaces every setting of the one with this id. Safe to do twice. */
  put(settings: ScheduleSettings, mark: { readonly keptPaused: boolean }, signal: AbortSignal): Promise<void>
  /** Safe to do twice. */
  pause(id: string, signal: AbortSignal): Promise<void>
  /** One that is gone already is no error. */
  remove(id: string, signal: AbortSignal): Promise<void>
  /** How many messages were given up and wait for a person: 100 stands for 100 or more. */
  countDeadLetters(signal: AbortSignal): Promise<number>
}
