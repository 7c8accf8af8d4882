import type { WorkflowId } from './catalogue.ts'
import type { FactsOf, Reader } from './facts.ts'
import type { NoticeKind } from './notice.ts'
import { operatorReader } from './recipients.ts'
import { createRenderer } from './render.ts'

/** What a workflow may get, as it would be sent. */
export interface SamplePayload {
  readonly kind: NoticeKind
  readonly workflow: WorkflowId
  readonly payload: Readonly<Record<string, unknown>>
}

const at = new Date('2026-03-13T14:30:00.000Z')
const startsAt = '2026-03-14T14:30:00.000Z'
const endsAt = '2026-03-14T15:20:00.000Z'
const id = '7f3c1f62-61f6-4f0c-a6f6-5a8a5f4c1d11'

const readers: readonly Reader[] = [
  { language: 'pt', locale: 'pt-BR', timeZone: 'America/Argentina/Buenos_Aires', firstName: 'Ana', lastName: 'Costa' },
  { language: 'es', locale: 'es-ES', timeZone: 'Europe/Madrid', firstName: 'Ana', lastName: 'Costa' },
  { language: 'en', locale: 'en-US', timeZone: 'UTC' },
]

/** How much a notice says: as most do, as little as one may, as much as one does. */
type Amount = 'usual' | 'little' | 'much'

const names: Readonly<Record<Amount, string>> = {
  usual: 'Maria Silva',
  little: '',
  much: 'Maria da Conceição '.repeat(6),
}
const links: Readonly<Record<Amount, string | null>> = {
  usual: 'https://meet.example/abc-defg-hij',
  little: null,
  much: `https://payments.example/voucher/${'x'.repeat(400)}`,
}

/**
 * What our notices are in words, one by one: each kind in each language, with as little and as much as they may say. What
 * a workflow refuses of these, people would not get.
 */
export function listSamplePayloads(): readonly SamplePayload[] {
  const render = createRenderer({ appUrl: 'https://eleva.care', environment: 'production' })
  return readers.flatMap(reader =>
    (['usual', 'little', 'much'] as const).flatMap(amount =>
      Object.entries(listFacts(amount, reader)).map(([name, facts]) => {
        const kind = name as NoticeKind
        return { kind, ...render(kind, facts, kind.startsWith('job-') ? operatorReader : reader, at) }
      }),
    ),
  )
}

function listFacts(amount: Amount, reader: Reader): { readonly [K in NoticeKind]: FactsOf<K> } {
  const name = names[amount]
  const booking = { guestName: name, expertName: name, serviceName: name, startsAt, reader }
  const appointment = { ...booking, meetingId: id, endsAt, meetingUrl: links[amount] }
  const money = toMoney(amount)
  const voucher = toVoucher(amount, booking)
  const job = { job: 'appointment-reminders-1hr', runId: id }
  return {
    'appointment-reminder-24h': { ...appointment, party: 'guest' },
    'appointment-reminder-1h': { ...appointment, party: 'expert' },
    'payment-reminder-gentle': voucher,
    'payment-reminder-urgent': voucher,
    'reservation-expired': { ...booking, reservationId: id },
    'transfer-recorded': { ...money, arrivesAt: amount === 'little' ? null : startsAt },
    'expert-payout-notification': {
      ...money,
      ...(amount === 'little' ? {} : { arrivesAt: startsAt, payoutId: 'po_1' }),
    },
    'payout-failed': { ...money, failureCode: amount === 'little' ? null : 'account_closed' },
    'payout-upcoming': { ...money, eligibleFrom: startsAt },
    // An operator reads all of the diagnostics, at 60 components and more.
    'job-failing': {
      ...job,
      runs: 3,
      message: name,
      diagnostics: amount === 'much' ? 'line of it\n'.repeat(700) : name,
    },
    'job-recovered': { ...job, failedSince: startsAt },
  }
}

function toMoney(amount: Amount) {
  const amountCents = { usual: 12_345, little: 0, much: 123_456_789 }[amount]
  const row = { paymentTransferId: 7, amountCents, serviceName: names[amount], startsAt }
  return { amountCents, currency: 'eur', rows: Array.from({ length: amount === 'much' ? 20 : 1 }, () => row) }
}

function toVoucher(amount: Amount, booking: Omit<FactsOf<'reservation-expired'>, 'reservationId'>) {
  return {
    ...booking,
    reservationId: id,
    paymentIntentId: 'pi_1',
    guestName: amount === 'little' ? null : booking.guestName,
    durationMinutes: { usual: 50, little: 15, much: 480 }[amount],
    amountCents: { usual: 7_000, little: 50, much: 123_456_789 }[amount],
    currency: 'eur',
    entity: '12345',
    reference: '900000001',
    voucherExpiresAt: startsAt,
    voucherUrl: links[amount],
  }
}
