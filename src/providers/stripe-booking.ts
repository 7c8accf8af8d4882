import type { Stripe } from 'stripe'
import type { Booking, Voucher } from './payments.ts'

/**
 * What a payment tells of its booking: by the metadata that the site writes at checkout, and by their older, flat form.
 * What cannot be read there is null, and never made up.
 */
export function toBooking(intent: Stripe.PaymentIntent): Booking {
  const meeting = readMeeting(intent.metadata['meeting'])
  return {
    paymentIntentId: intent.id,
    status: statusOf(intent.status),
    amountCents: intent.amount,
    currency: intent.currency.toLowerCase(),
    voucher: findVoucher(intent),
    guestName: toText(meeting['guestName']) ?? toText(intent.metadata['customerName']),
    locale: toText(meeting['locale']) ?? toText(intent.metadata['locale']),
    timeZone: toText(meeting['timezone']) ?? toText(intent.metadata['timezone']),
  }
}

/** The life of a Multibanco payment: docs.stripe.com/payments/multibanco. */
function statusOf(status: string): Booking['status'] {
  switch (status) {
    case 'succeeded':
      return 'paid'
    // Money that is there and was not collected yet is as good as on its way: whoever sees it must not let go.
    case 'processing':
    case 'requires_capture':
      return 'settling'
    case 'requires_action':
      return 'waiting'
    case 'canceled':
      return 'canceled'
    default:
      return 'lapsed'
  }
}

/** All fields are nullable at Stripe: a voucher without entity or reference helps nobody to pay. */
function findVoucher({ next_action: next }: Stripe.PaymentIntent): Voucher | undefined {
  const details = next?.multibanco_display_details
  const entity = toText(details?.entity)
  const reference = toText(details?.reference)
  const expires = details?.expires_at ?? 0
  if (entity === null || reference === null || expires <= 0) return undefined
  return { entity, reference, expiresAt: new Date(expires * 1000), url: toText(details?.hosted_voucher_url) }
}

function readMeeting(json: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const meeting: unknown = JSON.parse(json ?? '{}')
    return typeof meeting === 'object' && meeting !== null ? { ...meeting } : {}
  } catch {
    // Anybody with access to the account may have written something else there.
    return {}
  }
}

function toText(value: unknown): string | null {
  const text = typeof value === 'string' ? value.trim() : ''
  return text === '' ? null : text
}
