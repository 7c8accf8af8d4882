import { sql } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import type { Db } from '../../src/database/connection.ts'
import type { HeldLease } from '../../src/database/leases.ts'

/** Takes a job's lease over, whoever had it, as a run would whose predecessor's has expired. */
export async function takeLease(db: Db, job: string): Promise<HeldLease> {
  const owner = uuidv7()
  const { rows } = await sql<{ term: string }>`
    insert into jobs.leases as l (job, lane, owner, term, run_id, expires_at)
    values (${job}, '', ${owner}, 1, ${uuidv7()}, clock_timestamp() + interval '10 minutes')
    on conflict (job, lane) do update set owner = excluded.owner, term = l.term + 1, expires_at = excluded.expires_at
    returning term`.execute(db)
  return { job, owner, term: rows[0]?.term ?? '', isHeld: () => true }
}
