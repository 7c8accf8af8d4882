import type { ColumnType, Generated } from 'kysely'
import type { State } from '../money/operation-states.ts'

/** A `timestamptz`: always a `Date` here. */
type Time = Date
/** `bigint` comes back from Postgres as text and may be written as a number. */
type BigInteger = ColumnType<string, number | string, number | string>
/** Stored as jsonb: written as JSON text, read parsed. */
type Json<T> = ColumnType<T, string, string>

export type OperationKind = 'transfer' | 'payout'

/** Every state of an operation; which may follow which is in src/money/operation-states.ts. */
export const operationStates = [
  'planned',
  'held',
  'sending',
  'unknown',
  'blocked',
  'created',
  'paid',
  'failed',
  'canceled',
  'rejected',
] as const satisfies readonly State[]

export type OperationState = State

export interface MoneyOperationsTable {
  id: string
  kind: OperationKind
  /** transfer: the payment_transfers id; payout: account, currency and operation id. */
  subject: string
  state: OperationState
  /** `recorded`: the object existed at Stripe already, and we moved nothing. */
  origin: 'sent' | 'recorded'
  generation: Generated<number>
  idempotency_key: string
  /** Cents. */
  amount: BigInteger
  currency: string
  account: string
  stripe_id: string | null
  replaces: string | null
  /** Frozen: what is sent under this key, whoever sends it. */
  request: Json<Record<string, unknown>>
  request_hash: string
  /** Why it is held, blocked, unknown, canceled or rejected. */
  reason: string | null
  wake_at: Time | null
  first_sent_at: Time | null
  last_sent_at: Time | null
  sends: Generated<number>
  /** Stripe answers this generation's key with a stored error: sending it again tells nothing. */
  answer_stored: Generated<boolean>
  /** When a look-up first found nothing, since the last send. */
  clean_lookup_at: Time | null
  /** When it was first refused for what may pass; kept until it works. */
  blocked_since: Time | null
  /** What Stripe last said about the object. */
  vendor_status: string | null
  run_id: string
  approved_by: string | null
  approved_at: Time | null
  /** What it is held for, or was last: each reason with what it is about (src/money/standing-holds.ts). */
  holds: Generated<string[]>
  /** The same, of what operators approved: nothing else is covered by it. */
  approved_for: Generated<string[]>
  created_at: Time
  updated_at: Time
  finished_at: Time | null
}

export interface MoneyOperationItemsTable {
  operation_id: string
  kind: OperationKind
  payment_transfer_id: number
  /** The row's payment when the operation was written. */
  payment_intent_id: string
  amount: BigInteger
  /** True while the operation has moved money or still may; kept by the database itself. */
  live: boolean
}

export interface StripeAccountTable {
  only_row: Generated<boolean>
  account: string
  live: boolean
  pinned_at: Time
}

/** Every state of a notice. */
export const outboxStates = ['pending', 'sending', 'sent', 'unknown', 'dropped', 'poison'] as const

export type OutboxState = (typeof outboxStates)[number]

export interface OutboxTable {
  id: Generated<string>
  kind: string
  subject: string
  recipient: string
  occurrence: string
  facts: Json<Record<string, unknown>>
  transaction_id: string
  state: Generated<OutboxState>
  attempts: Generated<number>
  next_attempt_at: Time
  useful_until: Time | null
  claimed_by: string | null
  claimed_until: Time | null
  tried_at: Time | null
  lookups: Generated<number>
  checks: Generated<number>
  waits_for_vendor: Generated<boolean>
  run_id: string | null
  created_at: Time
  finished_at: Time | null
  note: string | null
}
