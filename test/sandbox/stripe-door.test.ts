import type { Stripe } from 'stripe'
import t, { type Test } from 'tap'
import { type FaultOrder, startStripe, type StripeStandIn } from '../../src/sandbox/stripe.ts'
import { connectStripe, isReplay, noon, refusalOf, stripeWorld } from '../support/stripe.ts'

const dayMs = 86_400_000

/** An expert with money, and a payout of 1000 under one key. */
async function payer(t: Test) {
  const { sdk, stripe } = await stripeWorld(t)
  const expert = stripe.addAccount()
  stripe.credit(expert, 100_000)
  const send = async (key = 'k', amount = 1_000, by = sdk) =>
    await by.payouts.create({ amount, currency: 'eur' }, { stripeAccount: expert, idempotencyKey: key })
  const outflow = (): number => stripe.outflow().payouts[expert]?.eur ?? 0
  return { sdk, stripe, expert, send, outflow }
}

/** Resolves when the stand-in was asked so many times. */
async function asked(stripe: StripeStandIn, times: number): Promise<void> {
  while (stripe.calls().length < times) await new Promise(setImmediate)
}

t.test('keys', async t => {
  t.test('the same key gives the same answer for a day, and is new after it', async t => {
    const { outflow, send, stripe } = await payer(t)
    const first = await send()
    stripe.advance(dayMs - 1)
    const again = await send()
    t.equal(again.id, first.id)
    t.ok(isReplay(again.lastResponse.headers))
    t.notOk(isReplay(first.lastResponse.headers))
    stripe.advance(1)
    t.not((await send()).id, first.id)
    t.equal(outflow(), 2_000)
    t.match(
      stripe.calls().map(({ executed, key, replayed, status }) => ({ executed, key, replayed, status })),
      [
        { executed: true, key: 'k', replayed: false, status: 200 },
        { executed: false, replayed: true, status: 200 },
        { executed: true, replayed: false, status: 200 },
      ],
    )
  })

  t.test('the same key with other parameters is refused', async t => {
    const { outflow, send } = await payer(t)
    await send()
    t.match(await refusalOf(send('k', 1_001)), {
      type: 'StripeIdempotencyError',
      status: 400,
      code: undefined,
      replayed: false,
    })
    t.equal(outflow(), 1_000)
  })

  t.test('the order of the parameters does not matter', async t => {
    const { expert, outflow, sdk } = await payer(t)
    const options = { stripeAccount: expert, idempotencyKey: 'k' }
    const one = await sdk.payouts.create({ amount: 1_000, currency: 'eur', metadata: { a: '1', b: '2' } }, options)
    const two = await sdk.payouts.create({ metadata: { b: '2', a: '1' }, currency: 'eur', amount: 1_000 }, options)
    t.equal(one.id, two.id)
    t.equal(outflow(), 1_000)
  })

  t.test('each account has keys of its own', async t => {
    const { sdk, send, stripe } = await payer(t)
    const other = stripe.addAccount()
    stripe.credit(other, 5_000)
    const first = await send('k')
    const second = await sdk.payouts.create(
      { amount: 1_000, currency: 'eur' },
      { stripeAccount: other, idempotencyKey: 'k' },
    )
    t.not(first.id, second.id)
  })

  t.test('a refusal of the endpoint is kept, also when its cause is gone', async t => {
    const { expert, outflow, send, stripe } = await payer(t)
    stripe.setAccount(expert, { payoutsEnabled: false })
    t.match(await refusalOf(send()), { code: 'payouts_not_allowed', replayed: false })
    stripe.setAccount(expert, { payoutsEnabled: true })
    t.match(await refusalOf(send()), { code: 'payouts_not_allowed', replayed: true })
    await send('k:g2')
    t.equal(outflow(), 1_000)
  })

  t.test('what came before the endpoint is not kept', async t => {
    const { expert, send, stripe } = await payer(t)
    t.match(await refusalOf(send('k', 0)), { code: 'parameter_invalid_integer' })
    t.match(await refusalOf(send('k', 1_000, connectStripe(stripe, { key: 'sk_test_other' }))), { status: 401 })
    stripe.setAccount(expert, { isDeauthorized: true })
    t.match(await refusalOf(send()), { status: 403, code: 'account_invalid' })
    stripe.setAccount(expert, { isDeauthorized: false })
    const sent = await send()
    t.notOk(isReplay(sent.lastResponse.headers))
  })

  t.test('a key that is at work is refused, and answers when it is done', async t => {
    const { outflow, send, stripe } = await payer(t)
    stripe.inject({ kind: 'slow', delayMs: 100 })
    const slow = send()
    await asked(stripe, 1)
    t.match(await refusalOf(send()), { status: 409, code: 'idempotency_key_in_use', replayed: false })
    const first = await slow
    t.equal((await send()).id, first.id)
    t.equal(outflow(), 1_000)
  })
})

