/** Whether an account can take a transfer now. Asked before one is planned: what cannot be sent is not begun. */

import type { Asked } from './asked.ts'
import { type TransferDecision, type TransferRow, wait } from './transfer-decisions.ts'
import type { TransferWait } from './transfer-reasons.ts'

/** What Stripe says about an account that money is to be sent to. */
export interface ReceivingAccount {
  readonly transfersActive: boolean
  /** Cents by currency; may be negative. */
  readonly available: Readonly<Record<string, number>>
}

/** What asking about an account came to. */
export type AccountAnswer = Asked<ReceivingAccount>

type Creating = Extract<TransferDecision, { readonly kind: 'create' }>

/** What becomes of a transfer that is due once its account is known: it is made, or waits and is overdue one day. */
export function passGate(
  row: TransferRow,
  decision: Creating,
  answer: Exclude<AccountAnswer, { readonly kind: 'failed' | 'left' }>,
  now: Date,
): TransferDecision {
  const reason = answer.kind === 'refused' ? 'account_unreachable' : findGate(answer.value, row.currency)
  return reason === undefined ? decision : wait(reason, undefined, decision.since, now)
}

function findGate({ available, transfersActive }: ReceivingAccount, currency: string): TransferWait | undefined {
  if (!transfersActive) return 'transfers_inactive'
  // Money sent to an account in debt fills the hole and pays nobody (docs.stripe.com/connect/account-balances).
  return (available[currency.toLowerCase()] ?? 0) < 0 ? 'negative_balance' : undefined
}
