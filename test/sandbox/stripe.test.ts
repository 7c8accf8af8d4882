import fc from 'fast-check'
import type { Stripe } from 'stripe'
import t, { type Test } from 'tap'
import type { StripeStandIn } from '../../src/sandbox/stripe.ts'
import { noon, refusalOf, stripeWorld } from '../support/stripe.ts'

const dayMs = 86_400_000

/** Throws unless all money is somewhere: balances are what their entries say, and with the outside they add up to zero. */
function checkBooks(stripe: StripeStandIn): void {
  const { books } = stripe.snapshot() as {
    books: Array<{ account: { id: string }; entries: Array<{ currency: string; net: number }> }>
  }
  const total: Record<string, number> = {}
  for (const [place, cents] of Object.entries(stripe.outside())) {
    const currency = place.split(' ')[1] ?? ''
    total[currency] = (total[currency] ?? 0) + cents
  }
  for (const [account, purses] of Object.entries(stripe.balances())) {
    const entries = books.find(book => book.account.id === account)?.entries ?? []
    for (const [currency, { available, pending }] of Object.entries(purses)) {
      const net = entries.filter(entry => entry.currency === currency).reduce((sum, entry) => sum + entry.net, 0)
      if (net !== available + pending) throw new Error(`${account} has ${available + pending} and its entries ${net}`)
      total[currency] = (total[currency] ?? 0) + net
    }
  }
  for (const [currency, cents] of Object.entries(total)) {
    if (cents !== 0) throw new Error(`${cents} ${currency} came from nowhere`)
  }
}

async function funded(t: Test, cents: number) {
  const { sdk, stripe } = await stripeWorld(t)
  const expert = stripe.addAccount()
  stripe.credit(expert, cents)
  const asExpert = { stripeAccount: expert }
  const payOut = async (amount: number, currency = 'eur') => await sdk.payouts.create({ amount, currency }, asExpert)
  return { sdk, stripe, expert, asExpert, payOut }
}

t.test('a destination charge credits the expert at once, less the fee, pending until it has settled', async t => {
  const { sdk, stripe } = await stripeWorld(t)
  const expert = stripe.addAccount({ country: 'PT' })
  const paid = stripe.pay({ amountCents: 10_000, feeCents: 1_500, destination: expert, metadata: { booking: '7' } })

  const intent = await sdk.paymentIntents.retrieve(paid.paymentIntentId, {
    expand: ['latest_charge.transfer', 'latest_charge.balance_transaction'],
  })
  const charge = intent.latest_charge as Stripe.Charge
  t.match(intent, { status: 'succeeded', amount_received: 10_000, metadata: { booking: '7' } })
  t.match(charge, { id: paid.chargeId, paid: true, application_fee_amount: 1_500, created: noon.getTime() / 1_000 })
  t.match(charge.transfer, { id: paid.transferId, amount: 10_000, destination: expert, source_transaction: charge.id })
  t.match(charge.balance_transaction, { currency: 'eur', net: 10_000, status: 'pending', type: 'charge' })
  t.strictSame(stripe.balances(), {
    [stripe.platform]: { eur: { available: 0, pending: 1_500 } },
    [expert]: { eur: { available: 0, pending: 8_500 } },
  })

  stripe.advance(2 * dayMs - 1)
  t.match((await sdk.balance.retrieve({}, { stripeAccount: expert })).available, [{ amount: 0 }])
  stripe.advance(1)
  const balance = await sdk.balance.retrieve({}, { stripeAccount: expert })
  t.match(balance.available, [{ amount: 8_500, currency: 'eur' }])
  t.match(balance.pending, [{ amount: 0, currency: 'eur' }])

  const { data } = await sdk.balanceTransactions.list({ source: charge.id })
  t.match(data, [{ type: 'charge', amount: 10_000, status: 'available' }])
  const atExpert = await sdk.balanceTransactions.list({ expand: ['data.source'] }, { stripeAccount: expert })
  t.match(atExpert.data, [{ type: 'payment', amount: 10_000, fee: 1_500, net: 8_500 }])
  t.match(atExpert.data[0]?.source, { object: 'charge', source_transfer: paid.transferId })
  checkBooks(stripe)
})

