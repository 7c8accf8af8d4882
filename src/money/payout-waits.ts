import { waitSentences as bookingSentences } from './eligibility.ts'
import type { LaneWait } from './payout-lanes.ts'
import type { RowWait } from './payout-rows.ts'

/** What ends the waiting of rows whose operation an operator has declined. */
export const untilResolved = 'it is planned again once somebody resolves the finding operation-declined'

/** One sentence for people: what a row waits for before its money goes to the bank. */
export const waitSentences: Readonly<Record<RowWait | LaneWait['reason'], string>> = {
  ...bookingSentences,
  approval:
    'an administrator of the marketplace has to approve it, and admin_user_id is empty: a row that was APPROVED says so ' +
    'no more once its transfer is recorded; set it to the administrator who approved',
  held: 'its payout is held until an operator approves it',
  declined: `an operator has declined its payout: ${untilResolved}`,
  operation_open: 'a payout of this account was begun and is being finished; the next one follows it',
  account_unread: 'Stripe did not tell about the account this time; the run comes back',
  account_unreachable: 'Stripe does not show us the account any more',
  payment_unread: 'Stripe did not tell about the payment this time; the run comes back',
  account_frozen: 'somebody else has paid out of this account: it is frozen until the finding about that is resolved',
  payouts_disabled: 'Stripe does not allow payouts of this account: the expert has to complete what Stripe asks for',
  schedule_not_manual: 'the account pays itself out: its schedule has to be set to manual first',
  bank_account_disabled:
    'the bank account of this currency was disabled after a payout failed: the expert has to name another',
  no_bank_account: 'the account has no bank account for this currency',
  awaiting_funds: 'the account does not have the money available yet',
  below_minimum: 'all that can be paid is less than the smallest payout; it is paid with the next bookings',
}
