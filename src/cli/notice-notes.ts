import type { ListedNotice } from '../database/outbox-queries.ts'

type Explained = Pick<ListedNotice, 'kind' | 'lookups' | 'note' | 'state'>

/** Why a notice is where it is, for people: what its note means, and the note. */
export function explainNotice({ kind, lookups, note, state }: Explained): string {
  const words = note === null ? undefined : explain(kind, note)
  switch (state) {
    case 'pending':
      return note === null ? 'waits for its time' : (words ?? `Novu did not take it yet (${note})`)
    case 'sending':
      return 'somebody is sending it'
    case 'sent':
      return note === 'found' ? 'Novu has it: a look-up found it' : 'Novu took it'
    case 'unknown':
      return `it may have been sent (${words ?? note ?? 'no answer'}); ${lookups} look-up(s) have not found it`
    case 'dropped':
    case 'poison':
      return words ?? note ?? 'nobody wrote why'
  }
}

function explain(kind: string, note: string): string | undefined {
  if (note === vanished) return 'its process ended while it was sent'
  const meaning = meanings[note] ?? (/^http_\d{3}/.test(note) ? 'Novu answered with an error' : undefined)
  if (meaning === undefined) return undefined
  const words = typeof meaning === 'string' ? meaning : moneyKinds.has(kind) ? meaning.money : meaning.appointment
  return `${words} (${note})`
}

type Meaning = string | { readonly money: string; readonly appointment: string }

const vanished = 'its sender vanished'
const moneyKinds: ReadonlySet<string> = new Set([
  'transfer-recorded',
  'expert-payout-notification',
  'payout-failed',
  'payout-upcoming',
])

const meanings: Readonly<Record<string, Meaning>> = {
  too_late: 'it was of no use any more',
  no_reader: 'the marketplace does not know its reader any more',
  no_address: 'there is no address to send it to',
  recipient_changed: {
    appointment: 'the appointment belongs to another person now, or the address was corrected',
    money: 'its money is for another expert now',
  },
  by_operator: 'an operator dropped it',
  // Of appointments, and of their money.
  booked_too_late: 'the appointment was booked too shortly before its time',
  moved: { appointment: 'the appointment was moved', money: 'the appointment of its money was moved' },
  unpaid: 'the appointment is not paid',
  deleted: { appointment: 'the appointment is gone', money: 'the row of its money is gone' },
  refunded: { appointment: 'the appointment was refunded', money: 'its money was refunded' },
  disputed: 'the payment is disputed',
  changed: 'the amount, its currency or its payment is another one now',
  failed: 'its money could not be moved',
  paid_out: 'its money has been paid out',
  repaid: 'its money was paid again',
  needs_approval: 'its money waits for an approval',
  operation_undone: 'the movement of its money was undone',
  // Of vouchers.
  booked: 'its person has booked and paid that time after all',
  waiting: 'its voucher still waits to be paid',
  paid: 'it has been paid',
  settling: 'its payment is on its way',
  canceled: 'its payment was canceled',
  no_voucher: 'no voucher waits for its payment any more',
  voucher_replaced: 'another voucher waits for its payment now',
  payment_unknown: 'Stripe does not know its payment',
  hold_gone: 'its slot is not held any more',
  appointment_began: 'its appointment has begun',
  too_short: 'its voucher was valid for too short a time',
  // Of the way there.
  recheck_failed: 'whether it is still true could not be told',
  kind_unknown: 'only a newer build knows its kind',
  absent: 'it did not arrive, and is tried again',
  rate_limited: 'Novu asked for a pause',
  workflow_not_found: 'Novu does not send its workflow',
  workflow_differs: 'its workflow at Novu takes other fields, and would swallow it',
  no_connection: 'Novu could not be reached',
  not_sent: 'its turn did not come in time',
  timeout: 'Novu did not answer in time',
  no_answer: 'Novu did not answer',
  unreadable_answer: 'Novu gave an answer that makes no sense',
  unmatched_answer: 'Novu answered for another number of messages',
  not_acknowledged: 'Novu did not say that it took it',
  event_error: 'something went wrong inside of Novu',
  in_flight: 'Novu was still busy with an earlier try',
  key_reused: 'Novu knows its idempotency key from another message',
  key_refused: 'Novu refuses our key',
  look_up_failed: 'Novu could not be asked about it',
  too_large: 'it is larger than Novu takes',
  payload_validation_error: 'its workflow at Novu does not take what it says',
  payload_invalid: 'its workflow at Novu does not take what it says',
  trigger_not_active: 'its workflow is switched off at Novu',
  no_workflow_active_steps_defined: 'its workflow at Novu has no step that is switched on',
  no_workflow_steps_defined: 'its workflow at Novu has no steps',
  invalid_recipients: 'Novu does not take its recipient',
  no_tenant_found: 'Novu does not know its tenant',
}
