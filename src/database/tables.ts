import type { ColumnType, Generated } from 'kysely'
import type { Booking } from '../money/eligibility.ts'
import type { MoneyOperationItemsTable, MoneyOperationsTable, OutboxTable, StripeAccountTable } from './money-tables.ts'

export type * from './money-tables.ts'
export { operationStates, outboxStates } from './money-tables.ts'

/** A `timestamptz` (ours) or a `timestamp` that means UTC (the marketplace's): always a `Date` here. */
type Time = Date
/** `bigint` comes back from Postgres as text and may be written as a number. */
type BigInteger = ColumnType<string, number | string, number | string>
/** Stored as jsonb: written as JSON text, read parsed. */
type Json<T> = ColumnType<T, string, string>

export type Trigger = 'schedule' | 'message' | 'cron' | 'operator' | 'cli'

/** Every state of a run, in the order of its type in the database. */
export const runStates = [
  'running',
  'succeeded',
  'skipped',
  'paused',
  'duplicate',
  'failed',
  'incomplete',
  'interrupted',
  'abandoned',
] as const

export type RunState = (typeof runStates)[number]

/** One earlier attempt of a run, kept when the next attempt begins. */
export interface PastAttempt {
  readonly attempt: number
  readonly state: RunState
  readonly started_at: string
  readonly finished_at: string
  readonly error_code: string | null
  readonly message: string | null
}

export interface RunsTable {
  id: string
  job: string
  message_id: string
  slot: Time | null
  /** The slot while the run holds it: it is running or has succeeded. */
  effective_slot: Time | null
  trigger: Trigger
  attempt: number
  state: RunState
  final: boolean
  dry_run: boolean
  owner: string
  term: BigInteger | null
  deadline_at: Time
  started_at: Time
  finished_at: Time | null
  deliveries: Generated<number>
  report: Json<Record<string, unknown>> | null
  plan: Json<Record<string, unknown>> | null
  plan_hash: string | null
  error_code: string | null
  message: string | null
  operator: string | null
  attempts: Json<PastAttempt[]>
}

export interface LeasesTable {
  job: string
  lane: Generated<string>
  owner: string | null
  term: BigInteger
  run_id: string | null
  expires_at: Time
}

export interface DeliveryTokensTable {
  token_hash: Buffer
  job: string
  message_id: string
  dry_run: boolean
  seen_at: Time
}

export interface JobSettingsTable {
  job: string
  first_boot_at: Time
  paused_at: Time | null
  paused_by: string | null
  pause_reason: string | null
  resumed_at: Time | null
}

export type PingKind = 'success' | 'fail'
export type PingState = 'pending' | 'sending' | 'delivered' | 'dropped'

export interface HeartbeatPingsTable {
  id: Generated<string>
  job: string
  run_id: string | null
  kind: PingKind
  state: Generated<PingState>
  body: string | null
  happened_at: Time
  true_until: Time
  attempts: Generated<number>
  next_attempt_at: Time
  claimed_by: string | null
  claimed_until: Time | null
  finished_at: Time | null
  note: string | null
}

export type FindingState = 'open' | 'acknowledged' | 'resolved'

/** What one can ask for when listing findings: `open` is all that nobody has resolved, acknowledged or not. */
export const findingChoices = ['open', 'acknowledged', 'resolved', 'all'] as const

export type FindingChoice = (typeof findingChoices)[number]

export interface FindingsTable {
  id: Generated<string>
  kind: string
  subject: string
  job: string | null
  run_id: string | null
  state: Generated<FindingState>
  message: string
  details: Json<Record<string, unknown>> | null
  occurrences: Generated<number>
  first_seen_at: Time
  last_seen_at: Time
  closed_at: Time | null
  closed_by: string | null
  note: string | null
}

export interface AuditEntriesTable {
  id: Generated<string>
  at: Time
  actor: string
  action: string
  subject: string
  details: Json<Record<string, unknown>> | null
}

export interface DeadLettersTable {
  message_id: string
  job: string | null
  dlq_id: string | null
  schedule_id: string | null
  status: number | null
  retried: number | null
  run_id: string | null
  healed: boolean
  received_at: Time
}

export interface TokenRefreshesTable {
  clerk_user_id: string
  refreshed_at: Time
  result: 'refreshed' | 'missing' | 'unknown-user'
}

/** The marketplace's own tables, as far as our jobs read or write them. */
export interface BlockedDatesTable {
  id: Generated<number>
  clerk_user_id: string
  date: string
  timezone: string
}

export type PaymentTransferStatus = Booking['status']

export interface PaymentTransfersTable {
  id: Generated<number>
  payment_intent_id: string
  event_id: string
  expert_connect_account_id: string
  expert_clerk_user_id: string
  /** The expert's net, in cents. */
  amount: number
  currency: string
  platform_fee: number
  session_start_time: Time
  status: PaymentTransferStatus
  transfer_id: string | null
  payout_id: string | null
  stripe_error_code: string | null
  retry_count: number | null
  requires_approval: boolean | null
  admin_user_id: string | null
  notified_at: Time | null
  service_name: string | null
  created: Time
  updated: Time
}

export interface ProfilesTable {
  clerkUserId: string
}

export interface Tables {
  'jobs.runs': RunsTable
  'jobs.leases': LeasesTable
  'jobs.delivery_tokens': DeliveryTokensTable
  'jobs.job_settings': JobSettingsTable
  'jobs.heartbeat_pings': HeartbeatPingsTable
  'jobs.findings': FindingsTable
  'jobs.audit_entries': AuditEntriesTable
  'jobs.dead_letters': DeadLettersTable
  'jobs.token_refreshes': TokenRefreshesTable
  'jobs.money_operations': MoneyOperationsTable
  'jobs.money_operation_items': MoneyOperationItemsTable
  'jobs.stripe_account': StripeAccountTable
  'jobs.outbox': OutboxTable
  blocked_dates: BlockedDatesTable
  payment_transfers: PaymentTransfersTable
  profiles: ProfilesTable
}
