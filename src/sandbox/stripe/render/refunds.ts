import type Stripe from 'stripe'
import type { Dispute, Refund } from '../records.ts'
import { seconds } from './seconds.ts'

export function renderRefund(refund: Refund): Stripe.Refund {
  return {
    id: refund.id,
    object: 'refund',
    amount: refund.amount,
    balance_transaction: refund.entryId,
    charge: refund.chargeId,
    created: seconds(refund.createdMs),
    currency: refund.currency,
    customer: null,
    customer_account: null,
    metadata: { ...refund.metadata },
    payment_intent: refund.intentId,
    payment_method: refund.intentId?.replace(/^pi_/, 'pm_') ?? null,
    reason: refund.reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: refund.status,
    transfer_reversal: refund.reversalId,
  }
}

/** The fields of a dispute that the service has a use for; its evidence is not modelled. */
export function renderDispute(
  dispute: Dispute,
): Omit<
  Stripe.Dispute,
  'balance_transactions' | 'enhanced_eligibility_types' | 'evidence' | 'evidence_details' | 'intended_submission_method'
> {
  return {
    id: dispute.id,
    object: 'dispute',
    amount: dispute.amount,
    charge: dispute.chargeId,
    created: seconds(dispute.createdMs),
    currency: dispute.currency,
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: dispute.intentId,
    reason: dispute.reason,
    status: dispute.status,
  }
}