t.test('faults', async t => {
  /** What a first and a second try with the same key come to under a fault that meets the first. */
  const cases: ReadonlyArray<{
    fault: FaultOrder
    first: object
    second: 'done' | 'replay' | object
    movedAtFirst: number
    movedAtLast: number
  }> = [
    {
      fault: { kind: 'drop', executed: false },
      first: { type: 'StripeConnectionError' },
      second: 'done',
      movedAtFirst: 0,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'drop', executed: true },
      first: { type: 'StripeConnectionError' },
      second: 'replay',
      movedAtFirst: 1_000,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'freeze', executed: false },
      first: { type: 'StripeConnectionError' },
      second: 'done',
      movedAtFirst: 0,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'freeze', executed: true },
      first: { type: 'StripeConnectionError' },
      second: 'replay',
      movedAtFirst: 1_000,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'truncate' },
      first: { type: 'StripeConnectionError', status: undefined },
      second: 'replay',
      movedAtFirst: 1_000,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'html', executed: false },
      first: { type: 'StripeAPIError', status: undefined },
      second: 'done',
      movedAtFirst: 0,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'html', executed: true },
      first: { type: 'StripeAPIError', status: undefined },
      second: 'replay',
      movedAtFirst: 1_000,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'error', executed: true, stored: true },
      first: { status: 500 },
      second: { status: 500, replayed: true },
      movedAtFirst: 1_000,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'error', executed: false, stored: true },
      first: { status: 500 },
      second: { status: 500, replayed: true },
      movedAtFirst: 0,
      movedAtLast: 0,
    },
    {
      fault: { kind: 'error', executed: true, stored: false, status: 503 },
      first: { status: 503 },
      second: 'replay',
      movedAtFirst: 1_000,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'error', executed: false, stored: false },
      first: { status: 500, replayed: false },
      second: 'done',
      movedAtFirst: 0,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'limit' },
      first: { status: 429, code: 'rate_limit' },
      second: 'done',
      movedAtFirst: 0,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'limit', code: 'lock_timeout' },
      first: { status: 429, code: 'lock_timeout' },
      second: 'done',
      movedAtFirst: 0,
      movedAtLast: 1_000,
    },
    {
      fault: { kind: 'conflict' },
      first: { status: 409, code: 'idempotency_key_in_use' },
      second: 'done',
      movedAtFirst: 0,
      movedAtLast: 1_000,
    },
    { fault: { kind: 'unauthorized' }, first: { status: 401 }, second: 'done', movedAtFirst: 0, movedAtLast: 1_000 },
    { fault: { kind: 'forbidden' }, first: { status: 403 }, second: 'done', movedAtFirst: 0, movedAtLast: 1_000 },
    {
      fault: { kind: 'slow', delayMs: 5_000, executes: 'first' },
      first: { type: 'StripeConnectionError' },
      second: 'replay',
      movedAtFirst: 1_000,
      movedAtLast: 1_000,
    },
  ]
  for (const { fault, first, movedAtFirst, movedAtLast, second } of cases) {
    t.test(JSON.stringify(fault), async t => {
      const { outflow, send, stripe } = await payer(t)
      const impatient = connectStripe(stripe, { timeoutMs: 150 })
      stripe.inject({ ...fault, method: 'POST', path: '/v1/payouts' })
      t.match(await refusalOf(send('k', 1_000, impatient)), first)
      t.equal(outflow(), movedAtFirst)
      const sent = await refusalOf(send())
      if (typeof second === 'object') t.match(sent, second)
      else
        t.equal(
          isReplay((sent as { answer: Stripe.Response<Stripe.Payout> }).answer.lastResponse.headers),
          second === 'replay',
        )
      t.equal(outflow(), movedAtLast)
    })
  }

  t.test('a slow call is carried out at its end, although the caller has gone', async t => {
    const { outflow, send, stripe } = await payer(t)
    stripe.inject({ kind: 'slow', delayMs: 200 })
    t.match(await refusalOf(send('k', 1_000, connectStripe(stripe, { timeoutMs: 50 }))), {
      type: 'StripeConnectionError',
    })
    t.equal(outflow(), 0)
    while (outflow() === 0) await new Promise(setImmediate)
    t.ok(isReplay((await send()).lastResponse.headers))
    t.equal(outflow(), 1_000)
  })

  t.test('one meets as many calls as it is told, of a method, path and account, after so many', async t => {
    const { expert, sdk, send, stripe } = await payer(t)
    const standing = stripe.inject({ kind: 'limit', path: '/v1/accounts/:id', account: null, times: 2, after: 1 })
    const read = async () => await refusalOf(sdk.accounts.retrieve(expert))
    t.match(await read(), { answer: { id: expert } })
    t.match(await refusalOf(sdk.accounts.retrieve(expert, {}, { stripeAccount: expert })), { answer: { id: expert } })
    await send()
    t.match([await read(), await read()], [{ status: 429 }, { status: 429 }])
    t.equal(standing.left(), 0)
    t.match(await read(), { answer: { id: expert } })
    stripe.inject({ kind: 'limit', times: Infinity })
    t.match(await read(), { status: 429 })
    stripe.clearFaults()
    t.match(await read(), { answer: { id: expert } })
    stripe.inject({ kind: 'limit', times: 9 }).remove()
    t.match(await read(), { answer: { id: expert } })
  })

  t.test('the SDK repeats with the key of the first try, unless it is told not to', async t => {
    const { outflow, send, stripe } = await payer(t)
    const stubborn = connectStripe(stripe, { retries: 1 })
    stripe.inject({ kind: 'drop', executed: true })
    t.ok(isReplay((await send('a', 1_000, stubborn)).lastResponse.headers))
    stripe.inject({ kind: 'error', executed: false, stored: false, shouldRetry: false })
    t.match(await refusalOf(send('b', 1_000, stubborn)), { status: 500 })
    t.equal(stripe.calls().length, 3)
    t.equal(outflow(), 1_000)
  })
})

