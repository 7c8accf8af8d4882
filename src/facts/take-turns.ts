import { createHash } from 'node:crypto'

/** So many questions fit into any run. */
export const fitting = 1_000

/**
 * The rows in the order in which to ask about them: as they are while all of them fit, else another one at every hour, so
 * that rows which wait for ever never keep the others from being asked about.
 */
export function takeTurns<Row extends { readonly paymentIntentId: string }>(
  rows: readonly Row[],
  now: Date,
): readonly Row[] {
  if (rows.length <= fitting) return rows
  const hour = now.toISOString().slice(0, 13)
  const keys = new Map(rows.map(row => [row, hash(`${row.paymentIntentId} ${hour}`)]))
  return rows.toSorted((one, two) => ((keys.get(one) ?? '') < (keys.get(two) ?? '') ? -1 : 1))
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
