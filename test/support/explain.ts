import type { RawNode } from 'kysely'
import type { Db } from '../../src/database/connection.ts'

/** What Postgres would do for each statement that `work` makes, in order. They must be raw SQL, and are not carried out. */
export async function explainAll(db: Db, work: (db: Db) => Promise<unknown>): Promise<readonly string[]> {
  const plans: string[] = []
  const explaining = db.withPlugin({
    transformQuery: ({ node }) => {
      const { sqlFragments } = node as RawNode
      return { ...(node as RawNode), sqlFragments: [`explain ${sqlFragments[0]}`, ...sqlFragments.slice(1)] }
    },
    transformResult: async ({ result }) => {
      plans.push(result.rows.map(row => String(row['QUERY PLAN'])).join('\n'))
      return await Promise.resolve({ rows: [] })
    },
  })
  await work(explaining)
  return plans
}
