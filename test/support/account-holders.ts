import { sql } from 'kysely'
import type { Db } from '../../src/database/connection.ts'

/** A user who says that a Connect account is theirs. */
export async function addAccountHolder(db: Db, expert: string, account: string): Promise<void> {
  await sql`insert into users ("clerkUserId", email, country, stripe_connect_account_id)
    values (${expert}, ${`${expert}@expert.example`}, 'PT', ${account})`.execute(db)
}
