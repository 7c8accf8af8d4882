import type { Stripe } from 'stripe'
import t from 'tap'
import { routes } from '../../src/sandbox/stripe/routes/routes.ts'
import { loadSpec } from '../../src/sandbox/stripe/door/spec.ts'
import { refusalOf, specMissing, specPath, stripeWorld } from '../support/stripe.ts'

/** Stripe has them, and its description beside this checkout has not. */
const undescribed = ['GET /v1/disputes', 'GET /v1/disputes/:id']

t.test('every route knows the parameters of Stripe’s, and no others', { skip: specMissing }, async t => {
  const spec = await loadSpec(specPath ?? '')
  for (const { route } of routes) {
    const name = `${route.method} ${route.path}`
    const described = spec.parametersOf(name)
    if (undescribed.includes(name)) t.equal(described, undefined, name)
    else
      t.strictSame(Object.keys(route.params).toSorted(), described?.filter(each => each !== 'expand').toSorted(), name)
  }
})

t.test('every answer is as Stripe describes it, whatever happened', { skip: specMissing }, async t => {
  const { sdk, stripe } = await stripeWorld(t, { specPath })
  const weekly = stripe.addAccount({ schedule: 'weekly', metadata: { user: '7' } })
  const expert = stripe.addAccount({ schedule: 'monthly', bankCurrencies: ['eur', 'usd'] })
  const asExpert = { stripeAccount: expert }
  stripe.setAccount(weekly, { payoutsEnabled: false, disabledReason: 'requirements.past_due', pastDue: ['a.b'] })
  const { chargeId, paymentIntentId } = stripe.pay({
    amountCents: 10_000,
    feeCents: 1_500,
    stripeFeeCents: 175,
    destination: expert,
    description: 'a booking',
  })
  const separate = stripe.pay({ amountCents: 5_000, transferGroup: 'g' })
  stripe.pay({
    amountCents: 100,
    currency: 'usd',
    settlement: { currency: 'eur', exchangeRate: 0.9 },
    destination: expert,
  })
  const waiting = stripe.issueVoucher({ amountCents: 4_000 })
  const settling = stripe.issueVoucher({ amountCents: 4_000 })
  stripe.processVoucher(settling.paymentIntentId)
  const expired = stripe.issueVoucher({ amountCents: 4_000 })
  stripe.expireVoucher(expired.paymentIntentId)
  const settled = stripe.issueVoucher({ amountCents: 4_000, feeCents: 10, destination: expert })
  stripe.settleVoucher(settled.paymentIntentId)
  stripe.advance(3 * 86_400_000)

  const order = { currency: 'eur', destination: expert, metadata: { a: 'b' }, description: 'x' }
  const made = await sdk.transfers.create({ ...order, amount: 3_000, source_transaction: separate.chargeId })
  await sdk.transfers.createReversal(made.id, { amount: 100, metadata: { a: 'b' }, refund_application_fee: false })
  await sdk.refunds.create({ charge: chargeId, amount: 500, reverse_transfer: true, refund_application_fee: true })
  await sdk.refunds.create({ payment_intent: paymentIntentId, amount: 500, reason: 'duplicate' })
  const payouts: Stripe.Payout[] = []
  for (const status of ['pending', 'in_transit', 'paid', 'canceled', 'failed'] as const) {
    const payout = await sdk.payouts.create(
      { amount: 100, currency: 'eur', description: 'x', statement_descriptor: 'ELEVA', metadata: { a: 'b' } },
      asExpert,
    )
    if (status !== 'pending') stripe.setPayout(payout.id, status)
    payouts.push(payout)
  }
  stripe.dispute(separate.chargeId)

  await sdk.accounts.retrieveCurrent()
  for (const id of [weekly, expert]) await sdk.accounts.retrieve(id)
  for (const options of [{}, asExpert]) {
    await sdk.balance.retrieve({}, options)
    await sdk.balanceTransactions.list({ limit: 100 }, options)
    await sdk.charges.list({ limit: 100, expand: ['data.balance_transaction', 'data.transfer'] }, options)
    await sdk.events.list({ limit: 100 }, options)
    await sdk.payouts.list({ limit: 100, expand: ['data.destination', 'data.balance_transaction'] }, options)
  }
  for (const { paymentIntentId: id } of [waiting, settling, expired, settled, separate]) {
    await sdk.paymentIntents.retrieve(id, {
      expand: ['latest_charge.transfer.destination', 'latest_charge.balance_transaction'],
    })
  }
  await sdk.paymentIntents.list({ limit: 100, expand: ['data.latest_charge'] })
  await sdk.transfers.list({
    limit: 100,
    expand: ['data.source_transaction', 'data.destination_payment', 'data.destination'],
  })
  await sdk.transfers.listReversals(made.id)
  await sdk.refunds.list({ charge: chargeId, expand: ['data.charge', 'data.transfer_reversal', 'data.payment_intent'] })
  await sdk.payouts.retrieve(payouts.at(-1)?.id ?? '', { expand: ['failure_balance_transaction'] }, asExpert)
  t.match(await refusalOf(sdk.payouts.create({ amount: 1_000_000, currency: 'eur' }, asExpert)), { status: 400 })

  t.strictSame(stripe.invalid(), [])
  t.strictSame(stripe.notModelled(), [])
})

t.test('an answer that does not fit is a failure that says where', { skip: specMissing }, async t => {
  const { sdk, stripe } = await stripeWorld(t, { specPath })
  const id = stripe.addAccount({ currency: 'eur', email: 7 as unknown as string })
  t.match(await refusalOf(sdk.accounts.retrieve(id)), {
    status: 500,
    message: /answer of GET \/v1\/accounts\/:id: \/email must/,
  })
  t.match(stripe.invalid(), [/email/])
})
