import type Stripe from 'stripe'
import type { Charge, Intent } from '../records.ts'
import { seconds } from './seconds.ts'

export function renderIntent(intent: Intent): Stripe.PaymentIntent {
  const { amount, destination, id, method, status } = intent
  return {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount,
    amount_capturable: 0,
    amount_received: status === 'succeeded' ? amount : 0,
    application: null,
    application_fee_amount: intent.feeAmount,
    automatic_payment_methods: null,
    canceled_at: intent.canceledMs === null ? null : seconds(intent.canceledMs),
    cancellation_reason: intent.canceledMs === null ? null : 'abandoned',
    capture_method: 'automatic',
    client_secret: `${id}_secret_none`,
    confirmation_method: 'automatic',
    created: seconds(intent.createdMs),
    currency: intent.currency,
    customer: null,
    customer_account: null,
    description: intent.description,
    excluded_payment_method_types: null,
    last_payment_error: intent.hasFailed
      ? {
          code: 'payment_intent_payment_attempt_failed',
          message: 'The customer did not pay the voucher in time.',
          type: 'invalid_request_error',
        }
      : null,
    latest_charge: intent.chargeId,
    livemode: false,
    managed_payments: null,
    metadata: { ...intent.metadata },
    next_action: status === 'requires_action' ? showVoucher(intent) : null,
    on_behalf_of: destination,
    payment_method: status === 'requires_payment_method' ? null : id.replace(/^pi_/, 'pm_'),
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: [method],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status,
    transfer_data: destination === null ? null : { destination },
    transfer_group: intent.transferGroup,
  }
}

export function renderCharge(charge: Charge): Stripe.Charge {
  const { amount, destination, status } = charge
  const isPaid = status === 'succeeded'
  return {
    id: charge.id,
    object: 'charge',
    amount,
    amount_captured: isPaid ? amount : 0,
    amount_refunded: charge.amountRefunded,
    application: null,
    application_fee: charge.applicationFeeId,
    application_fee_amount: charge.feeAmount,
    balance_transaction: charge.entryId,
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    calculated_statement_descriptor: null,
    captured: isPaid,
    created: seconds(charge.createdMs),
    currency: charge.currency,
    customer: null,
    description: charge.description,
    disputed: charge.isDisputed,
    failure_balance_transaction: null,
    failure_code: status === 'failed' ? 'payment_intent_payment_attempt_failed' : null,
    failure_message: status === 'failed' ? 'The customer did not pay the voucher in time.' : null,
    fraud_details: {},
    livemode: false,
    metadata: { ...charge.metadata },
    on_behalf_of: destination,
    outcome: null,
    paid: isPaid,
    payment_intent: charge.intentId,
    payment_method: charge.intentId?.replace(/^pi_/, 'pm_') ?? null,
    payment_method_details: showMethod(charge),
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: amount > 0 && charge.amountRefunded === amount,
    review: null,
    shipping: null,
    source: null,
    source_transfer: charge.sourceTransferId,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status,
    ...(charge.transferId === null ? {} : { transfer: charge.transferId }),
    transfer_data: destination === null ? null : { amount: null, destination },
    transfer_group: charge.transferGroup,
  }
}

function showVoucher({ voucher, id }: Intent): Stripe.PaymentIntent.NextAction | null {
  if (voucher === null) return null
  return {
    type: 'multibanco_display_details',
    multibanco_display_details: {
      entity: voucher.entity,
      expires_at: seconds(voucher.expiresMs),
      hosted_voucher_url: `https://payments.stripe.example/multibanco/voucher/${id}`,
      reference: voucher.reference,
    },
  }
}

function showMethod({ method }: Charge): Stripe.Charge.PaymentMethodDetails {
  if (method === 'multibanco') return { type: method, multibanco: { entity: '12345', reference: '999999999' } }
  return { type: method }
}
