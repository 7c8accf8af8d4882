import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import type { Lease } from '../database/leases.ts'
import { lockLease, type Trx } from '../database/money-operations.ts'
import { recordNotice } from './record.ts'
import type { PaymentTransferStatus } from '../database/tables.ts'
import { announcementsTakenBack, isUnannounced } from '../database/upcoming-notices.ts'

/** A row whose expert is to be told that its money is coming, as it was when that was decided. */
export interface UpcomingPayout {
  readonly paymentTransferId: number
  readonly expectedStatus: PaymentTransferStatus
  readonly amountCents: number
  readonly currency: string
  readonly eligibleFrom: Date
  /** From which that follows. */
  readonly appointmentEndsAt?: Date | null
}

export interface Telling {
  readonly lease: Lease
  readonly runId: string
  readonly now: Date
}

/**
 * Marks a row as told and writes the notice, in one transaction that requires the run's lease. `changed` when the row is
 * not what it was, or the notice exists: then nobody is told again, unless that was taken back before it went. Throws
 * StopRunError.
 */
export async function recordUpcomingPayout(
  db: Db,
  payout: UpcomingPayout,
  { lease, now, runId }: Telling,
): Promise<'queued' | 'changed'> {
  return await db.transaction().execute(async trx => {
    await lockLease(trx, lease)
    const { amountCents, appointmentEndsAt, currency, eligibleFrom, paymentTransferId } = payout
    const row = await markRow(trx, payout, now)
    if (row === undefined) return 'changed'
    const { expert, payment_intent_id, service_name, session_start_time, taken_back } = row
    const told = await recordNotice(trx, {
      kind: 'payout-upcoming',
      subject: `payment_transfers ${paymentTransferId}`,
      recipient: expert,
      occurrence: taken_back === 0 ? payment_intent_id : `${payment_intent_id} ${taken_back + 1}`,
      facts: {
        amountCents,
        currency,
        eligibleFrom: eligibleFrom.toISOString(),
        ...(appointmentEndsAt instanceof Date ? { appointmentEndsAt: appointmentEndsAt.toISOString() } : {}),
        rows: [
          { paymentTransferId, amountCents, serviceName: service_name, startsAt: session_start_time.toISOString() },
        ],
      },
      runId,
      at: now,
      // From then on it is not to come any more.
      usefulUntil: eligibleFrom,
    })
    return told ? 'queued' : 'changed'
  })
}

/** Marks the row if it is as it was when that was decided; undefined when it is not. */
async function markRow(
  trx: Trx,
  { amountCents, currency, expectedStatus, paymentTransferId }: UpcomingPayout,
  now: Date,
): Promise<MarkedRow | undefined> {
  // The service's name is read as a document, because not every marketplace has the column.
  const { rows } = await sql<MarkedRow>`
    update payment_transfers p set notified_at = ${now}, updated = ${now}
    where p.id = ${paymentTransferId} and ${isUnannounced} and p.status::text = ${expectedStatus}
      and p.transfer_id is null and p.payout_id is null and p.amount = ${amountCents}
      and lower(p.currency) = ${currency}
    returning p.expert_clerk_user_id as expert, p.payment_intent_id, p.session_start_time,
      ${announcementsTakenBack} as taken_back,
      coalesce(to_jsonb(p) ->> 'service_name', (select e.name from events e where e.id::text = lower(p.event_id))) as service_name
  `.execute(trx)
  return rows[0]
}

interface MarkedRow {
  readonly expert: string
  readonly payment_intent_id: string
  readonly session_start_time: Date
  readonly service_name: string | null
  readonly taken_back: number
}
