import { createHash } from 'node:crypto'
import type pg from 'pg'

const named = new Map<string, string>()

/**
 * Marks a statement to be parsed and planned once for each connection rather than at each call; for the few that every
 * delivery sends. Returns the text as it is. The name tells the text: behind a pooler a connection may still know what
 * another release of this service prepared.
 */
export function prepared(text: string): string {
  named.set(text, `jobs_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`)
  return text
}

type Query = (text: unknown, values?: unknown, callback?: unknown) => unknown

/**
 * Sends marked statements under their names through the clients that the returned function is given. Poolers that
 * share connections between transactions may lose or mix names: the first refusal of one is told to `onRefused`, the
 * statement goes again without a name (it was refused before it ran), and so do all later ones.
 */
export function createPreparing(onRefused: (err: Error) => void): (client: pg.PoolClient) => void {
  let isRefused = false
  const refuse = (err: Error): void => {
    if (isRefused) return
    isRefused = true
    onRefused(new Error('prepared statements are refused here: deliveries go on without them', { cause: err }))
  }
  return client => {
    const inner = client as unknown as { query: Query }
    const query = inner.query.bind(client)
    inner.query = (text, values, callback) => {
      const name = isRefused || typeof text !== 'string' || callback !== undefined ? undefined : named.get(text)
      if (name === undefined) return query(text, values, callback)
      return (query({ name, text, values }) as Promise<unknown>).catch(async (err: unknown) => {
        if (!isAboutName(err)) throw err
        refuse(err)
        return await query(text, values)
      })
    }
  }
}

/** No such statement, one of that name exists already, or its result has another shape now: in each case nothing ran. */
function isAboutName(err: unknown): err is Error {
  const code = (err as { code?: unknown } | null)?.code
  return code === '26000' || code === '42P05' || (code === '0A000' && /cached plan/.test(String(err)))
}