t.test('payouts', async t => {
  t.test('one never exceeds what is available, and its money is gone at once', async t => {
    const { asExpert, expert, payOut, sdk, stripe } = await funded(t, 5_000)
    stripe.credit(expert, 9_000, 'eur', new Date(noon.getTime() + 1))
    stripe.credit(expert, 9_000, 'usd')
    t.match(await refusalOf(payOut(5_001)), { code: 'balance_insufficient', status: 400 })
    const payout = await payOut(4_000)
    t.match(payout, { status: 'pending', automatic: false, arrival_date: (noon.getTime() + 2 * dayMs) / 1_000 })
    t.match(await refusalOf(payOut(1_001)), { code: 'balance_insufficient' })
    t.match(await refusalOf(payOut(1_001, 'usd')), { status: 400, param: 'currency' }, 'no bank account in dollars')
    t.strictSame(stripe.outflow(), { payouts: { [expert]: { eur: 4_000 } }, transfers: {} })
    t.match(await sdk.balanceTransactions.list({ type: 'payout' }, asExpert), { data: [{ amount: -4_000 }] })
    checkBooks(stripe)
  })

  t.test('many at once never exceed it together', async t => {
    const { expert, payOut, stripe } = await funded(t, 5_000)
    const answers = await Promise.all(Array.from({ length: 20 }, async () => await refusalOf(payOut(700))))
    t.equal(answers.filter(answer => 'answer' in answer).length, 7)
    t.strictSame(stripe.balances()[expert], { eur: { available: 100, pending: 0 } })
  })

  t.test('the clock carries one to the bank', async t => {
    const { asExpert, payOut, sdk, stripe } = await funded(t, 5_000)
    const { id } = await payOut(4_000)
    const status = async () => (await sdk.payouts.retrieve(id, {}, asExpert)).status
    stripe.advance(dayMs - 1)
    t.equal(await status(), 'pending')
    stripe.advance(1)
    t.equal(await status(), 'in_transit')
    stripe.advance(dayMs)
    t.equal(await status(), 'paid')
    t.strictSame(
      (await sdk.events.list({ type: 'payout.*' }, asExpert)).data.map(event => [event.type, event.created]),
      [
        ['payout.paid', noon.getTime() / 1_000 + 2 * 86_400],
        ['payout.updated', noon.getTime() / 1_000 + 86_400],
        ['payout.created', noon.getTime() / 1_000],
      ],
    )
  })

  t.test(
    'one that was paid can fail: its money is back, and its bank account takes no more until it is replaced',
    async t => {
      const { asExpert, expert, payOut, sdk, stripe } = await funded(t, 5_000)
      const { id } = await payOut(4_000)
      stripe.advance(3 * dayMs)
      stripe.setPayout(id, 'failed', { code: 'account_closed' })
      const failed = await sdk.payouts.retrieve(id, { expand: ['failure_balance_transaction'] }, asExpert)
      t.match(failed, { status: 'failed', failure_code: 'account_closed' })
      t.match(failed.failure_balance_transaction, { amount: 4_000, type: 'payout_failure' })
      t.strictSame(stripe.balances()[expert], { eur: { available: 5_000, pending: 0 } })
      t.strictSame(stripe.outflow().payouts, {})
      t.match(await refusalOf(payOut(4_000)), { code: 'bank_account_unusable' })
      t.match((await sdk.accounts.retrieve(expert)).external_accounts?.data, [{ status: 'errored', currency: 'eur' }])
      stripe.replaceBank(expert)
      t.match(await payOut(4_000), { status: 'pending' })
      checkBooks(stripe)
    },
  )

  t.test('the money of one that failed may come back later', async t => {
    const { asExpert, expert, payOut, sdk, stripe } = await funded(t, 5_000)
    const { id } = await payOut(4_000)
    stripe.setPayout(id, 'failed', { isMoneyBack: false })
    t.equal((await sdk.payouts.retrieve(id, {}, asExpert)).failure_balance_transaction, null)
    t.strictSame(stripe.outflow().payouts, { [expert]: { eur: 4_000 } })
    stripe.returnPayout(id)
    t.type((await sdk.payouts.retrieve(id, {}, asExpert)).failure_balance_transaction, 'string')
    t.throws(() => {
      stripe.returnPayout(id)
    }, /back already/)
    checkBooks(stripe)
  })

  t.test('one can be canceled while it is pending', async t => {
    const { asExpert, payOut, sdk, stripe } = await funded(t, 5_000)
    const [first, second] = [await payOut(1_000), await payOut(1_000)]
    t.match(await sdk.payouts.cancel(first.id, {}, asExpert), { status: 'canceled' })
    stripe.advance(dayMs)
    t.match(await refusalOf(sdk.payouts.cancel(second.id, {}, asExpert)), { status: 400 })
    t.match(await refusalOf(sdk.payouts.cancel('po_none', {}, asExpert)), { status: 404, code: 'resource_missing' })
    stripe.advance(dayMs)
    t.equal((await sdk.payouts.retrieve(first.id, {}, asExpert)).status, 'canceled', 'the clock leaves it alone')
    checkBooks(stripe)
  })

  t.test('an account that may not be paid is refused, and so is too little', async t => {
    const { expert, payOut, stripe } = await funded(t, 5_000)
    t.match(await refusalOf(payOut(99)), { code: 'amount_too_small', param: 'amount' })
    stripe.setAccount(expert, {
      payoutsEnabled: false,
      disabledReason: 'requirements.past_due',
      pastDue: ['individual.id_number'],
    })
    t.match(await refusalOf(payOut(1_000)), { code: 'payouts_not_allowed', status: 400 })
  })

  t.test('they are listed by status, arrival, bank account and creation, each account its own', async t => {
    const { asExpert, expert, payOut, sdk, stripe } = await funded(t, 5_000)
    const old = stripe.payOutAsOldCode({
      account: expert,
      amountCents: 500,
      paymentTransferId: 41,
      at: new Date(noon.getTime() - 9 * dayMs),
    })
    const swept = stripe.payOutAsOldCode({ account: expert, amountCents: 600 })
    const { destination, id } = await payOut(700)
    const ids = async (query: Stripe.PayoutListParams) =>
      (await sdk.payouts.list(query, asExpert)).data.map(payout => payout.id)
    t.strictSame(await ids({}), [id, swept, old])
    t.strictSame(await ids({ status: 'paid' }), [old])
    t.strictSame(await ids({ created: { lt: noon.getTime() / 1_000 } }), [old])
    t.strictSame(await ids({ created: noon.getTime() / 1_000 }), [id, swept])
    t.strictSame(await ids({ arrival_date: { gte: noon.getTime() / 1_000 } }), [id, swept])
    t.strictSame(await ids({ destination: destination as string }), [id, swept, old])
    t.strictSame(await ids({ destination: 'ba_other' }), [])
    t.match((await sdk.payouts.retrieve(old, {}, asExpert)).metadata, { paymentTransferId: '41', source: 'database' })
    t.match((await sdk.payouts.retrieve(swept, {}, asExpert)).metadata, { source: 'stripe_fallback' })
    t.strictSame((await sdk.payouts.list()).data, [], 'none of them is the platform’s')
    t.match(await refusalOf(sdk.payouts.retrieve(id)), { status: 404 })
  })
})

