/** Writes times and days through our connection and prints what comes back: run by a test in other time zones. */
import { sql } from 'kysely'
import { createDatabase } from '../../src/database/connection.ts'

const [url = '', moments = '[]'] = process.argv.slice(2)
const db = createDatabase({ connectionString: url, onError: () => {} })
const rows = []
for (const iso of JSON.parse(moments) as string[]) {
  const at = new Date(iso)
  const written = await sql<{ id: number }>`
    insert into blocked_dates (clerk_user_id, date, created_at) values ('user_1', ${iso.slice(0, 10)}, ${at})
    returning id`.execute(db)
  const id = written.rows[0]?.id ?? 0
  const back = await sql<{ date: unknown; created_at: Date; text: string; same: boolean; day: string; ours: Date }>`
    select date, created_at, created_at::text as text, created_at = ${at}::timestamp as same,
      ${at}::date::text as day, ${at}::timestamptz as ours
    from blocked_dates where id = ${id} and date = ${iso.slice(0, 10)} and created_at <= ${at}`.execute(db)
  rows.push(back.rows[0])
}
await db.destroy()
console.log(JSON.stringify({ offset: new Date('2026-01-15T12:00:00Z').getTimezoneOffset(), rows }))
