import { sql } from 'kysely'
import type { HoldEvidence } from '../money/hold-reasons.ts'
import type { Db } from './connection.ts'
import { changedRowsOf } from './money-rows.ts'
import { listFailures } from './payout-accounts.ts'
import type { OperationKind } from './tables.ts'

interface Wanted {
  readonly id: string
  readonly kind: OperationKind
  readonly account: string
  readonly currency: string
}

/** The evidence about an operation, in two statements. */
export async function readHoldEvidence(db: Db, { account, currency, id, kind }: Wanted): Promise<HoldEvidence> {
  const { rows } = await sql<Omit<HoldEvidence, 'failedPayouts'>>`
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
      ${changedRowsOf(kind)} as "changedRows"
    from jobs.money_operations o where o.id = ${id}`.execute(db)
  const failures = await listFailures(db, [account])
  const failedPayouts = failures.find(failure => failure.currency === currency)?.failed ?? 0
  return { ...(rows[0] ?? { users: 0, strangers: [], rejectedRows: [], changedRows: [] }), failedPayouts }
}