t.test('transfers', async t => {
  t.test('one out of a charge is capped by the charge and needs its currency, but no balance', async t => {
    const { sdk, stripe } = await stripeWorld(t)
    const expert = stripe.addAccount()
    const { chargeId } = stripe.pay({ amountCents: 6_000 })
    const order = { amount: 5_000, currency: 'eur', destination: expert, source_transaction: chargeId }
    t.match(await refusalOf(sdk.transfers.create({ ...order, currency: 'usd' })), { status: 400, param: 'currency' })
    t.match(await refusalOf(sdk.transfers.create({ ...order, amount: 6_001 })), { status: 400, param: 'amount' })
    const transfer = await sdk.transfers.create(order)
    t.match(transfer, { amount: 5_000, source_transaction: chargeId, destination: expert })
    t.match(await refusalOf(sdk.transfers.create({ ...order, amount: 1_001 })), { status: 400, param: 'amount' })
    t.match(await sdk.transfers.create({ ...order, amount: 1_000 }), { amount: 1_000 })
    t.strictSame(stripe.balances()[expert], { eur: { available: 0, pending: 6_000 } })
    t.strictSame(stripe.outflow().transfers, { [expert]: { eur: 6_000 } })
    t.match(await refusalOf(sdk.transfers.create({ ...order, source_transaction: 'ch_none' })), {
      code: 'resource_missing',
      param: 'source_transaction',
    })
    checkBooks(stripe)
  })

  t.test('a destination charge has given all it had already', async t => {
    const { sdk, stripe } = await stripeWorld(t)
    const expert = stripe.addAccount()
    const { chargeId } = stripe.pay({ amountCents: 6_000, feeCents: 900, destination: expert })
    const order = { amount: 1, currency: 'eur', destination: expert, source_transaction: chargeId }
    t.match(await refusalOf(sdk.transfers.create(order)), { status: 400, param: 'amount' })
    t.strictSame(stripe.outflow().transfers, {}, 'nobody asked for its own')
  })

  t.test('one without a charge needs the platform’s available balance', async t => {
    const { sdk, stripe } = await stripeWorld(t)
    const expert = stripe.addAccount()
    stripe.pay({ amountCents: 6_000 })
    const order = { amount: 6_000, currency: 'eur', destination: expert, transfer_group: 'g' }
    t.match(await refusalOf(sdk.transfers.create(order)), { code: 'balance_insufficient' })
    stripe.advance(2 * dayMs)
    await sdk.transfers.create(order)
    t.match(stripe.balances(), {
      [stripe.platform]: { eur: { available: 0 } },
      [expert]: { eur: { available: 6_000 } },
    })
    t.equal((await sdk.transfers.list({ transfer_group: 'g' })).data.length, 1)
  })

  t.test('the destination must be there, be connected and be able to receive', async t => {
    const { sdk, stripe } = await stripeWorld(t)
    const [lacking, gone] = [stripe.addAccount({ transfers: 'inactive' }), stripe.addAccount()]
    stripe.credit(stripe.platform, 9_000)
    stripe.setAccount(gone, { isDeauthorized: true })
    const send = async (destination: string) =>
      await refusalOf(sdk.transfers.create({ amount: 100, currency: 'eur', destination }))
    t.match(await send(lacking), { code: 'insufficient_capabilities_for_transfer', status: 400 })
    t.match(await send('acct_none'), { code: 'resource_missing', status: 400, param: 'destination' })
    t.match(await send(gone), { code: 'resource_missing' })
  })

  t.test('a reversal takes back what is left, from what is available or still pending', async t => {
    const { sdk, stripe } = await stripeWorld(t)
    const expert = stripe.addAccount()
    const { transferId } = stripe.pay({ amountCents: 6_000, feeCents: 900, destination: expert })
    const id = transferId ?? ''
    await sdk.transfers.createReversal(id, { amount: 1_000 })
    t.strictSame(stripe.balances()[expert], { eur: { available: 0, pending: 4_100 } })
    stripe.advance(2 * dayMs)
    await sdk.payouts.create({ amount: 4_000, currency: 'eur' }, { stripeAccount: expert })
    t.match(await refusalOf(sdk.transfers.createReversal(id, { amount: 200 })), { code: 'balance_insufficient' })
    t.match(await refusalOf(sdk.transfers.createReversal(id, { amount: 5_001 })), { status: 400, param: 'amount' })
    await sdk.transfers.createReversal(id, { amount: 100, metadata: { why: 'x' } })
    t.match(await sdk.transfers.retrieve(id), {
      amount_reversed: 1_100,
      reversed: false,
      reversals: { data: [{ amount: 100 }, { amount: 1_000 }] },
    })
    t.equal((await sdk.transfers.listReversals(id, { limit: 1 })).has_more, true)
    checkBooks(stripe)
  })

  t.test('they are listed by destination and creation, and by nothing that Stripe does not know', async t => {
    const { sdk, stripe } = await stripeWorld(t)
    const [ana, rui] = [stripe.addAccount(), stripe.addAccount()]
    const at = (days: number) => new Date(noon.getTime() + days * dayMs)
    const paid = [-3, -1, -2].map(
      days => stripe.pay({ amountCents: 1_000, destination: ana, paidAt: at(days) }).transferId,
    )
    const other = stripe.pay({ amountCents: 1_000, destination: rui }).transferId
    const ids = async (query: Stripe.TransferListParams) => (await sdk.transfers.list(query)).data.map(({ id }) => id)
    t.strictSame(await ids({}), [other, paid[1], paid[2], paid[0]], 'by time, in whatever order they were told')
    t.strictSame(await ids({ destination: ana }), [paid[1], paid[2], paid[0]])
    t.strictSame(await ids({ destination: ana, created: { gte: at(-2).getTime() / 1_000 } }), [paid[1], paid[2]])
    t.strictSame(await ids({ destination: ana, created: { gt: at(-2).getTime() / 1_000 } }), [paid[1]])
    t.match(await refusalOf(sdk.transfers.list({ source_transaction: 'ch_1' } as object)), {
      status: 400,
      code: 'parameter_unknown',
      param: 'source_transaction',
    })
  })
})