t.test('lists', async t => {
  const { sdk, stripe } = await stripeWorld(t)
  const expert = stripe.addAccount()
  const ids = Array.from({ length: 25 }, (_, at) => {
    const paidAt = new Date(noon.getTime() - (25 - at) * 1_000)
    return stripe.pay({ amountCents: 100 + at, destination: expert, paidAt }).chargeId
  }).toReversed()

  t.test('pages are newest first, and lead to each other both ways', async t => {
    const first = await sdk.charges.list()
    t.strictSame(
      first.data.map(({ id }) => id),
      ids.slice(0, 10),
    )
    t.equal(first.has_more, true)
    const second = await sdk.charges.list({ limit: 15, starting_after: ids[9] ?? '' })
    t.strictSame(
      second.data.map(({ id }) => id),
      ids.slice(10),
    )
    t.equal(second.has_more, false)
    const back = await sdk.charges.list({ limit: 3, ending_before: ids[10] ?? '' })
    t.strictSame(
      back.data.map(({ id }) => id),
      ids.slice(7, 10),
    )
    t.equal(back.has_more, true)
    const front = await sdk.charges.list({ limit: 100, ending_before: ids[10] ?? '' })
    t.strictSame(
      front.data.map(({ id }) => id),
      ids.slice(0, 10),
    )
    t.equal(front.has_more, false)
    const all: string[] = []
    for await (const { id } of sdk.charges.list({ limit: 7 })) all.push(id)
    t.strictSame(all, ids)
  })

  t.test('a page stays where it is while newer ones come', async t => {
    stripe.pay({ amountCents: 1 })
    const { data } = await sdk.charges.list({ limit: 1, starting_after: ids[3] ?? '' })
    t.equal(data[0]?.id, ids[4])
  })

  t.test('created is a range in seconds', async t => {
    const newest = noon.getTime() / 1_000 - 1
    const { data } = await sdk.charges.list({ created: { gt: newest - 3, lte: newest } })
    t.strictSame(
      data.map(({ id }) => id),
      ids.slice(0, 3),
    )
  })

  t.test('what Stripe refuses is refused', async t => {
    const list = async (query: object) => await refusalOf(sdk.charges.list(query))
    t.match(await list({ limit: 0 }), { status: 400, code: 'parameter_invalid_integer', param: 'limit' })
    t.match(await list({ limit: 101 }), { code: 'parameter_invalid_integer' })
    t.match(await list({ limit: 'x' }), { code: 'parameter_invalid_integer' })
    t.match(await list({ starting_after: '' }), { code: 'parameter_invalid_empty', param: 'starting_after' })
    t.match(await list({ starting_after: null }), { code: 'parameter_invalid_empty' }, 'the SDK sends null as empty')
    t.match(await list({ starting_after: 'ch_none' }), { status: 400, code: 'resource_missing' })
    t.match(await list({ starting_after: ids[0], ending_before: ids[1] }), { status: 400 })
    t.match(await list({ created: { since: 1 } }), { code: 'parameter_unknown', param: 'created[since]' })
    t.match(await list({ colour: 'red' }), { code: 'parameter_unknown', param: 'colour' })
    t.match(await list({ expand: ['data.colour'] }), { status: 400, param: 'expand' })
  })

  t.test('expanding goes through lists and through what is expanded', async t => {
    const { data } = await sdk.transfers.list({
      limit: 1,
      expand: [
        'data.source_transaction.payment_intent',
        'data.destination_payment.balance_transaction',
        'data.destination',
      ],
    })
    t.match(data[0], {
      source_transaction: { object: 'charge', payment_intent: { object: 'payment_intent' } },
      destination_payment: {
        object: 'charge',
        balance_transaction: { object: 'balance_transaction', type: 'payment' },
      },
      destination: { id: expert, object: 'account' },
    })
    const separate = stripe.pay({ amountCents: 100 })
    const charge = await sdk.charges.retrieve(separate.chargeId, { expand: ['transfer'] })
    t.notOk('transfer' in charge, 'a charge without a transfer has no such property')
  })
})

