import { countOwedPings, deleteOldRecords, type Purged, type PurgeRule } from '../database/retention.ts'
import { hasProfiles } from '../database/token-refreshes.ts'
import type { JobContext } from '../runner/context.ts'
import { type Applied, defineJob, type Effect, type Plan } from '../runner/define-job.ts'

/** Records that one statement deletes. */
export const recordsPerDelete = 5_000
/** A ping that is younger is still on its ordinary way. */
export const owedAfterMs = 10 * 60_000
/** Jobs whose runs are kept for 13 months even where they succeeded; a test compares it with the job files. */
export const moneyJobs: readonly string[] = ['process-expert-transfers', 'process-pending-payouts']

export interface TasksFacts {
  readonly owedPings: number
  readonly hasProfiles: boolean
}

export interface Purge extends Effect, Omit<PurgeRule, 'moneyJobs'> {
  readonly kind: 'purge'
  readonly subject: Purged
}

export interface SendOwedPings extends Effect {
  readonly kind: 'send-owed-pings'
}

export const processTasks = defineJob({
  name: 'process-tasks',
  summary: 'Deletes our own records when their time is up, and sends the heartbeats that are still owed.',
  class: 'operational',
  priority: 'medium',
  cron: '0 4 * * *',
  timeZone: 'UTC',
  timeoutMs: 5 * 60_000,
  retries: 3,
  movesMoney: false,
  heartbeat: 'BETTERSTACK_TASKS_HEARTBEAT',
  parse: () => undefined,
  gather: gatherFacts,
  plan: planTasks,
  apply: async (effect: Purge | SendOwedPings, context) =>
    effect.kind === 'purge' ? await purge(effect, context) : await sendOwedPings(effect, context),
})

/** What to delete at `now` and from which moment on, and whether pings are owed. */
export function planTasks(facts: TasksFacts, now: Date): Plan<Purge | SendOwedPings> {
  const daysAgo = (days: number): Date => new Date(now.getTime() - days * 24 * 60 * 60_000)
  const purges: Record<Purged, Date> = {
    'jobs.runs': daysAgo(90),
    'jobs.runs (failed or money)': subtractMonths(now, 13),
    'jobs.delivery_tokens': daysAgo(1),
    'jobs.heartbeat_pings': daysAgo(90),
    'jobs.findings': subtractMonths(now, 13),
    'jobs.findings (payouts)': subtractMonths(now, 7 * 12),
    'jobs.dead_letters': subtractMonths(now, 13),
    'jobs.audit_entries': subtractMonths(now, 7 * 12),
    'jobs.token_refreshes': now,
    'jobs.outbox': daysAgo(90),
    'jobs.outbox (unknown or poison)': subtractMonths(now, 13),
    // Rows before the operations that they belong to; both as long as the audit tells about them.
    'jobs.money_operation_items': subtractMonths(now, 7 * 12),
    'jobs.money_operations': subtractMonths(now, 7 * 12),
  }
  const subjects = (Object.keys(purges) as Purged[]).filter(
    subject => subject !== 'jobs.token_refreshes' || facts.hasProfiles,
  )
  const sending: SendOwedPings[] =
    facts.owedPings === 0 ? [] : [{ kind: 'send-owed-pings', subject: 'jobs.heartbeat_pings' }]
  return {
    effects: [...subjects.map(subject => ({ kind: 'purge' as const, subject, before: purges[subject] })), ...sending],
    counts: { owed_pings: facts.owedPings },
  }
}

/** The same day and time so many months earlier, in UTC; the last day of the month where there is no such day. */
export function subtractMonths(at: Date, months: number): Date {
  const month = at.getUTCMonth() - months
  const lastDay = new Date(Date.UTC(at.getUTCFullYear(), month + 1, 0)).getUTCDate()
  const earlier = new Date(at)
  earlier.setUTCFullYear(at.getUTCFullYear(), month, Math.min(at.getUTCDate(), lastDay))
  return earlier
}

async function gatherFacts({ db, now }: JobContext): Promise<TasksFacts> {
  return {
    owedPings: await countOwedPings(db, new Date(now.getTime() - owedAfterMs)),
    hasProfiles: await hasProfiles(db),
  }
}

async function purge({ before, subject }: Purge, { db, signal }: JobContext): Promise<Applied> {
  let deleted = 0
  for (;;) {
    signal.throwIfAborted()
    const count = await deleteOldRecords(db, { subject, before, moneyJobs }, recordsPerDelete)
    deleted += count
    if (count < recordsPerDelete) return { counts: { [subject]: deleted } }
  }
}

async function sendOwedPings({ subject }: SendOwedPings, context: JobContext): Promise<Applied> {
  const { delivered, dropped, owed } = await context.sendOwedPings()
  const counts = { pings_delivered: delivered, pings_dropped: dropped, pings_owed: owed }
  if (owed === 0) return { counts }
  const message = 'heartbeats could not be delivered for more than ten minutes: are their addresses right?'
  return { counts, findings: [{ kind: 'heartbeats-owed', subject, message, details: { owed } }] }
}
