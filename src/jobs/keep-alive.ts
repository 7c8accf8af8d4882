import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { type DueExperts, hasProfiles, listDueExperts, recordTokenRefresh } from '../database/token-refreshes.ts'
import { toError } from '../errors.ts'
import type { Reached } from '../providers/reachability.ts'
import type { JobContext } from '../runner/context.ts'
import { type Applied, defineJob, type Effect, type FindingDraft, type Plan } from '../runner/define-job.ts'
import { withinTime } from '../time-limit.ts'

/** Most experts whose token one run refreshes: 144 runs a day reach 14,400 of them. */
export const maxExperts = 100
/** An answer that takes longer is counted as slow. */
export const slowMs = 5_000
const pingTimeoutMs = 10_000

export interface Ping extends Reached {
  readonly name: 'database' | 'qstash' | 'site'
  /** Its outage is ours too: the run is no success while it lasts. */
  readonly critical: boolean
}

export interface KeepAliveFacts {
  readonly pings: readonly Ping[]
  /** Undefined when the refresh is off. */
  readonly dueExperts: DueExperts | undefined
}

export interface RefreshToken extends Effect {
  readonly kind: 'refresh-calendar-token'
  readonly wasMissing: boolean
}

export const keepAlive = defineJob({
  name: 'keep-alive',
  summary: "Checks that the site, the database and the scheduler answer, and keeps the experts' calendar tokens alive.",
  class: 'operational',
  priority: 'critical',
  cron: '*/10 * * * *',
  timeZone: 'UTC',
  timeoutMs: 60_000,
  // The next slot is ten minutes away: further deliveries would come after it.
  retries: 1,
  movesMoney: false,
  heartbeat: 'BETTERSTACK_KEEP_ALIVE_HEARTBEAT',
  parse: () => undefined,
  gather: gatherFacts,
  plan: planKeepAlive,
  apply: refreshToken,
})

/**
 * Whom to refresh, and which answers are failures: a critical dependency that is down makes the run incomplete, one
 * that refuses us is a finding, because the mistake is ours and lasts until a person repairs it.
 */
export function planKeepAlive({ dueExperts, pings }: KeepAliveFacts): Plan<RefreshToken> {
  const down = pings.filter(ping => ping.state === 'down')
  const due = dueExperts?.rows ?? []
  return {
    effects: due.map(({ clerkUserId, wasMissing }) => ({
      kind: 'refresh-calendar-token',
      subject: clerkUserId,
      wasMissing,
    })),
    failures: down
      .filter(ping => ping.critical)
      .map(({ detail, name }) => ({ subject: name, code: 'down', message: `${name} is down: ${detail}` })),
    findings: pings.flatMap(toFindings),
    left: (dueExperts?.total ?? 0) - due.length,
    counts: { pings: pings.length, down: down.length, slow: pings.filter(ping => ping.latencyMs > slowMs).length },
  }
}

/** Once per UTC day and expert. Nothing is written to Clerk unless Clerk itself said that the token is missing. */
async function refreshToken({ subject, wasMissing }: RefreshToken, context: JobContext): Promise<Applied> {
  const { clock, db, providers, signal } = context
  const tokens = providers.calendarTokens
  if (tokens === undefined) throw new Error('clerk is not configured: a refresh was planned without it')
  const result = await tokens.refresh(subject, signal)
  // Before it is recorded: after a crash in between, the mark is made again and not forgotten.
  if (result === 'missing' && !wasMissing) await tokens.markDisconnected(subject, signal)
  await recordTokenRefresh(db, subject, result, clock())
  return { counts: { [result]: 1 }, findings: result === 'unknown-user' ? [unknownUser(subject)] : [] }
}

async function gatherFacts(context: JobContext): Promise<KeepAliveFacts> {
  const { db, providers } = context
  const [site, database, qstash] = await withinTime(
    context.signal,
    pingTimeoutMs,
    async signal =>
      await Promise.all([providers.site.check(signal), pingDatabase(db), providers.qstash?.check(signal)]),
  )
  const pings: Ping[] = [
    { name: 'site', critical: true, ...site },
    { name: 'database', critical: true, ...database },
  ]
  // Without the scheduler no job is called, whatever else is well.
  if (qstash !== undefined) pings.push({ name: 'qstash', critical: true, ...qstash })
  return { pings, dueExperts: database.state === 'up' ? await findDueExperts(context) : undefined }
}

async function pingDatabase(db: Db): Promise<Reached> {
  const startedAt = performance.now()
  const detail = await sql`select 1`
    .execute(db)
    .then(() => '')
    .catch((thrown: unknown) => `no answer (${toError(thrown).name})`)
  const latencyMs = Math.round(performance.now() - startedAt)
  return { state: detail === '' ? 'up' : 'down', latencyMs, detail }
}

async function findDueExperts({ db, log, now, providers }: JobContext): Promise<DueExperts | undefined> {
  if (providers.calendarTokens === undefined) return undefined
  if (!(await hasProfiles(db))) {
    log.warn('calendar tokens not refreshed: the marketplace has no profiles."clerkUserId"')
    return undefined
  }
  const since = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()))
  return await listDueExperts(db, { since, shuffle: now.toISOString(), limit: maxExperts })
}

function toFindings({ detail, name, state }: Ping): FindingDraft[] {
  if (state !== 'misconfigured') return []
  return [{ kind: 'misconfigured', subject: name, message: `${name} answered, and turned us away: ${detail}` }]
}

function unknownUser(clerkUserId: string): FindingDraft {
  return {
    kind: 'unknown-expert',
    subject: clerkUserId,
    message: 'clerk does not know this expert, who has a profile: remove the profile or correct its clerkUserId',
  }
}
