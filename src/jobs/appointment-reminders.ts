import { planReminders, type ReminderEffect } from '../notices/reminder-plan.ts'
import { dayReminder } from '../notices/reminder-rules.ts'
import { gatherReminders, remind } from '../notices/remind.ts'
import { defineJob } from '../runner/define-job.ts'

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
  gather: async context => await gatherReminders(dayReminder, timeoutMs, context),
  plan: (facts, now) => planReminders(facts, dayReminder, now),
  apply: async (effect: ReminderEffect, context) => (await remind(dayReminder, [effect], context))[0],
  applyTogether: async (effects, context) => await remind(dayReminder, effects, context),
})
