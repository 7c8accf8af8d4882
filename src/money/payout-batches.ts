/** A row that may be paid out now. */
export interface PayableRow {
  readonly paymentTransferId: number
  readonly account: string
  /** In lower case. */
  readonly currency: string
  readonly amountCents: number
  readonly eligibleSince: Date
}

/** What one account holds in one currency, in cents. */
export interface Funds {
  /** As the vendor says; may be negative. */
  readonly availableCents: number
  /** What operations that are not through yet may still take. */
  readonly reservedCents: number
  /** The vendor refuses a smaller payout. */
  readonly minimumCents: number
}

/** What there is to pay and was left for another day. */
export interface BatchWait<Row> {
  readonly row: Row
  readonly reason: 'awaiting_funds' | 'below_minimum'
}

export interface Batch<Row> {
  /** Oldest first; empty when nothing can be paid. */
  readonly rows: readonly Row[]
  /** The sum of `rows`. */
  readonly amountCents: number
  readonly waits: readonly BatchWait<Row>[]
}

/** The smallest payout that is tried, in minor units; no minimum is published for euros (docs.stripe.com/payouts). */
export const minimumPayoutCents = 100

/** Rows by what is paid at once: one account and one currency, as `account currency`. */
export function groupByLane<Row extends PayableRow>(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  return Map.groupBy(rows, ({ account, currency }) => `${account} ${currency}`)
}

/**
 * The payout of one account and currency: rows oldest first, whole, up to the first that the funds do not reach. A
 * younger row never overtakes: it would take the money that the older one waits for. Throws for rows of two lanes.
 */
export function planBatch<Row extends PayableRow>(rows: readonly Row[], funds: Funds): Batch<Row> {
  const queue = sortByAge(rows)
  if (groupByLane(queue).size > 1) throw new Error('rows of two accounts or currencies cannot be one payout')
  const paid: Row[] = []
  let leftCents = funds.availableCents - funds.reservedCents
  for (const row of queue) {
    if (!fits(row.amountCents, leftCents)) break
    leftCents -= row.amountCents
    paid.push(row)
  }
  const amountCents = paid.reduce((sum, row) => sum + row.amountCents, 0)
  const waiting = queue.slice(paid.length).map(row => ({ row, reason: 'awaiting_funds' as const }))
  if (amountCents >= funds.minimumCents && paid.length > 0) return { rows: paid, amountCents, waits: waiting }
  const tooSmall = paid.map(row => ({ row, reason: 'below_minimum' as const }))
  return { rows: [], amountCents: 0, waits: [...tooSmall, ...waiting] }
}

/** Each row once, the one that has waited longest first; the id decides between equals, so that the order is always the same. */
function sortByAge<Row extends PayableRow>(rows: readonly Row[]): Row[] {
  const unique = [...new Map(rows.map(row => [row.paymentTransferId, row])).values()]
  return unique.toSorted(
    (a, b) => a.eligibleSince.getTime() - b.eligibleSince.getTime() || a.paymentTransferId - b.paymentTransferId,
  )
}

/** Only a whole, positive number of cents that is there: a figure that is none of that pays nothing. */
function fits(amountCents: number, leftCents: number): boolean {
  return Number.isSafeInteger(amountCents) && amountCents > 0 && amountCents <= leftCents
}
