import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** One holding of a job's lease. The term tells it apart from every other, earlier or later, of the same process too. */
export interface Lease {
  readonly job: string
  readonly owner: string
  readonly term: string
}

/** The lease of the run that is at work in this process. */
export interface HeldLease extends Lease {
  /**
   * Whether the lease can still be believed to be ours, by the monotonic clock and without asking anybody: for the moment
   * right before a call that cannot be taken back. A process that was frozen past its lease finds out here.
   */
  isHeld(): boolean
}

/** The lease of a run that writes. Throws for one without, as a dry run is: that it comes so far is a bug. */
export function requireLease(lease: HeldLease | undefined): HeldLease {
  if (lease === undefined) throw new Error('a run without a lease, as a dry run is, must not write')
  return lease
}

export interface LeaseState {
  readonly held: boolean
  readonly paused: boolean
}

/** Extends exactly this holding, on the database's clock. `held` is false when it has expired or somebody else has it. */
export async function renewLease(db: Db, lease: Lease, leaseMs: number): Promise<LeaseState> {
  const { rows } = await sql<{ paused: boolean }>`
    update jobs.leases l
    set expires_at = clock_timestamp() + make_interval(secs => ${leaseMs}::double precision / 1000)
    where ${holding(lease)}
    returning exists (select from jobs.job_settings s where s.job = l.job and s.paused_at is not null) as paused
  `.execute(db)
  const row = rows[0]
  return { held: row !== undefined, paused: row?.paused === true }
}

/** Whether an effect may begin: the lease is still ours and the operator has not paused the job. */
export async function readLeaseState(db: Db, lease: Lease): Promise<LeaseState> {
  const { rows } = await sql<LeaseState>`
    select exists (select from jobs.leases l where ${holding(lease)}) as held,
      exists (select from jobs.job_settings s where s.job = ${lease.job} and s.paused_at is not null) as paused
  `.execute(db)
  return rows[0] ?? { held: false, paused: false }
}

/** The condition that any statement committing an effect's intent must also require. */
export function holding(lease: Lease) {
  return sql`l.job = ${lease.job} and l.lane = '' and l.owner = ${lease.owner} and l.term = ${lease.term}
    and l.expires_at > clock_timestamp()`
}
