import { asks, type DemoCase } from '../case.ts'

/** Bookings that a person has to look at: nothing is paid for them until then. */
export const stoppedCases: readonly DemoCase[] = [
  {
    name: 'approval-overdue',
    expert: 'ines',
    payment: { by: 'card', paidDays: -13 },
    endsDays: -9,
    row: { requires_approval: true },
    ends: { ...asks('transfer-overdue'), waits: 'approval' },
  },
  {
    name: 'partly-refunded',
    expert: 'ines',
    payment: { by: 'card', paidDays: -12 },
    endsDays: -10,
    later: ({ chargeId, grossCents, stripe }) => {
      stripe.refund({ chargeId, amountCents: grossCents / 2, reverseTransfer: true, refundFee: true })
      return undefined
    },
    ends: asks('row-partly-refunded'),
  },
  // The site has not heard of the refund.
  {
    name: 'refunded-unnoticed',
    expert: 'ines',
    payment: { by: 'card', paidDays: -12 },
    endsDays: -9,
    later: ({ chargeId, stripe }) => {
      stripe.refund({ chargeId, reverseTransfer: true, refundFee: true })
      return undefined
    },
    ends: asks('row-refunded'),
  },
  {
    name: 'refunded',
    expert: 'ines',
    payment: { by: 'card', paidDays: -15 },
    endsDays: -11,
    later: ({ chargeId, stripe }) => {
      stripe.refund({ chargeId, reverseTransfer: true, refundFee: true })
      return { status: 'REFUNDED' }
    },
    ends: { status: 'REFUNDED' },
  },
  // The platform has paid the client, and the expert still has the money: the account's balance tells.
  {
    name: 'refund-kept',
    expert: 'grace',
    payment: { by: 'card', paidDays: -10 },
    endsDays: -8,
    later: ({ chargeId, stripe }) => {
      stripe.refund({ chargeId })
      return { status: 'REFUNDED' }
    },
    ends: { status: 'REFUNDED' },
  },
  // The three ways in which an existing transfer is not the row's.
  {
    name: 'transfer-amount',
    expert: 'ines',
    payment: { by: 'card', paidDays: -11 },
    endsDays: -8,
    row: { amount: 4_600 },
    ends: asks('transfer-mismatch'),
  },
  {
    name: 'transfer-elsewhere',
    expert: 'ines',
    payment: { by: 'card', paidDays: -11, sentTo: 'marta' },
    endsDays: -7,
    ends: asks('transfer-mismatch'),
  },
  {
    name: 'transfer-reversed',
    expert: 'ines',
    payment: { by: 'card', paidDays: -12 },
    endsDays: -7,
    later: ({ stripe, transferId }) => {
      if (transferId !== null) stripe.reverse(transferId)
      return undefined
    },
    ends: asks('transfer-reversed'),
  },
  // No job looks at FAILED again.
  {
    name: 'given-up',
    expert: 'ines',
    payment: { by: 'card', paidDays: -17, sentTo: null },
    endsDays: -15,
    row: { status: 'FAILED', retry_count: 3, stripe_error_code: 'parameter_unknown' },
    ends: asks('row-given-up', 'FAILED'),
  },
  // A refund that failed set the row back to PENDING, with the ids of its past.
  {
    name: 'refund-failed',
    expert: 'ines',
    payment: { by: 'card', paidDays: -16 },
    endsDays: -14,
    later: ({ chargeId, stripe, transferId }) => {
      stripe.failRefund(stripe.refund({ chargeId }))
      return { transfer_id: transferId }
    },
    ends: asks('row-contradicts-itself'),
  },
  {
    name: 'refund-failed-after-payout',
    expert: 'ines',
    payment: { by: 'card', paidDays: -29 },
    endsDays: -28,
    later: ({ account, at, chargeId, netCents, paymentTransferId, stripe, transferId }) => {
      const payoutId = stripe.payOutAsOldCode({ account, amountCents: netCents, paymentTransferId, at: at(-23) })
      stripe.failRefund(stripe.refund({ chargeId }))
      return { transfer_id: transferId, payout_id: payoutId }
    },
    ends: asks('row-contradicts-itself'),
  },
  {
    name: 'appointment-unknown',
    expert: 'ines',
    payment: { by: 'card', paidDays: -12 },
    endsDays: -10,
    isGone: true,
    ends: asks('row-appointment-unknown'),
  },
  {
    name: 'payment-unknown',
    expert: 'ines',
    payment: { by: 'nobody', issuedDays: -12 },
    endsDays: -10,
    ends: asks('payment-missing'),
  },
]
