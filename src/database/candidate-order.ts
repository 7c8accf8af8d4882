import { type RawBuilder, sql } from 'kysely'
import { complaintWindowMs } from '../money/eligibility.ts'
import type { OperationKind } from './tables.ts'

const complaintSeconds = complaintWindowMs / 1000

/**
 * Most rows that one run takes on; the others are reported as left, and are the next run's. A run holds what it knows of
 * its rows, some 3 kB each, until it has planned: this is what keeps its memory the same for 1,000 due rows and for
 * 100,000. Each row is asked about twice at 25 a second, so that these take some three minutes of a run's thirteen.
 */
export const maxCandidates = 2_000

/** Most unfinished operations that one run reads: they are few, unless a cut-over holds one for each old row. */
export const maxOperations = 10_000

export interface CandidateQuery {
  /** Rows whose appointment is younger than the time for complaints by then can wait. */
  readonly by: Date
  readonly limit?: number
}

/**
 * The rows of payment_transfers `p` that fulfil a condition, at most `limit`, as `candidates`: first those that money may
 * be due for by what their own columns say. Those that wait for their appointment, for an approval or for an operation
 * come last, and crowd nobody out; so do payouts out of
 * accounts that are frozen, or that Stripe does not show us. Where there are more than the limit, others have their turn at another hour: other rows,
 * or for payouts other accounts, whose rows are paid together and the oldest first. `due` counts those that do not wait,
 * read or not.
 */
export function candidatesOf(
  kind: OperationKind,
  condition: RawBuilder<unknown>,
  { by, limit }: Required<CandidateQuery>,
): RawBuilder<unknown> {
  const turn = by.toISOString().slice(0, 13)
  const whose = kind === 'payout' ? sql`expert_connect_account_id` : sql`id`
  return sql`ranked as (
      select p.*, (p.session_start_time + make_interval(secs => ${complaintSeconds}) > ${by}::timestamptz at time zone 'UTC'
          or (p.requires_approval is true and p.status <> 'APPROVED' and p.admin_user_id is null)
          or exists (select from jobs.money_operation_items i
            where i.payment_transfer_id = p.id and i.kind = ${kind} and i.live)
          or ${kind === 'payout' ? accountWaits : sql`false`}) as waits
      from payment_transfers p where ${condition}
    ), counted as (
      select *, count(*) over () as total, count(*) filter (where not waits) over () as due from ranked
    ), candidates as materialized (
      select * from counted
      order by waits, case when total > ${limit} then md5(${whose} || ' ' || ${turn}::text) end, session_start_time, id
      limit ${limit}
    )`
}

// As the findings have it, which the job that pays out writes and closes; it looks at the account itself all the same.
const accountWaits = sql`p.expert_connect_account_id in (
  select case f.kind when 'account-unreachable' then f.subject else f.details ->> 'account' end from jobs.findings f
  where f.kind in ('payout-unexplained', 'account-unreachable') and f.state <> 'resolved')`

/** How many rows that money may be due for were not read, and how many others. */
export function countUnread(
  rows: readonly { readonly due: string; readonly total: string; readonly waits: boolean }[],
) {
  const read = rows.filter(({ waits }) => !waits).length
  const left = Number(rows[0]?.due ?? 0) - read
  return { left, unread: Number(rows[0]?.total ?? 0) - rows.length - left }
}
