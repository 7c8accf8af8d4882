import { Stripe } from 'stripe'
import t, { type Test } from 'tap'
import { startStripe, type StripeOptions, type StripeStandIn } from '../../src/sandbox/stripe.ts'

const dayMs = 86_400_000
const noon = new Date('2026-10-01T12:00:00Z')

/** A stand-in whose clock stands still, and the official SDK that asks it. */
async function world(t: Test, options: StripeOptions = {}): Promise<{ stripe: StripeStandIn; sdk: Stripe }> {
  const stripe = await startStripe({ clock: () => noon, ...options })
  t.teardown(stripe.close)
  return { stripe, sdk: connect(stripe) }
}

function connect({ secretKey, url }: Pick<StripeStandIn, 'secretKey' | 'url'>, key = secretKey): Stripe {
  const { hostname, port } = new URL(url)
  return new Stripe(key, {
    host: hostname,
    port,
    protocol: 'http',
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: 0,
    telemetry: false,
  })
}

/** What a call was refused with. */
async function refusalOf(call: Promise<unknown>): Promise<object> {
  return await call.then(
    answer => ({ answer }),
    (err: Stripe.errors.StripeError) => ({
      type: err.type,
      status: err.statusCode,
      code: err.code,
      param: err.param,
      replayed: isReplay(err.headers),
    }),
  )
}

/** With its fetch client the SDK gives the headers of an answer as Headers, and those of an error as a plain object. */
function isReplay(headers: unknown): boolean {
  const found = headers instanceof Headers ? Object.fromEntries(headers) : headers
  return (found as Record<string, string> | undefined)?.['idempotent-replayed'] === 'true'
}

t.test('a destination charge credits the expert at once, less the fee, and pending until it has settled', async t => {
  const { sdk, stripe } = await world(t)
  const expert = stripe.addAccount({ country: 'PT' })
  const paid = stripe.pay({ amountCents: 10_000, feeCents: 1_500, destination: expert, metadata: { booking: '7' } })

  const intent = await sdk.paymentIntents.retrieve(paid.paymentIntentId, {
    expand: ['latest_charge.transfer', 'latest_charge.balance_transaction'],
  })
  const charge = intent.latest_charge as Stripe.Charge
  t.match(intent, { status: 'succeeded', amount_received: 10_000, metadata: { booking: '7' } })
  t.match(charge, {
    id: paid.chargeId,
    paid: true,
    application_fee_amount: 1_500,
    transfer_data: { destination: expert },
  })
  t.match(charge.transfer, { id: paid.transferId, amount: 10_000, destination: expert, source_transaction: charge.id })
  t.match(charge.balance_transaction, { currency: 'eur', net: 10_000, status: 'pending', type: 'charge' })
  t.strictSame(stripe.balances(), {
    [stripe.platform]: { eur: { available: 0, pending: 1_500 } },
    [expert]: { eur: { available: 0, pending: 8_500 } },
  })
  stripe.advance(2 * dayMs)
  const balance = await sdk.balance.retrieve({}, { stripeAccount: expert })
  t.match(balance.available, [{ amount: 8_500, currency: 'eur' }])
  t.match(balance.pending, [{ amount: 0, currency: 'eur' }])
})

t.test('a payout never exceeds what is available, and its money is gone at once', async t => {
  const { sdk, stripe } = await world(t)
  const expert = stripe.addAccount()
  stripe.credit(expert, 5_000)
  const asExpert = { stripeAccount: expert }
  t.match(await refusalOf(sdk.payouts.create({ amount: 5_001, currency: 'eur' }, asExpert)), {
    code: 'balance_insufficient',
    status: 400,
  })
  const payout = await sdk.payouts.create({ amount: 4_000, currency: 'eur', metadata: { op: 'a' } }, asExpert)
  t.match(payout, { amount: 4_000, status: 'pending', automatic: false, metadata: { op: 'a' } })
  t.match(await refusalOf(sdk.payouts.create({ amount: 1_001, currency: 'eur' }, asExpert)), {
    code: 'balance_insufficient',
  })
  t.strictSame(stripe.outflow(), { payouts: { [expert]: { eur: 4_000 } }, transfers: {} })
  stripe.advance(dayMs)
  t.equal((await sdk.payouts.retrieve(payout.id, {}, asExpert)).status, 'in_transit')
  stripe.advance(dayMs)
  t.equal((await sdk.payouts.retrieve(payout.id, {}, asExpert)).status, 'paid')
})