t.test('refunds', async t => {
  const world = async (t: Test) => {
    const { sdk, stripe } = await stripeWorld(t)
    const expert = stripe.addAccount()
    const { chargeId, paymentIntentId } = stripe.pay({ amountCents: 6_000, feeCents: 900, destination: expert })
    stripe.advance(2 * dayMs)
    return { sdk, stripe, expert, chargeId, paymentIntentId }
  }

  t.test('one leaves the transfer alone, so that the platform pays', async t => {
    const { chargeId, expert, sdk, stripe } = await world(t)
    await sdk.refunds.create({ charge: chargeId, amount: 2_000 })
    t.match(await sdk.charges.retrieve(chargeId), { amount_refunded: 2_000, refunded: false })
    await sdk.refunds.create({ charge: chargeId, reason: 'requested_by_customer' })
    t.match(await sdk.charges.retrieve(chargeId), { amount_refunded: 6_000, refunded: true })
    t.match(await refusalOf(sdk.refunds.create({ charge: chargeId })), { code: 'charge_already_refunded' })
    t.match(stripe.balances(), {
      [stripe.platform]: { eur: { available: 900 - 6_000 } },
      [expert]: { eur: { available: 5_100 } },
    })
    t.equal((await sdk.refunds.list({ charge: chargeId })).data.length, 2)
    checkBooks(stripe)
  })

  t.test('with the transfer reversed and the fee returned, everybody is where they began', async t => {
    const { chargeId, expert, paymentIntentId, sdk, stripe } = await world(t)
    const order = { payment_intent: paymentIntentId, reverse_transfer: true, refund_application_fee: true }
    const part = await sdk.refunds.create({ ...order, amount: 2_000 })
    t.match(stripe.balances(), {
      [stripe.platform]: { eur: { available: 600 } },
      [expert]: { eur: { available: 3_400 } },
    })
    await sdk.refunds.create(order)
    t.match(stripe.balances(), { [stripe.platform]: { eur: { available: 0 } }, [expert]: { eur: { available: 0 } } })
    const { transfer } = await sdk.charges.retrieve(chargeId, { expand: ['transfer'] })
    t.match(transfer, { reversed: true, amount_reversed: 6_000 })
    t.match(await sdk.refunds.retrieve(part.id, { expand: ['transfer_reversal'] }), {
      status: 'succeeded',
      transfer_reversal: { amount: 2_000, source_refund: part.id },
    })
    checkBooks(stripe)
  })

  t.test('one cannot take back more of the transfer than is left of it', async t => {
    const { chargeId, sdk, stripe } = await world(t)
    stripe.reverse(stripe.transfers()[0]?.id ?? '', 5_000)
    const order = { charge: chargeId, amount: 2_000, reverse_transfer: true }
    t.match(await refusalOf(sdk.refunds.create(order)), { status: 400, param: 'reverse_transfer' })
    t.match(await sdk.refunds.create({ ...order, amount: 1_000 }), { status: 'succeeded' })
    checkBooks(stripe)
  })

  t.test('one may fail, and the charge is as before', async t => {
    const { chargeId, sdk, stripe } = await world(t)
    const refund = stripe.refund({ chargeId, amountCents: 2_000 })
    stripe.failRefund(refund)
    t.match(await sdk.refunds.retrieve(refund), { status: 'failed' })
    t.match(await sdk.charges.retrieve(chargeId), { amount_refunded: 0 })
    t.match(await refusalOf(sdk.refunds.create({ charge: chargeId, amount: 6_001 })), { status: 400, param: 'amount' })
    checkBooks(stripe)
  })
})

