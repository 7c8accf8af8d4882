import type Stripe from 'stripe'
import type { Charge, Intent } from '../records.ts'
import { seconds } from './seconds.ts'

/** What the marketplace uses nothing of. */
const plainIntent = {
  allowed_payment_method_types: null,
  amount_capturable: 0,
  application: null,
  automatic_payment_methods: null,
  capture_method: 'automatic',
  confirmation_method: 'automatic',
  customer: null,
  customer_account: null,
  excluded_payment_method_types: null,
  livemode: false,
  managed_payments: null,
  payment_method_configuration_details: null,
  payment_method_options: {},
  payment_record: null,
  processing: null,
  receipt_email: null,
  review: null,
  setup_future_usage: null,
  shipping: null,
  source: null,
  statement_descriptor: null,
  statement_descriptor_suffix: null,
} satisfies Partial<Stripe.PaymentIntent>

export function renderIntent(intent: Intent): Stripe.PaymentIntent {
  const { amount, destination, id, method, status } = intent
  return {
    ...plainIntent,
    id,
    object: 'payment_intent',
    amount,
    amount_received: status === 'succeeded' ? amount : 0,
    application_fee_amount: intent.feeAmount,
    canceled_at: intent.canceledMs === null ? null : seconds(intent.canceledMs),
    cancellation_reason: intent.canceledMs === null ? null : 'abandoned',
    client_secret: `${id}_secret_none`,
    created: seconds(intent.createdMs),
    currency: intent.currency,
    description: intent.description,
    last_payment_error: intent.hasFailed
      ? {
          code: 'payment_intent_payment_attempt_failed',
          message: 'The customer did not pay the voucher in time.',
          type: 'invalid_request_error',
        }
      : null,
    latest_charge: intent.chargeId,
    metadata: { ...intent.metadata },
    next_action: status === 'requires_action' ? showVoucher(intent) : null,
    on_behalf_of: destination,
    payment_method: status === 'requires_payment_method' ? null : id.replace(/^pi_/, 'pm_'),
    payment_method_types: [method],
    status,
    transfer_data: destination === null ? null : { destination },
    transfer_group: intent.transferGroup,
  }
}

/** The same of charges. */
const plainCharge = {
  application: null,
  calculated_statement_descriptor: null,
  customer: null,
  failure_balance_transaction: null,
  fraud_details: {},
  livemode: false,
  outcome: null,
  receipt_email: null,
  receipt_number: null,
  receipt_url: null,
  review: null,
  shipping: null,
  source: null,
  statement_descriptor: null,
  statement_descriptor_suffix: null,
} satisfies Partial<Stripe.Charge>

export function renderCharge(charge: Charge): Stripe.Charge {
  const { amount, destination, status } = charge
  const isPaid = status === 'succeeded'
  return {
    ...plainCharge,
    id: charge.id,
    object: 'charge',
    amount,
    amount_captured: isPaid ? amount : 0,
    amount_refunded: charge.amountRefunded,
    application_fee: charge.applicationFeeId,
    application_fee_amount: charge.feeAmount,
    balance_transaction: charge.entryId,
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    captured: isPaid,
    created: seconds(charge.createdMs),
    currency: charge.currency,
    description: charge.description,
    disputed: charge.isDisputed,
    failure_code: status === 'failed' ? 'payment_intent_payment_attempt_failed' : null,
    failure_message: status === 'failed' ? 'The customer did not pay the voucher in time.' : null,
    metadata: { ...charge.metadata },
    on_behalf_of: destination,
    paid: isPaid,
    payment_intent: charge.intentId,
    payment_method: charge.intentId?.replace(/^pi_/, 'pm_') ?? null,
    payment_method_details: showMethod(charge),
    refunded: amount > 0 && charge.amountRefunded === amount,
    source_transfer: charge.sourceTransferId,
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
