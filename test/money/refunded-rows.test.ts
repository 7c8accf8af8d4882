import t from 'tap'
import { findRefunded } from '../../src/money/refunded-rows.ts'

const row = {
  paymentTransferId: 7,
  paymentIntentId: 'pi_7',
  account: 'acct_1',
  amountCents: 8_500,
  currency: 'eur',
}

t.test('a refund after the payout says what was paid to whom, and what to decide', async t => {
  const paidOut = { ...row, transferId: 'tr_7', payoutId: 'po_7', operationId: null }
  t.match(findRefunded(paidOut), {
    kind: 'refunded-after-payout',
    subject: 'payment_transfers 7',
    message: /85\.00 EUR of it had left for the bank of acct_1 \(po_7\): decide who bears it/,
    details: { amountCents: 8_500, account: 'acct_1', payoutId: 'po_7', operationId: null },
  })
})
