import type { Job } from '../runner/define-job.ts'
import { appointmentReminders1hr } from './appointment-reminders-1hr.ts'
import { appointmentReminders } from './appointment-reminders.ts'
import { checkUpcomingPayouts } from './check-upcoming-payouts.ts'
import { cleanupBlockedDates } from './cleanup-blocked-dates.ts'
import { cleanupExpiredReservations } from './cleanup-expired-reservations.ts'
import { keepAlive } from './keep-alive.ts'
import { processExpertTransfers } from './process-expert-transfers.ts'
import { processPendingPayouts } from './process-pending-payouts.ts'
import { processTasks } from './process-tasks.ts'
import { sendPaymentReminders } from './send-payment-reminders.ts'

/** Every job there is, in the order in which people see them. What is not listed here does not exist. */
export const jobs: readonly Job[] = [
  processExpertTransfers,
  processPendingPayouts,
  sendPaymentReminders,
  cleanupExpiredReservations,
  checkUpcomingPayouts,
  appointmentReminders,
  appointmentReminders1hr,
  processTasks,
  cleanupBlockedDates,
  keepAlive,
]
