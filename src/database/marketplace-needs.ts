/** Types that a job cannot tell apart: what the driver reads and writes alike. */
export type TypeFamily = 'boolean' | 'date' | 'integer' | 'text' | 'timestamp' | 'transfer_status' | 'uuid'

/** What one job needs of one table of the marketplace. */
export interface MarketplaceNeed {
  readonly job: string
  readonly table: string
  readonly columns: Readonly<Record<string, TypeFamily>>
  /** Sets of columns that a primary key or a unique constraint must cover exactly. */
  readonly uniques?: readonly (readonly string[])[]
  /** What the job does without when the need is not met. Absent: the job cannot run at all. */
  readonly lost?: string
}

/** What every decision about a row's money reads. */
const moneyColumns = {
  id: 'integer',
  payment_intent_id: 'text',
  event_id: 'text',
  expert_connect_account_id: 'text',
  expert_clerk_user_id: 'text',
  amount: 'integer',
  currency: 'text',
  session_start_time: 'timestamp',
  status: 'transfer_status',
  transfer_id: 'text',
  payout_id: 'text',
  requires_approval: 'boolean',
  admin_user_id: 'text',
  created: 'timestamp',
  updated: 'timestamp',
} as const

/** The needs of a job that decides about rows of payment_transfers, beside those rows' own columns. */
function moneyNeeds(job: string, columns: MarketplaceNeed['columns']): MarketplaceNeed[] {
  return [
    { job, table: 'payment_transfers', columns: { ...moneyColumns, ...columns }, uniques: [['id']] },
    {
      job,
      table: 'payment_transfers',
      columns: {},
      uniques: [['payment_intent_id']],
      lost: 'the site may write two rows for one payment, which are findings and are not paid',
    },
    {
      job,
      table: 'payment_transfers',
      columns: { service_name: 'text' },
      lost: 'the notices to experts do not name the service',
    },
    {
      job,
      table: 'users',
      columns: { clerkUserId: 'text', country: 'text', stripe_connect_account_id: 'text' },
      // A second user of that id would be a second row of the same money.
      uniques: [['clerkUserId']],
    },
    { job, table: 'events', columns: { id: 'uuid', durationInMinutes: 'integer' }, uniques: [['id']] },
    { job, table: 'meetings', columns: { stripePaymentIntentId: 'text', endTime: 'timestamp' } },
  ]
}

/** The needs of a job that reminds people of appointments. */
function reminderNeeds(job: string): MarketplaceNeed[] {
  return [
    {
      job,
      table: 'meetings',
      columns: {
        id: 'uuid',
        eventId: 'uuid',
        clerkUserId: 'text',
        guestEmail: 'text',
        guestName: 'text',
        startTime: 'timestamp',
        endTime: 'timestamp',
        timezone: 'text',
        meetingUrl: 'text',
        stripePaymentIntentId: 'text',
        stripeSessionId: 'text',
        stripePaymentStatus: 'text',
        createdAt: 'timestamp',
      },
      // A reminder is one of a meeting, by this id.
      uniques: [['id']],
    },
    { job, table: 'events', columns: { id: 'uuid', name: 'text', price: 'integer' }, uniques: [['id']] },
    {
      job,
      table: 'users',
      columns: { clerkUserId: 'text', email: 'text', first_name: 'text', last_name: 'text', country: 'text' },
      uniques: [['clerkUserId']],
    },
    {
      job,
      table: 'schedules',
      columns: { id: 'uuid', clerkUserId: 'text', timezone: 'text' },
      uniques: [['clerkUserId']],
    },
  ]
}

/** The needs of a job that decides about holds of slots. */
function holdNeeds(job: string, columns: MarketplaceNeed['columns']): MarketplaceNeed[] {
  return [
    {
      job,
      table: 'slot_reservations',
      columns: {
        id: 'uuid',
        event_id: 'uuid',
        clerk_user_id: 'text',
        guest_email: 'text',
        start_time: 'timestamp',
        end_time: 'timestamp',
        expires_at: 'timestamp',
        stripe_payment_intent_id: 'text',
        created_at: 'timestamp',
        ...columns,
      },
      uniques: [['id']],
    },
    {
      job,
      table: 'meetings',
      columns: { id: 'uuid', guestName: 'text', timezone: 'text', stripePaymentIntentId: 'text' },
    },
    { job, table: 'events', columns: { id: 'uuid', name: 'text' }, uniques: [['id']] },
    {
      job,
      table: 'users',
      columns: { clerkUserId: 'text', first_name: 'text', last_name: 'text' },
      uniques: [['clerkUserId']],
    },
  ]
}

/** The needs of the jobs that exist: each column here is read or written by a query of this folder. */
export const marketplaceNeeds: readonly MarketplaceNeed[] = [
  {
    job: 'cleanup-blocked-dates',
    table: 'blocked_dates',
    columns: { id: 'integer', date: 'date', timezone: 'text' },
    // The invalid zone of a row is reported, and counted up, under its id.
    uniques: [['id']],
  },
  {
    job: 'keep-alive',
    table: 'profiles',
    columns: { clerkUserId: 'text' },
    lost: "the daily refresh of the experts' calendar tokens is off",
  },
  {
    job: 'process-tasks',
    table: 'profiles',
    columns: { clerkUserId: 'text' },
    lost: 'the refresh records of experts who are gone are kept',
  },
  ...moneyNeeds('process-expert-transfers', {
    stripe_error_code: 'text',
    retry_count: 'integer',
    notified_at: 'timestamp',
  }),
  ...moneyNeeds('process-pending-payouts', { stripe_error_code: 'text' }),
  {
    job: 'process-pending-payouts',
    table: 'meetings',
    columns: { stripePaymentStatus: 'text' },
    lost: 'an unpaid voucher explains as much money on its account, whoever that money belongs to',
  },
  ...moneyNeeds('check-upcoming-payouts', { notified_at: 'timestamp' }),
  { job: 'check-upcoming-payouts', table: 'events', columns: { name: 'text' } },
  ...reminderNeeds('appointment-reminders'),
  ...reminderNeeds('appointment-reminders-1hr'),
  ...holdNeeds('send-payment-reminders', {
    gentle_reminder_sent_at: 'timestamp',
    urgent_reminder_sent_at: 'timestamp',
    updated_at: 'timestamp',
  }),
  ...holdNeeds('cleanup-expired-reservations', {}),
  {
    job: 'cleanup-expired-reservations',
    table: 'meetings',
    columns: { eventId: 'uuid', guestEmail: 'text', startTime: 'timestamp', stripePaymentStatus: 'text' },
  },
]