t.test('the gate', async t => {
  const { sdk, stripe } = await stripeWorld(t)
  t.match(await refusalOf(connectStripe(stripe, { key: 'sk_test_other' }).balance.retrieve()), {
    type: 'StripeAuthenticationError',
    status: 401,
  })
  t.match(await refusalOf(sdk.balance.retrieve({}, { stripeAccount: 'acct_none' })), {
    type: 'StripePermissionError',
    status: 403,
    code: 'account_invalid',
  })
  t.match(await refusalOf(sdk.accounts.retrieve('acct_none')), { status: 403, code: 'account_invalid' })
  t.match(await refusalOf(sdk.charges.retrieve('ch_none')), { status: 404, code: 'resource_missing', param: 'id' })
  t.match(await refusalOf(sdk.payouts.create({ amount: 1_000 } as Stripe.PayoutCreateParams)), {
    code: 'parameter_missing',
    param: 'currency',
  })
  const basic = { authorization: `Basic ${Buffer.from(`${stripe.secretKey}:`).toString('base64')}` }
  const answer = await fetch(`${stripe.url}/v1/balance`, { headers: basic })
  t.equal(answer.status, 200)
  t.match(answer.headers.get('request-id'), /^req_/)
  t.equal((await fetch(`${stripe.url}/v1/balance`)).status, 401)
})

t.test('what is not modelled is 501, with its name, and nothing happens', async t => {
  const { expert, outflow, sdk, stripe } = await payer(t)
  const before = stripe.snapshot()
  const asExpert = { stripeAccount: expert }
  const calls = [
    sdk.customers.list(),
    sdk.transfers.update('tr_1', { metadata: {} }),
    sdk.payouts.create({ amount: 1_000, currency: 'eur', method: 'instant' }, asExpert),
    sdk.payouts.create({ amount: 1_000, currency: 'eur', expand: ['destination'] }, asExpert),
    sdk.charges.list({ customer: 'cus_1' }),
    sdk.refunds.create({ charge: 'py_1' }, asExpert),
    sdk.balance.retrieve({ expand: ['available'] }),
    sdk.balance.retrieve({}, { stripeContext: expert }),
  ]
  const answers = await Promise.all(calls.map(refusalOf))
  for (const answer of answers) t.match(answer, { status: 501, message: /does not model/ })
  t.equal(stripe.notModelled().length, calls.length)
  t.ok(stripe.notModelled().some(call => call.startsWith('GET /v1/customers: ')))
  t.equal(outflow(), 0)
  t.strictSame(stripe.snapshot(), before)
})

