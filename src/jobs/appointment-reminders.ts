import { isHalfOver } from '../facts/ask-each.ts'
import { askLocales } from '../facts/ask-locales.ts'
import { findReminders } from '../notices/find-reminders.ts'
import {
  listPaymentsToAsk,
  planReminders,
  type ReminderEffect,
  type ReminderPlanFacts,
} from '../notices/reminder-plan.ts'
import { dayReminder } from '../notices/reminder-rules.ts'
import { recordReminders } from '../notices/reminders.ts'
import type { JobContext } from '../runner/context.ts'
import { type Applied, defineJob } from '../runner/define-job.ts'

const questionsAtOnce = 8
const timeoutMs = 5 * 60_000

export const appointmentReminders = defineJob({
  name: 'appointment-reminders',
  summary: 'Reminds expert and guest of each paid appointment once, a day before it, and down to 20 hours before.',
  class: 'experience',
  priority: 'high',
  cron: '*/30 * * * *',
  timeZone: 'UTC',
  timeoutMs,
  retries: 3,
  movesMoney: false,
  tellsPeople: true,
  heartbeat: 'BETTERSTACK_APPOINTMENT_REMINDERS_HEARTBEAT',
  parse: () => undefined,
  gather: gatherFacts,
  plan: (facts, now) => planReminders(facts, dayReminder, now),
  apply: async (effect, context) => (await remind([effect], context))[0],
  applyTogether: remind,
})

async function gatherFacts({ clock, db, now, providers, signal }: JobContext): Promise<ReminderPlanFacts> {
  const found = await findReminders(db, dayReminder, { now, signal })
  const payments = listPaymentsToAsk(found.due, dayReminder, now)
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
  const results = await recordReminders(db, decided, { rule: dayReminder, lease, runId, now: clock() })
  return results.map(result => ({ counts: { [result]: 1 } }))
}
