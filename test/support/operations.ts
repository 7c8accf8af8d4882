import type { Insertable } from 'kysely'
import { sql } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../../src/database/connection.ts'
import type { MoneyOperationsTable, OperationState } from '../../src/database/tables.ts'
import { addBooking } from './bookings.ts'

const at = new Date('2026-03-10T06:00:00Z')

export interface WantedOperation extends Partial<Omit<Insertable<MoneyOperationsTable>, 'amount' | 'state'>> {
  readonly state?: OperationState
  /** Rows of the marketplace that it pays, by id, with their cents; one of 6000 that is made for it unless given. */
  readonly rows?: Readonly<Record<number, number>>
}

/** A payout in the given state, held unless said, with all that its state requires; returns its id. */
export async function addOperation(db: Db, wanted: WantedOperation = {}): Promise<string> {
  const { rows: given, state = 'held', ...overrides } = wanted
  const rows = given ?? { [await addSettledRow(db)]: 6000 }
  const id = uuidv7()
  const kind = overrides.kind ?? 'payout'
  const amount = Object.values(rows).reduce((sum, cents) => sum + cents, 0)
  const account = overrides.account ?? `acct_${id.slice(-12)}`
  const ended = ['paid', 'failed', 'canceled', 'rejected'].includes(state)
  const sent = !['planned', 'held', 'canceled'].includes(state)
  const row = {
    id,
    kind,
    subject: kind === 'transfer' ? (Object.keys(rows)[0] ?? '') : `${account} eur ${id}`,
    state,
    origin: 'sent' as const,
    idempotency_key: `${kind}:${id}:g1`,
    amount,
    currency: 'eur',
    account,
    stripe_id: ['created', 'paid', 'failed'].includes(state) ? `po_${id.slice(-12)}` : null,
    request: JSON.stringify({ account, amountCents: amount, currency: 'eur', operationId: id }),
    request_hash: 'a'.repeat(64),
    reason: state === 'held' ? 'above_single_limit' : state === 'blocked' ? 'insufficient_funds' : null,
    // The experts of its rows have no account here, and whoever approves it has seen that.
    holds:
      state === 'held'
        ? [overrides.reason ?? 'above_single_limit', ...Object.keys(rows).map(row => `account_changed ${row}`)]
        : [],
    wake_at: state === 'blocked' ? at : null,
    first_sent_at: sent ? at : null,
    last_sent_at: sent ? at : null,
    sends: sent ? 1 : 0,
    run_id: uuidv7(),
    created_at: at,
    updated_at: at,
    finished_at: ended ? at : null,
    ...overrides,
  }
  const live = !['failed', 'canceled', 'rejected'].includes(state)
  await db.transaction().execute(async trx => {
    await trx.insertInto('jobs.money_operations').values(row).execute()
    const items = Object.entries(rows).map(([rowId, cents]) => ({
      operation_id: id,
      kind,
      payment_transfer_id: Number(rowId),
      payment_intent_id: sql<string>`coalesce((select t.payment_intent_id from payment_transfers t where t.id = ${Number(rowId)}),
        ${`pi_of_row_${rowId}`})`,
      amount: cents,
      live,
    }))
    await trx.insertInto('jobs.money_operation_items').values(items).execute()
  })
  return id
}

/** A booking of 60.00 without a meeting whose money waits for its payout; returns its id. */
export async function addSettledRow(db: Db, expert = 'user_expert_1'): Promise<number> {
  return await addBooking(db, {
    hasUser: false,
    expert,
    status: 'COMPLETED',
    amountCents: 6_000,
    startsAt: '2026-03-01T10:00:00Z',
    meetingEndsAt: null,
    durationMinutes: null,
    serviceName: 'planted advice',
  })
}
