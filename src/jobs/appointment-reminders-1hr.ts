import { isHalfOver } from '../facts/ask-each.ts'
import { askLocales } from '../facts/ask-locales.ts'
import { findReminders } from '../notices/find-reminders.ts'
import {
  listPaymentsToAsk,
  planReminders,
  type ReminderEffect,
  type ReminderPlanFacts,
} from '../notices/reminder-plan.ts'
import { hourReminder } from '../notices/reminder-rules.ts'
import { recordReminders } from '../notices/reminders.ts'
import type { JobContext } from '../runner/context.ts'
import { type Applied, defineJob } from '../runner/define-job.ts'

const questionsAtOnce = 8
const timeoutMs = 3 * 60_000

export const appointmentReminders1hr = defineJob({
  name: 'appointment-reminders-1hr',
  summary:
    'Reminds expert and guest of each paid appointment once, in the last hour before it, and down to ten minutes before.',
  class: 'experience',
  priority: 'high',
  cron: '*/15 * * * *',
  timeZone: 'UTC',
  timeoutMs,
  retries: 3,
  movesMoney: false,
  tellsPeople: true,
  heartbeat: 'BETTERSTACK_APPOINTMENT_REMINDERS_1HR_HEARTBEAT',
  parse: () => undefined,
  gather: gatherFacts,
  plan: (facts, now) => planReminders(facts, hourReminder, now),
  apply: async (effect, context) => (await remind([effect], context))[0],
  applyTogether: remind,
})

async function gatherFacts({ clock, db, now, providers, signal }: JobContext): Promise<ReminderPlanFacts> {
  const found = await findReminders(db, hourReminder, { now, signal })
  const payments = listPaymentsToAsk(found.due, hourReminder, now)
  const locales = await askLocales(payments, providers.payments, {
    concurrency: questionsAtOnce,
    isTimeUp: () => isHalfOver(now, timeoutMs, clock),
    signal,
  })
  return { ...found, locales }
}

async function remind(
  effects: readonly ReminderEffect[],
  { clock, db, lease, runId }: JobContext,
): Promise<readonly Applied[]> {
  if (lease === undefined) throw new Error('a notice was to be written by a run without a lease')
  const decided = effects.map(effect => ({
    reminder: effect,
    reason: effect.kind === 'drop-reminder' ? effect.reason : undefined,
  }))
  const results = await recordReminders(db, decided, { rule: hourReminder, lease, runId, now: clock() })
  return results.map(result => ({ counts: { [result]: 1 } }))
}
