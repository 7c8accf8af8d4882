import type { NoticeKind, Recheck } from './notice.ts'
import { recheckAppointment } from './recheck-appointment.ts'
import { recheckMoney } from './recheck-money.ts'
import { recheckVoucher } from './recheck-voucher.ts'

/** What a job did stays true. */
const alwaysTrue: Recheck = async () => ({ kind: 'send' })

/** How each kind of notice is looked at again right before it goes. */
export const rechecks: Readonly<Record<NoticeKind, Recheck>> = {
  'appointment-reminder-24h': recheckAppointment,
  'appointment-reminder-1h': recheckAppointment,
  'payment-reminder-gentle': recheckVoucher,
  'payment-reminder-urgent': recheckVoucher,
  'reservation-expired': recheckVoucher,
  'transfer-recorded': recheckMoney,
  'expert-payout-notification': recheckMoney,
  'payout-failed': recheckMoney,
  'payout-upcoming': recheckMoney,
  'job-failing': alwaysTrue,
  'job-recovered': alwaysTrue,
}
