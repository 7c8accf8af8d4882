import { KeyRefusedError, PermanentError, toError } from '../errors.ts'
import type { Asked } from '../money/asked.ts'
import type { Booking, PaymentReads } from '../providers/payments.ts'
import { askEach, type AskOptions } from './ask-each.ts'

/** What payments tell of their bookings, by payment. Throws when every further question would fail too. */
export async function askBookings(
  paymentIntentIds: readonly string[],
  payments: Pick<PaymentReads, 'readBooking'>,
  options: AskOptions,
): Promise<ReadonlyMap<string, Asked<Booking>>> {
  const asked = await askEach(paymentIntentIds, async id => await payments.readBooking(id, options.signal), options)
  return new Map(paymentIntentIds.map((id, index) => [id, asked[index] ?? { kind: 'left' }]))
}

/** The answer about each payment when nothing could be asked at all, and why. */
export function failAll(paymentIntentIds: readonly string[], thrown: unknown): ReadonlyMap<string, Asked<Booking>> {
  const err = toError(thrown)
  const own: unknown = (err as { code?: unknown }).code
  const code = err instanceof KeyRefusedError ? 'key_refused' : err instanceof PermanentError ? err.code : own
  return new Map(paymentIntentIds.map(id => [id, { kind: 'failed', code: typeof code === 'string' ? code : 'error' }]))
}
