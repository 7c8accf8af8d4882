import { planReminders, type ReminderEffect } from '../notices/reminder-plan.ts'
import { hourReminder } from '../notices/reminder-rules.ts'
import { gatherReminders, remind } from '../notices/remind.ts'
import { defineJob } from '../runner/define-job.ts'

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
  gather: async context => await gatherReminders(hourReminder, timeoutMs, context),
  plan: (facts, now) => planReminders(facts, hourReminder, now),
  apply: async (effect: ReminderEffect, context) => (await remind(hourReminder, [effect], context))[0],
  applyTogether: async (effects, context) => await remind(hourReminder, effects, context),
})
