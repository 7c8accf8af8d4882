import type { FactsOf, Reader } from '../../src/notices/facts.ts'
import type { NoticeKind } from '../../src/notices/notice.ts'

const named = { email: 'ana@example.pt', firstName: 'Ana', lastName: 'Costa' }

/** One reader for each way in which people are written to. */
export const readers = {
  'pt-PT': { language: 'pt', locale: 'pt-PT', timeZone: 'Europe/Lisbon', ...named },
  'pt-BR': { language: 'pt', locale: 'pt-BR', timeZone: 'America/Sao_Paulo', ...named },
  'es-ES': { language: 'es', locale: 'es-ES', timeZone: 'Europe/Madrid', ...named },
  'en-GB': { language: 'en', locale: 'en-GB', timeZone: 'Europe/London', ...named },
  'en-US': { language: 'en', locale: 'en-US', timeZone: 'America/New_York', ...named },
} as const satisfies Record<string, Reader>

export type LocaleName = keyof typeof readers

const startsAt = '2026-03-14T14:30:00.000Z'
const money = {
  amountCents: 123_450,
  currency: 'eur',
  rows: [{ paymentTransferId: 7, amountCents: 123_450, serviceName: 'Nutrição', startsAt }],
}

/** A reminder as a job would write it. */
export function appointmentFacts(
  reader: Reader,
  changes: Partial<FactsOf<'appointment-reminder-24h'>> = {},
): FactsOf<'appointment-reminder-24h'> {
  return {
    party: 'guest',
    meetingId: '7f3c1f62-61f6-4f0c-a6f6-5a8a5f4c1d11',
    guestName: 'Maria Silva',
    expertName: 'Ana Costa',
    serviceName: 'Nutrição',
    startsAt,
    endsAt: '2026-03-14T15:20:00.000Z',
    meetingUrl: 'https://meet.google.com/abc-defg-hij',
    reader,
    ...changes,
  }
}

export function voucherFacts(
  reader: Reader,
  changes: Partial<FactsOf<'payment-reminder-gentle'>> = {},
): FactsOf<'payment-reminder-gentle'> {
  return {
    reservationId: '1e0d6a44-54a7-4d3e-b3a5-0f4f0f6f2b22',
    paymentIntentId: 'pi_1',
    guestName: 'Maria Silva',
    expertName: 'Ana Costa',
    serviceName: 'Nutrição',
    startsAt,
    durationMinutes: 50,
    amountCents: 6000,
    currency: 'eur',
    entity: '12345',
    reference: '123 456 789',
    voucherExpiresAt: '2026-03-06T23:59:00.000Z',
    voucherUrl: 'https://payments.stripe.com/multibanco/voucher/1',
    reader,
    ...changes,
  }
}

/** Facts of every kind about one booking, for one reader. */
export function factsFor(reader: Reader): { readonly [K in NoticeKind]: FactsOf<K> } {
  const { expertName, guestName, reservationId, serviceName } = voucherFacts(reader)
  return {
    'appointment-reminder-24h': appointmentFacts(reader),
    'appointment-reminder-1h': appointmentFacts(reader, { party: 'expert' }),
    'payment-reminder-gentle': voucherFacts(reader),
    'payment-reminder-urgent': voucherFacts(reader),
    'reservation-expired': { reservationId, guestName, expertName, serviceName, startsAt, reader },
    'transfer-recorded': { ...money, arrivesAt: null },
    'expert-payout-notification': { ...money, arrivesAt: '2026-03-20T00:00:00.000Z', payoutId: 'po_1' },
    'payout-failed': { ...money, arrivesAt: null, failureCode: 'account_closed' },
    'payout-upcoming': { ...money, eligibleFrom: '2026-03-21T01:30:00.000Z' },
    'job-failing': {
      job: 'keep-alive',
      runs: 3,
      runId: '0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b',
      message: 'clerk answered 500',
      diagnostics: 'database: pass\nclerk: fail',
    },
    'job-recovered': {
      job: 'keep-alive',
      runId: '0190a6b2-7c3d-7e4f-8a9b-0c1d2e3f4a5c',
      failedSince: '2026-03-13T10:00:00.000Z',
    },
  }
}