t.test('a dispute takes the money from the platform, and gives it back when it is won', async t => {
  const { sdk, stripe } = await stripeWorld(t)
  const expert = stripe.addAccount()
  const { chargeId } = stripe.pay({ amountCents: 6_000, destination: expert })
  const dispute = stripe.dispute(chargeId, { feeCents: 2_000 })
  t.equal((await sdk.charges.retrieve(chargeId)).disputed, true)
  t.match(stripe.balances()[stripe.platform], { eur: { available: -8_000 } })
  t.match(await sdk.disputes.retrieve(dispute), { status: 'needs_response', charge: chargeId })
  stripe.closeDispute(dispute, 'won')
  t.match(stripe.balances()[stripe.platform], { eur: { available: -2_000 } })
  t.match(await sdk.disputes.list({ charge: chargeId }), { data: [{ status: 'won' }] })
  t.equal((await sdk.charges.retrieve(chargeId)).disputed, true, 'it has been disputed, whoever won')
  t.throws(() => {
    stripe.closeDispute(dispute, 'lost')
  }, /closed/)
  checkBooks(stripe)
})

t.test('vouchers', async t => {
  const issue = async (t: Test) => {
    const { sdk, stripe } = await stripeWorld(t)
    const expert = stripe.addAccount()
    const { paymentIntentId: id } = stripe.issueVoucher({ amountCents: 6_000, feeCents: 900, destination: expert })
    const read = async () => await sdk.paymentIntents.retrieve(id, { expand: ['latest_charge'] })
    return { stripe, expert, id, read }
  }

  t.test('one waits for its seven days, then four for the bank, and then nobody has paid', async t => {
    const { id, read, stripe } = await issue(t)
    t.match(await read(), {
      status: 'requires_action',
      latest_charge: null,
      next_action: {
        type: 'multibanco_display_details',
        multibanco_display_details: { expires_at: (noon.getTime() + 7 * dayMs) / 1_000 },
      },
    })
    stripe.advance(7 * dayMs)
    t.match(await read(), {
      status: 'processing',
      next_action: null,
      latest_charge: { status: 'pending', paid: false },
    })
    stripe.advance(4 * dayMs)
    t.match(await read(), { status: 'requires_payment_method', latest_charge: { status: 'failed', paid: false } })
    t.throws(() => stripe.settleVoucher(id), /requires_payment_method already/)
    t.strictSame(
      stripe.events(stripe.platform).map(({ type }) => type),
      [
        'payment_intent.created',
        'payment_intent.requires_action',
        'charge.pending',
        'payment_intent.processing',
        'charge.failed',
        'payment_intent.payment_failed',
      ],
    )
  })

  t.test('one is paid at any time before that', async t => {
    const { expert, id, read, stripe } = await issue(t)
    stripe.advance(8 * dayMs)
    const paid = stripe.settleVoucher(id)
    t.match(await read(), {
      status: 'succeeded',
      latest_charge: { id: paid.chargeId, paid: true, created: (noon.getTime() + 7 * dayMs) / 1_000 },
    })
    t.strictSame(stripe.balances()[expert], { eur: { available: 0, pending: 5_100 } })
    stripe.advance(9 * dayMs)
    t.match(await read(), { status: 'succeeded' }, 'the clock leaves it alone')
    checkBooks(stripe)
  })

  t.test('one can be canceled', async t => {
    const { id, read, stripe } = await issue(t)
    stripe.cancelPayment(id)
    stripe.advance(30 * dayMs)
    t.match(await read(), { status: 'canceled' })
  })
})