t.test('reading changes nothing that a snapshot shows', async t => {
  const { expert, sdk, send, stripe } = await payer(t)
  const { paymentIntentId } = stripe.pay({ amountCents: 5_000, destination: expert })
  const before = stripe.snapshot()
  await sdk.paymentIntents.retrieve(paymentIntentId, { expand: ['latest_charge.transfer'] })
  await sdk.balance.retrieve({}, { stripeAccount: expert })
  await sdk.payouts.list({}, { stripeAccount: expert })
  await sdk.transfers.list({ destination: expert })
  await sdk.events.list()
  t.strictSame(stripe.snapshot(), before)
  await send()
  t.notSame(stripe.snapshot(), before)
})

t.test('another process controls it over HTTP', async t => {
  const { expert, outflow, send, stripe } = await payer(t)
  const control = async (name: string, ...given: unknown[]) => {
    const answer = await fetch(`${stripe.url}/_control/${name}`, { method: 'POST', body: JSON.stringify(given) })
    return { status: answer.status, body: (await answer.json()) as { result?: unknown; error?: string } }
  }
  t.match(await control('inject', { kind: 'drop', executed: true, path: '/v1/payouts' }), { status: 200 })
  t.match(await refusalOf(send()), { type: 'StripeConnectionError' })
  t.equal(outflow(), 1_000)
  t.match(await control('advance', dayMs), { status: 200 })
  t.strictSame(stripe.now(), new Date(noon.getTime() + dayMs))
  t.match(await control('pay', { amountCents: 700, destination: expert, paidAt: noon }), {
    body: { result: { chargeId: /^ch_/, paymentIntentId: /^pi_/, transferId: /^tr_/ } },
  })
  t.match(stripe.transfers().at(-1), { createdMs: noon.getTime() }, 'times are times')
  t.strictSame((await control('outflow')).body.result, stripe.outflow())
  t.match((await control('snapshot')).body.result, { books: Array, transfers: Array, payouts: undefined })
  t.match(await control('pay', { amountCents: -1 }), { status: 400, body: { error: /no amount/ } })
  t.match(await control('explode'), { status: 501 })
  t.equal(stripe.calls().length, 1, 'what is said to it is no call of the API')
})

t.test('ten thousand bookings are told in little time and listed in less', async t => {
  const { sdk, stripe } = await stripeWorld(t)
  const experts = Array.from({ length: 100 }, () => stripe.addAccount())
  const before = process.cpuUsage()
  for (let at = 0; at < 10_000; at += 1) {
    const paidAt = new Date(noon.getTime() - ((at * 7_919) % 10_000) * 60_000)
    stripe.pay({ amountCents: 7_000, feeCents: 1_000, destination: experts[at % 100] ?? '', paidAt })
  }
  const { system, user } = process.cpuUsage(before)
  t.comment(`${Math.round((user + system) / 1_000)} ms of processor`)
  t.ok(user + system < 5_000_000, 'far from five seconds even where all is slow')
  const startedAt = performance.now()
  const { data } = await sdk.transfers.list({ destination: experts[7] ?? '', limit: 100 })
  t.equal(data.length, 100)
  const newest = await sdk.paymentIntents.list({ limit: 1 })
  t.equal(newest.data[0]?.created, noon.getTime() / 1_000)
  t.comment(`${Math.round(performance.now() - startedAt)} ms for two pages`)
})

t.test('closing ends what hangs, and twice is once', async t => {
  const stripe = await startStripe()
  stripe.inject({ kind: 'freeze', executed: false })
  const frozen = refusalOf(connectStripe(stripe).balance.retrieve())
  await asked(stripe, 1)
  await stripe.close()
  await stripe.close()
  t.match(await frozen, { type: 'StripeConnectionError' })
})
