import { sql } from 'kysely'
import type { HoldEvidence, PossiblePayer } from '../money/hold-reasons.ts'
import type { Db } from './connection.ts'
import { changedRowsOf } from './money-rows.ts'
import { closedByRows, findPayoutOwners, listFailures } from './payout-accounts.ts'
import type { OperationKind } from './tables.ts'

interface Wanted {
  readonly id: string
  readonly kind: OperationKind
  readonly account: string
  readonly currency: string
}

type OwnEvidence = Omit<HoldEvidence, 'failedPayouts' | 'owners'> & { readonly firstBootAt: Date | null }

/** What our own tables say about an operation, and when the job that pays out was first booted. */
export interface Evidence extends HoldEvidence {
  readonly firstBootAt: Date | null
}

const none: OwnEvidence = {
  users: 0,
  strangers: [],
  rejectedRows: [],
  changedRows: [],
  payers: [],
  firstBootAt: null,
}

/**
 * The evidence about an operation, in two statements; a third one where somebody else's payouts have a finding, which an
 * operator may have resolved.
 */
export async function readHoldEvidence(db: Db, { account, currency, id, kind }: Wanted): Promise<Evidence> {
  const { rows } = await sql<OwnEvidence>`
    select (select count(*)::integer from users where stripe_connect_account_id = o.account) as users,
      array(select t.id from jobs.money_operation_items i
        join payment_transfers t on t.id = i.payment_transfer_id
        left join users u on u."clerkUserId" = t.expert_clerk_user_id
        where i.operation_id = o.id and u.stripe_connect_account_id is distinct from o.account
        order by 1) as strangers,
      array(select distinct i.payment_transfer_id from jobs.money_operation_items i
        join jobs.money_operation_items other on other.kind = i.kind and
          (other.payment_transfer_id = i.payment_transfer_id or other.payment_intent_id = i.payment_intent_id)
        join jobs.money_operations r on r.id = other.operation_id and r.state = 'rejected'
        where i.operation_id = o.id order by 1) as "rejectedRows",
      ${changedRowsOf(kind)} as "changedRows",
      ${kind === 'payout' ? payersOf : sql`'[]'::jsonb`} as payers,
      (select first_boot_at from jobs.job_settings where job = 'process-pending-payouts') as "firstBootAt"
    from jobs.money_operations o where o.id = ${id}`.execute(db)
  const failures = kind === 'payout' ? await listFailures(db, [account]) : []
  const failedPayouts = failures.find(failure => failure.currency === currency)?.failed ?? 0
  const own = rows[0] ?? none
  const payers = own.payers.map(payer => ({ ...payer, createdAt: new Date(payer.createdAt) }))
  const owners = payers.length === 0 ? undefined : await findPayoutOwners(db, payers)
  return { ...own, payers, owners, failedPayouts }
}

/**
 * Payouts that a finding says nobody explains, or a person has resolved: out of the account of an operation `o`, or of
 * its experts' accounts of today, made since its oldest row is there. As their findings have them, as JSON.
 */
const payersOf = sql<readonly PossiblePayer[]>`coalesce((
    select jsonb_agg(jsonb_build_object('id', f.subject, 'account', f.details ->> 'account',
      'amountCents', f.details -> 'amountCents', 'currency', f.details ->> 'currency',
      'status', f.details ->> 'status', 'automatic', f.details -> 'automatic', 'moneyIsBack', false,
      'operationId', null, 'paymentTransferId', f.details -> 'metadataRow', 'createdAt', f.details ->> 'createdAt')
      order by f.id)
    from jobs.findings f
    where f.kind = 'payout-unexplained' and (f.state <> 'resolved' or f.closed_by is distinct from ${closedByRows})
      and (f.details ->> 'account' = o.account or f.details ->> 'account' in (
        select u.stripe_connect_account_id from jobs.money_operation_items i
        join payment_transfers t on t.id = i.payment_transfer_id
        join users u on u."clerkUserId" = t.expert_clerk_user_id
        where i.operation_id = o.id))
      and (f.details ->> 'createdAt')::timestamptz >= (
        select min(t.created) at time zone 'UTC' from jobs.money_operation_items i
        join payment_transfers t on t.id = i.payment_transfer_id
        where i.operation_id = o.id)), '[]'::jsonb)`