t.test('a charge in another currency than the platform’s settles in the platform’s', async t => {
  const { sdk, stripe } = await stripeWorld(t)
  const expert = stripe.addAccount()
  const settlement = { currency: 'eur', exchangeRate: 0.9 }
  const { chargeId } = stripe.pay({
    amountCents: 1_000,
    currency: 'usd',
    feeCents: 100,
    destination: expert,
    settlement,
  })
  const charge = await sdk.charges.retrieve(chargeId, { expand: ['balance_transaction', 'transfer'] })
  t.match(charge, {
    amount: 1_000,
    currency: 'usd',
    balance_transaction: { amount: 900, currency: 'eur', exchange_rate: 0.9 },
  })
  t.match(charge.transfer, { amount: 900, currency: 'eur' })
  t.strictSame(stripe.balances()[expert], { eur: { available: 0, pending: 810 } })
  checkBooks(stripe)
})

t.test('events say what happened, to whom, and by which key', async t => {
  const { asExpert, expert, sdk, stripe } = await funded(t, 5_000)
  const { transferId } = stripe.pay({ amountCents: 1_000, destination: expert })
  const payout = await sdk.payouts.create(
    { amount: 1_000, currency: 'eur' },
    { ...asExpert, idempotencyKey: 'payout:7:g2' },
  )
  stripe.advance(dayMs)

  const [updated, created] = (await sdk.events.list({ types: ['payout.created', 'payout.updated'] }, asExpert)).data
  t.match(created, {
    type: 'payout.created',
    account: expert,
    data: { object: { id: payout.id, status: 'pending' } },
    request: { idempotency_key: 'payout:7:g2' },
  })
  t.match(created?.request?.id, /^req_/)
  t.match(updated, { request: { id: null, idempotency_key: null }, data: { object: { status: 'in_transit' } } })
  t.match(await sdk.events.retrieve(created?.id ?? '', {}, asExpert), { type: 'payout.created' })
  t.match(await refusalOf(sdk.events.retrieve(created?.id ?? '')), { status: 404 }, 'only the account itself sees it')
  t.match(await sdk.events.list({ type: 'transfer.created' }), { data: [{ data: { object: { id: transferId } } }] })

  stripe.setDelivered(created?.id ?? '', false)
  t.match(await sdk.events.list({ delivery_success: false }, asExpert), { data: [{ id: created?.id }] })
  stripe.advance(30 * dayMs)
  t.strictSame(
    (await sdk.events.list({ types: ['payout.created'] }, asExpert)).data,
    [],
    'they are kept for thirty days',
  )
})

