import type { Db } from '../database/connection.ts'
import { listDisputedRows } from '../database/disputed-rows.ts'
import type { Asked } from '../money/asked.ts'
import type { DisputedRow } from '../money/disputes.ts'
import type { Payment, PaymentReads } from '../providers/payments.ts'
import { askEach, type AskOptions } from './ask-each.ts'

/** DISPUTED rows that one run asks about; where there are more, others have their turn an hour later. */
export const disputedRowsPerRun = 200

export interface DisputedQuestion {
  /** Rows whose transfer or payout is recorded, or those that have neither. */
  readonly released: boolean
  readonly now: Date
}

/** What Stripe says of the payments of DISPUTED rows, except of those whose end a person has been told of. */
export async function askDisputes(
  { db, payments }: { readonly db: Db; readonly payments: PaymentReads },
  { now, released }: DisputedQuestion,
  options: AskOptions,
): Promise<readonly { readonly row: DisputedRow; readonly answer: Asked<Payment> }[]> {
  const turn = now.toISOString().slice(0, 13)
  const rows = await listDisputedRows(db, { released, turn, limit: disputedRowsPerRun })
  const ask = async (row: DisputedRow): Promise<Payment> =>
    await payments.readPayment(row.paymentIntentId, options.signal)
  const answers = await askEach(rows, ask, options)
  return rows.map((row, index) => ({ row, answer: answers[index] ?? { kind: 'left' } }))
}
