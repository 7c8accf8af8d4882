import { appointment } from './templates/appointment.ts'
import { managementOfExperts, payout } from './templates/experts.ts'
import { health } from './templates/health.ts'
import { type Rendered, type Template, wordIn } from './templates/template.ts'
import { paymentReminder, reservationExpired } from './templates/vouchers.ts'
import type { Language } from './types.ts'

type Payload = Readonly<Record<string, unknown>>

const templates: Readonly<Record<string, Template>> = {
  'appointment-universal': appointment,
  'expert-management': managementOfExperts,
  'expert-payout-notification': payout,
  'multibanco-payment-reminder': paymentReminder,
  'reservation-expired': reservationExpired,
  'system-health': health,
}

/** The site's workflows know three languages, by what stands before the hyphen; everything else is English. */
export function languageOf(payload: Payload): Language {
  const base = wordIn(payload, 'locale').split(/[-_]/)[0]?.toLowerCase()
  return base === 'pt' || base === 'es' ? base : 'en'
}

/** The message as its person would read it; lines without content are left out. */
export function renderMessage(workflow: string, payload: Payload): { readonly subject: string; readonly text: string } {
  const template = templates[workflow]
  const { lines, subject }: Rendered =
    template === undefined
      ? { subject: workflow, lines: [JSON.stringify(payload, null, 2)] }
      : template[languageOf(payload)](name => wordIn(payload, name))
  return { subject, text: lines.filter(line => line !== undefined).join('\n') }
}