t.test('the same key gives the same answer for a day', async t => {
  const { sdk, stripe } = await world(t)
  const expert = stripe.addAccount()
  stripe.credit(expert, 10_000)
  const options = { stripeAccount: expert, idempotencyKey: 'payout:1:g1' }
  const send = async (amount = 1_000) => await sdk.payouts.create({ amount, currency: 'eur' }, options)
  const first = await send()
  const again = await send()
  t.equal(again.id, first.id)
  t.ok(isReplay(again.lastResponse.headers))
  t.match(await refusalOf(send(1_001)), { type: 'StripeIdempotencyError', status: 400 })
  stripe.advance(dayMs - 1)
  t.equal((await send()).id, first.id)
  stripe.advance(1)
  t.not((await send()).id, first.id, 'pruned: the key is new')
  t.strictSame(stripe.outflow().payouts, { [expert]: { eur: 2_000 } })
})

t.test('an answer that was lost was still carried out', async t => {
  const { sdk, stripe } = await world(t)
  const expert = stripe.addAccount()
  stripe.credit(expert, 10_000)
  const options = { stripeAccount: expert, idempotencyKey: 'k' }
  const send = async () => await sdk.payouts.create({ amount: 1_000, currency: 'eur' }, options)
  stripe.inject({ kind: 'drop', executed: true, path: '/v1/payouts' })
  t.match(await refusalOf(send()), { type: 'StripeConnectionError' })
  t.strictSame(stripe.outflow().payouts, { [expert]: { eur: 1_000 } })
  t.ok(isReplay((await send()).lastResponse.headers))
})

t.test('a stored 500 is replayed', async t => {
  const { sdk, stripe } = await world(t)
  const expert = stripe.addAccount()
  stripe.credit(expert, 10_000)
  const options = { stripeAccount: expert, idempotencyKey: 'k' }
  const send = async () => await sdk.payouts.create({ amount: 1_000, currency: 'eur' }, options)
  stripe.inject({ kind: 'error', executed: true, stored: true })
  t.match(await refusalOf(send()), { status: 500 })
  t.match(await refusalOf(send()), { status: 500, replayed: true })
  t.strictSame(stripe.outflow().payouts, { [expert]: { eur: 1_000 } })
})

t.test('transfers', async t => {
  const { sdk, stripe } = await world(t)
  const expert = stripe.addAccount()
  const { chargeId } = stripe.pay({ amountCents: 6_000 })
  t.match(await refusalOf(sdk.transfers.create({ amount: 1_000, currency: 'eur', destination: expert })), {
    code: 'balance_insufficient',
  })
  const order = { amount: 6_000, currency: 'eur', destination: expert, source_transaction: chargeId }
  const transfer = await sdk.transfers.create(order)
  t.match(transfer, { source_transaction: chargeId, amount: 6_000 })
  t.match(await refusalOf(sdk.transfers.create({ ...order, amount: 1 })), { status: 400 })
  const list = await sdk.transfers.list({ destination: expert })
  t.strictSame(
    list.data.map(({ id }) => id),
    [transfer.id],
  )
  t.match(await refusalOf(sdk.transfers.list({ source_transaction: chargeId } as object)), {
    code: 'parameter_unknown',
  })
  t.match(await refusalOf(sdk.charges.list({ starting_after: '' })), { code: 'parameter_invalid_empty' })
})
