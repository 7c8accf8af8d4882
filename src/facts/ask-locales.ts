import { KeyRefusedError, RetryLaterError } from '../errors.ts'
import type { Asked } from '../money/asked.ts'
import type { PaymentReads } from '../providers/payments.ts'
import { withinTime } from '../time-limit.ts'
import { askEach, type AskOptions } from './ask-each.ts'

// A language is worth no longer wait: there is another one to fall back on.
const questionMs = 15_000

/**
 * The locale that each payment's metadata name, null where they name none, by payment. It never throws for what the
 * vendor says or does not say; once every further question would fail, nothing more is asked.
 */
export async function askLocales(
  paymentIntentIds: readonly string[],
  payments: Pick<PaymentReads, 'readBooking'>,
  { concurrency, isTimeUp, signal }: AskOptions,
): Promise<ReadonlyMap<string, Asked<string | null>>> {
  let hopeless = false
  const ask = async (id: string): Promise<string | null> => {
    try {
      return await withinTime(signal, questionMs, async limited => (await payments.readBooking(id, limited)).locale)
    } catch (thrown) {
      if (!(thrown instanceof KeyRefusedError || thrown instanceof RetryLaterError)) throw thrown
      hopeless = true
      throw new Error('nobody can be asked for languages', { cause: thrown })
    }
  }
  const asked = await askEach(paymentIntentIds, ask, { concurrency, isTimeUp: () => hopeless || isTimeUp(), signal })
  return new Map(paymentIntentIds.map((id, index) => [id, asked[index] ?? { kind: 'left' }]))
}
