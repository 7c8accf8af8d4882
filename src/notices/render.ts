import { PermanentError } from '../errors.ts'
import { checkPayload, type PayloadOf, type WorkflowId, workflowOf } from './catalogue.ts'
import { cleanFacts } from './clean-text.ts'
import { checkFacts, type FactsOf, type Reader } from './facts.ts'
import type { NoticeKind } from './notice.ts'
import { renderAppointmentReminder } from './words/appointment.ts'
import { renderJobFailing, renderJobRecovered } from './words/jobs.ts'
import { renderPayout, renderPayoutFailed, renderPayoutUpcoming, renderTransferRecorded } from './words/money.ts'
import { renderPaymentReminder, renderReservationExpired } from './words/vouchers.ts'

export interface RenderOptions {
  /** The site, for links; without a slash at the end. */
  readonly appUrl: string
  /** What operators call this deployment, as in `production`. */
  readonly environment: string
}

export interface Rendered {
  /** The vendor's id of the workflow. */
  readonly workflow: WorkflowId
  readonly payload: Readonly<Record<string, unknown>>
}

/**
 * Words a notice for its reader as of now. Total for facts that `checkFacts` accepts; throws a PermanentError for others,
 * and for a payload that does not fit its workflow.
 */
export type Render = (kind: NoticeKind, facts: Readonly<Record<string, unknown>>, reader: Reader, now: Date) => Rendered

/** What one kind is worded with. */
export interface Wanted<K extends NoticeKind> extends RenderOptions {
  readonly facts: FactsOf<K>
  readonly reader: Reader
  readonly now: Date
}

export function createRenderer(options: RenderOptions): Render {
  return (kind, facts, reader, now) => {
    const problem = checkFacts(kind, facts)
    if (problem !== undefined) throw new PermanentError(`the facts of ${kind} do not fit: ${problem}`)
    const workflow = workflowOf[kind]
    // What operators read is ours, and has lines.
    const shown = workflow === 'system-health' ? facts : cleanFacts(facts)
    const payload = renderers[kind]({ ...options, facts: shown as never, reader: cleanFacts(reader), now })
    const misfit = checkPayload(workflow, payload)
    if (misfit !== undefined) throw new PermanentError(`the payload for ${workflow} does not fit: ${misfit}`)
    return { workflow, payload }
  }
}

type Renderers = { readonly [K in NoticeKind]: (wanted: Wanted<K>) => PayloadOf<(typeof workflowOf)[K]> }

const renderers: Renderers = {
  'appointment-reminder-24h': wanted => renderAppointmentReminder(wanted, 'reminder'),
  'appointment-reminder-1h': wanted => renderAppointmentReminder(wanted, 'urgent'),
  'payment-reminder-gentle': wanted => renderPaymentReminder(wanted, 'gentle'),
  'payment-reminder-urgent': wanted => renderPaymentReminder(wanted, 'urgent'),
  'reservation-expired': renderReservationExpired,
  'transfer-recorded': renderTransferRecorded,
  'expert-payout-notification': renderPayout,
  'payout-failed': renderPayoutFailed,
  'payout-upcoming': renderPayoutUpcoming,
  'job-failing': renderJobFailing,
  'job-recovered': renderJobRecovered,
}