t.test('accounts', async t => {
  const { sdk, stripe } = await stripeWorld(t)
  t.match(await sdk.accounts.retrieveCurrent(), { id: stripe.platform, type: 'standard' })
  const id = stripe.addAccount({
    id: 'acct_ana',
    country: 'US',
    currency: 'usd',
    schedule: 'weekly',
    bankCurrencies: ['usd', 'eur'],
  })
  t.equal(id, 'acct_ana')
  t.throws(() => stripe.addAccount({ id: 'acct_ana' }), /already/)
  stripe.setAccount(id, { transfers: 'pending', currentlyDue: ['tos_acceptance.date'] })
  t.match(await sdk.accounts.retrieve(id), {
    country: 'US',
    capabilities: { transfers: 'pending' },
    payouts_enabled: true,
    requirements: { currently_due: ['tos_acceptance.date'], past_due: [], disabled_reason: null },
    settings: { payouts: { schedule: { interval: 'weekly' } } },
    external_accounts: {
      data: [
        { currency: 'usd', status: 'new' },
        { currency: 'eur', status: 'new' },
      ],
    },
  })
  t.match(await sdk.accounts.retrieveCurrent({}, { stripeAccount: id }), { id })
})

t.test('whatever happens in whatever order, no money appears or is lost', async t => {
  const cents = fc.integer({ min: 1, max: 20_000 })
  const step = fc.record({
    kind: fc.constantFrom('pay', 'separate', 'refund', 'dispute', 'won', 'reverse', 'payout', 'fail', 'cancel', 'wait'),
    cents,
    pick: fc.nat(),
    flag: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      const { sdk, stripe } = await stripeWorld(t)
      try {
        const experts = [stripe.addAccount(), stripe.addAccount()]
        const charges: string[] = []
        for (const { cents, flag, kind, pick } of steps) {
          const account = experts[pick % 2] ?? ''
          const charge = charges[pick % charges.length] ?? 'ch_none'
          const payout = stripe.payouts()[pick % stripe.payouts().length]
          const transfer = stripe.transfers()[pick % stripe.transfers().length]
          const before = stripe.balances()[account]?.eur?.available ?? 0
          if (kind === 'pay')
            charges.push(
              stripe.pay({ amountCents: cents, feeCents: Math.floor(cents / 7), destination: account }).chargeId,
            )
          if (kind === 'separate') charges.push(stripe.pay({ amountCents: cents }).chargeId)
          if (kind === 'refund')
            await sdk.refunds
              .create({ charge, amount: cents, reverse_transfer: flag, refund_application_fee: !flag })
              .catch(() => undefined)
          if (kind === 'dispute' && charges.length > 0) stripe.dispute(charge)
          if (kind === 'reverse' && transfer)
            await sdk.transfers
              .createReversal(transfer.id, { amount: cents, refund_application_fee: flag })
              .catch(() => undefined)
          if (kind === 'payout') {
            const made = await sdk.payouts
              .create({ amount: cents, currency: 'eur' }, { stripeAccount: account })
              .catch(() => undefined)
            if (made !== undefined && cents > before) throw new Error(`${cents} of ${before} were paid out`)
            if (flag) stripe.replaceBank(account)
          }
          if (kind === 'fail' && payout && payout.returnEntryId === null) stripe.setPayout(payout.id, 'failed')
          if (kind === 'cancel' && payout?.status === 'pending')
            await sdk.payouts.cancel(payout.id, {}, { stripeAccount: payout.account })
          if (kind === 'wait') stripe.advance(dayMs)
          checkBooks(stripe)
        }
        const left = Object.values(stripe.outflow().payouts).reduce((sum, { eur = 0 }) => sum + eur, 0)
        if (left !== (stripe.outside()['banks eur'] ?? 0)) throw new Error('the banks have another sum')
      } finally {
        await stripe.close()
      }
    }),
    { numRuns: 40 },
  )
})
