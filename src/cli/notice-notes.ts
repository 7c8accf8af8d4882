import type { ListedNotice } from '../database/outbox-queries.ts'

type Explained = Pick<ListedNotice, 'lookups' | 'note' | 'state'>

/** Why a notice is where it is, for people: what its note means, and the note. */
export function explainNotice({ lookups, note, state }: Explained): string {
  const words = note === null ? undefined : (meanings[note] ?? note)
  switch (state) {
    case 'pending':
      return words ?? 'waits for its time'
    case 'sending':
      return 'somebody is sending it'
    case 'sent':
      return note === 'found' ? 'Novu has it: a look-up found it' : 'Novu took it'
    case 'unknown':
      return `it may have been sent (${words ?? 'no answer'}); ${lookups} look-up(s) have not found it`
    case 'dropped':
    case 'poison':
      return words ?? 'nobody wrote why'
  }
}

const meanings: Readonly<Record<string, string>> = {
  too_late: 'it was of no use any more (too_late)',
  no_reader: 'the marketplace does not know its reader any more (no_reader)',
  moved: 'the appointment was moved (moved)',
  refunded: 'the appointment was refunded (refunded)',
  deleted: 'the appointment is gone (deleted)',
  unpaid: 'the appointment is not paid (unpaid)',
  by_operator: 'an operator dropped it (by_operator)',
  recheck_failed: 'whether it is still true could not be told (recheck_failed)',
  kind_unknown: 'only a newer build knows its kind (kind_unknown)',
  absent: 'it did not arrive, and is tried again (absent)',
  'its sender vanished': 'its process ended while it was sent',
}
