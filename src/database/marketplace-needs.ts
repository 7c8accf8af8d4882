/** Types that a job cannot tell apart: what the driver reads and writes alike. */
export type TypeFamily = 'boolean' | 'date' | 'integer' | 'text' | 'timestamp' | 'uuid'

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
]
