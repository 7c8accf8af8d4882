/** An endpoint of the site that must be registered at Stripe, and what it acts on. */
export interface NeededEndpoint {
  /** Below the site's address. */
  readonly path: string
  /** The variable that holds what its calls are signed with. */
  readonly variable: string
  /** Whose events it is for; Stripe does not tell of an endpoint which it gets. */
  readonly of: 'our own account' | 'Connect accounts'
  readonly events: readonly string[]
}

/** In which the site reads events: the pin of its own client. An endpoint keeps the version that it was made with. */
export const neededApiVersion = '2025-07-30.basil'

/** What the site's routes act on. Twenty of one endpoint at most: that is how many Stripe lists at once. */
export const neededEndpoints: readonly NeededEndpoint[] = [
  {
    path: '/api/webhooks/stripe',
    variable: 'STRIPE_WEBHOOK_SECRET',
    of: 'our own account',
    events: [
      'checkout.session.completed',
      'checkout.session.async_payment_succeeded',
      'checkout.session.async_payment_failed',
      'payment_intent.succeeded',
      'payment_intent.payment_failed',
      'payment_intent.requires_action',
      'payment_intent.processing',
      'payment_intent.canceled',
      'payment_intent.created',
      'charge.refunded',
      'charge.refund.updated',
      'refund.updated',
      'charge.dispute.created',
      'charge.dispute.updated',
      'charge.dispute.closed',
    ],
  },
  {
    path: '/api/webhooks/stripe-connect',
    variable: 'STRIPE_CONNECT_WEBHOOK_SECRET',
    of: 'Connect accounts',
    events: [
      'account.updated',
      'account.application.deauthorized',
      'account.external_account.created',
      'account.external_account.updated',
      'account.external_account.deleted',
      'payout.created',
      'payout.paid',
      'payout.failed',
      'charge.refunded',
      'charge.refund.updated',
    ],
  },
  {
    path: '/api/webhooks/stripe-identity',
    variable: 'STRIPE_IDENTITY_WEBHOOK_SECRET',
    of: 'our own account',
    events: [
      'identity.verification_session.created',
      'identity.verification_session.processing',
      'identity.verification_session.requires_input',
      'identity.verification_session.verified',
      'identity.verification_session.canceled',
    ],
  },
]
