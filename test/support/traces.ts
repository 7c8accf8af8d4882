import { sql } from 'kysely'
import type { Db } from '../../src/database/connection.ts'

export const rowsPerJob = 3

/** The tables that the traced jobs of test/support/child.ts work on: rows to do, and a trace of each time one was done. */
export async function createRows(db: Db, jobs: number): Promise<void> {
  await sql`create table child_rows (id serial primary key, job text not null, done boolean not null default false)`.execute(
    db,
  )
  await sql`create table child_traces (row_id integer not null, run_id uuid not null, attempt integer not null)`.execute(
    db,
  )
  await sql`
    insert into child_rows (job)
    select 'traced-' || j from generate_series(0, ${jobs - 1}::integer) j, generate_series(1, ${rowsPerJob}::integer)`.execute(
    db,
  )
}

export async function countTraces(db: Db): Promise<{ rows: number; traces: number }> {
  const { rows } = await sql<{ rows: number; traces: number }>`
    select count(distinct row_id)::integer as rows, count(*)::integer as traces from child_traces`.execute(db)
  return rows[0] ?? { rows: 0, traces: 0 }
}
