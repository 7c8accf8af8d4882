import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { KeyRefusedError, PermanentError } from '../../src/errors.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createLimiter } from '../../src/providers/limiter.ts'
import type { PayoutRequest, TransferRequest } from '../../src/providers/payments.ts'
import { createStripe, type StripeOptions } from '../../src/providers/stripe.ts'
import { apiVersion, createStripeClient } from '../../src/providers/stripe-client.ts'

interface Call {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

type React = (response: ServerResponse, call: Call, index: number) => void

const secretKey = 'sk_test_neverShownAnywhere'
const account = 'acct_1expert'
const signal = (): AbortSignal => new AbortController().signal

/** Stripe as `react` has it, on a real socket, with every call it got. */
async function startServer(t: Test, react: React, options: Partial<StripeOptions> = {}) {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const { headers, method = '', url = '' } = request
      const { pathname, searchParams } = new URL(url, 'http://stand-in')
      const call = { method, path: pathname, query: searchParams, headers, body: await readBody(request) }
      calls.push(call)
      react(response, call, calls.length)
    }
    answer().catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const http = createHttp()
  t.teardown(async () => {
    await http.close()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const shared = { secretKey, url, fetch: http.fetch, requestsPerSecond: 10_000, retryMs: 1 }
  return { ...createStripe({ ...shared, ...options }), calls, server, url }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const send =
  (status: number, body: unknown, headers: Record<string, string> = {}): React =>
  response => {
    response.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_1', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

/** The vendor's message has what must never be passed on. */
const refuse = (status: number, code?: string, type = 'invalid_request_error', headers = {}): React =>
  send(status, { error: { type, message: `Ana Silva, key ${secretKey}`, ...(code ? { code } : {}) } }, headers)

const failureOf = async (work: Promise<unknown>): Promise<Error & { code?: string }> =>
  await work.then(
    () => Promise.reject(new Error('it did not fail')),
    (thrown: unknown) => thrown as Error,
  )

const transfer = (fields: object = {}) => ({
  id: 'tr_1',
  object: 'transfer',
  amount: 4250,
  amount_reversed: 0,
  currency: 'eur',
  destination: account,
  source_transaction: 'ch_1',
  metadata: {},
  created: 1_772_000_000,
  ...fields,
})

const payout = (fields: object = {}) => ({
  id: 'po_1',
  object: 'payout',
  amount: 9900,
  currency: 'eur',
  status: 'pending',
  automatic: false,
  arrival_date: 1_772_100_000,
  failure_code: null,
  failure_balance_transaction: null,
  metadata: {},
  created: 1_772_000_000,
  ...fields,
})

const charge = (fields: object = {}) => ({
  id: 'ch_1',
  object: 'charge',
  status: 'succeeded',
  amount: 5000,
  amount_refunded: 0,
  application_fee_amount: 750,
  balance_transaction: { id: 'txn_1', created: 1_772_000_100, currency: 'eur' },
  created: 1_772_000_000,
  currency: 'EUR',
  disputed: false,
  transfer: transfer({ amount: 5000, transfer_group: 'order 9' }),
  transfer_group: 'order 9',
  ...fields,
})

const intent = (fields: object = {}) => ({ id: 'pi_1', status: 'succeeded', latest_charge: charge(), ...fields })

const transferRequest: TransferRequest = {
  amountCents: 4250,
  currency: 'eur',
  destination: account,
  chargeId: 'ch_1',
  operationId: '0193f0a2-0000-7000-8000-000000000001',
  paymentTransferId: 17,
}
const payoutRequest: PayoutRequest = {
  account,
  amountCents: 9900,
  currency: 'eur',
  operationId: '0193f0a2-0000-7000-8000-000000000002',
}
const key = 'transfer:0193f0a2-0000-7000-8000-000000000001:g1'

t.test('a transfer goes out as it was frozen: exact body, its key, and on the platform itself', async t => {
  const { calls, writes } = await startServer(t, send(200, transfer()))
  const answer = await writes.createTransfer(transferRequest, key, signal())

  t.match(answer, { kind: 'done', replayed: false, object: { id: 'tr_1', amountCents: 4250, chargeId: 'ch_1' } })
  t.equal(calls.length, 1)
  const [call] = calls as [Call]
  t.equal(`${call.method} ${call.path}`, 'POST /v1/transfers')
  t.equal(
    decodeURIComponent(call.body),
    'amount=4250&currency=eur&destination=acct_1expert&source_transaction=ch_1' +
      '&metadata[operation_id]=0193f0a2-0000-7000-8000-000000000001&metadata[payment_transfer_id]=17',
    'nothing else, and nothing that changes from try to try',
  )
  t.match(call.headers, {
    authorization: `Bearer ${secretKey}`,
    'idempotency-key': key,
    'stripe-version': apiVersion,
    'user-agent': /eleva-jobs/,
  })
  t.equal(call.headers['stripe-account'], undefined)
  await writes.createTransfer(transferRequest, key, signal())
  t.equal(calls[1]?.headers['x-stripe-client-telemetry'], undefined, 'nor figures about the call before')
})

t.test('a payout goes out on the account whose money it is', async t => {
  const { calls, writes } = await startServer(t, send(200, payout(), { 'idempotent-replayed': 'true' }))
  const answer = await writes.createPayout(payoutRequest, 'payout:x:g2', signal())

  t.match(answer, { kind: 'done', replayed: true, object: { id: 'po_1', amountCents: 9900, status: 'pending' } })
  const [call] = calls as [Call]
  t.equal(`${call.method} ${call.path}`, 'POST /v1/payouts')
  t.equal(decodeURIComponent(call.body), `amount=9900&currency=eur&metadata[operation_id]=${payoutRequest.operationId}`)
  t.match(call.headers, { 'idempotency-key': 'payout:x:g2', 'stripe-account': account })
})

t.test('each answer to a write falls into its class, and only what did nothing is sent again', async t => {
  const replayed = { 'idempotent-replayed': 'true' }
  const unknown = (code: string, again = false) => ({ kind: 'unknown', code, replayed: again })
  const html = '<html>Bad gateway</html>'
  const cases: [string, React, object, number?][] = [
    ['500', refuse(500, undefined, 'api_error'), unknown('api_error')],
    ['503 that says to try again', refuse(503, 'x', 'api_error', { 'stripe-should-retry': 'true' }), unknown('x')],
    ['a stored 500', refuse(500, undefined, 'api_error', replayed), unknown('api_error', true)],
    ['HTML 502', send(502, html), unknown('http_502')],
    ['HTML 403 of somebody in between', send(403, html), unknown('http_403')],
    ['a 503 in other JSON, which the SDK takes for a success', send(503, { message: 'no' }), unknown('http_503')],
    ['a redirect', send(307, {}, { location: '/elsewhere' }), unknown('http_307')],
    ['200 with half a body', send(200, JSON.stringify(transfer()).slice(0, 60)), unknown('unreadable_answer')],
    ['200 with an object that is none', send(200, {}), unknown('unreadable_answer')],
    ['200 with null', send(200, 'null'), unknown('unreadable_answer')],
    [
      '200 cut off',
      response => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('{"id":"tr_1"')
        setImmediate(() => response.destroy())
      },
      unknown('unreadable_answer'),
    ],
    ['a reset', response => response.destroy(), unknown('no_answer')],
    [
      '409 key in use',
      refuse(409, 'idempotency_key_in_use', 'idempotency_error'),
      { kind: 'notExecuted', code: 'idempotency_key_in_use' },
      3,
    ],
    ['429', refuse(429, 'rate_limit'), { kind: 'notExecuted', code: 'rate_limit' }, 3],
    ['429 lock timeout', refuse(429, 'lock_timeout'), { kind: 'notExecuted', code: 'lock_timeout' }, 3],
    [
      '429 stored',
      refuse(429, 'lock_timeout', 'invalid_request_error', replayed),
      { kind: 'refused', code: 'lock_timeout' },
    ],
    ['other parameters', refuse(400, undefined, 'idempotency_error'), { kind: 'keyReused' }],
    ['401', refuse(401), { kind: 'keyRefused', code: 'invalid_request_error' }],
    ['401 expired', refuse(401, 'api_key_expired'), { kind: 'keyRefused', code: 'api_key_expired' }],
    ['403', refuse(403, 'more_permissions_required'), { kind: 'keyRefused', code: 'more_permissions_required' }],
    ['403 account', refuse(403, 'account_invalid'), { kind: 'refused', code: 'account_invalid' }],
    ['400 no money', refuse(400, 'balance_insufficient'), { kind: 'refused', code: 'balance_insufficient' }],
    ['404', refuse(404, 'resource_missing'), { kind: 'refused', code: 'resource_missing' }],
    ['402', refuse(402, undefined, 'card_error'), { kind: 'refused', code: 'card_error' }],
    ['a code that is no word', refuse(400, `${secretKey} of Ana`), { kind: 'refused', code: 'invalid_request_error' }],
  ]
  for (const [name, react, expected, sends = 1] of cases) {
    const { calls, writes } = await startServer(t, react)
    t.strictSame(await writes.createTransfer(transferRequest, key, signal()), expected, name)
    t.equal(calls.length, sends, `${name}: ${sends} request(s)`)
    t.ok(calls.every(call => call.headers['idempotency-key'] === key && call.body === calls[0]?.body))
  }
})

t.test('a write that was put off goes through when Stripe takes it, under the same key', async t => {
  const { calls, writes } = await startServer(t, (response, call, index) => {
    const react = index < 3 ? refuse(429, 'rate_limit') : send(200, payout())
    react(response, call, index)
  })
  t.match(await writes.createPayout(payoutRequest, 'payout:x:g1', signal()), { kind: 'done', replayed: false })
  t.strictSame(new Set(calls.map(call => call.headers['idempotency-key'])), new Set(['payout:x:g1']))
})

t.test('a closed port and an endless drip are unknown, within the deadline', async t => {
  const dripping = await startServer(
    t,
    response => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const timer = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(timer))
    },
    { timeoutMs: 200 },
  )
  const startedAt = performance.now()
  t.match(await dripping.writes.createPayout(payoutRequest, 'k', signal()), { kind: 'unknown', replayed: false })
  const took = performance.now() - startedAt
  t.ok(took >= 190 && took < 8_000, `ended after ${Math.round(took)} ms`)

  const gone = await startServer(t, send(200, payout()))
  await new Promise(resolve => gone.server.close(resolve))
  t.match(await gone.writes.createPayout(payoutRequest, 'k', signal()), { kind: 'unknown', code: 'no_answer' })
})

t.test('a write is not begun once the run has to end, and one under way gets a moment to come back', async t => {
  const ended = new AbortController()
  ended.abort(new Error('the run passed its deadline'))
  const late = await startServer(t, send(200, payout()))
  t.strictSame(await late.writes.createPayout(payoutRequest, 'k', ended.signal), {
    kind: 'notExecuted',
    code: 'not_sent',
  })
  t.equal(late.calls.length, 0)

  const ending = new AbortController()
  const slow = await startServer(t, (response, call, index) => {
    ending.abort()
    setTimeout(() => send(200, payout())(response, call, index), 50)
  })
  t.match(await slow.writes.createPayout(payoutRequest, 'k', ending.signal), { kind: 'done' })

  const cut = new AbortController()
  const silent = await startServer(t, () => cut.abort())
  const startedAt = performance.now()
  t.match(await silent.writes.createPayout(payoutRequest, 'k', cut.signal), { kind: 'unknown', code: 'no_answer' })
  t.ok(performance.now() - startedAt < 8_000, 'and no more than a moment')
})

t.test('a payment says when the money arrived, what came back and where it went', async t => {
  const { calls, reads } = await startServer(t, send(200, intent()))
  t.strictSame(await reads.readPayment('pi_1', signal()), {
    paymentIntentId: 'pi_1',
    status: 'paid',
    charge: {
      id: 'ch_1',
      paidAt: new Date(1_772_000_100_000),
      amountCents: 5000,
      currency: 'eur',
      settlementCurrency: 'eur',
      refundedCents: 0,
      disputed: false,
      disputeLost: false,
      feeCents: 750,
      transfer: {
        id: 'tr_1',
        destination: account,
        amountCents: 5000,
        currency: 'eur',
        reversedCents: 0,
        chargeId: 'ch_1',
        group: 'order 9',
        operationId: null,
        paymentTransferId: null,
        createdAt: new Date(1_772_000_000_000),
      },
      isGrouped: true,
      transferGroup: 'order 9',
    },
  })
  const without = await startServer(t, send(200, intent({ latest_charge: charge({ transfer_group: null }) })))
  t.match(await without.reads.readPayment('pi_1', signal()), {
    charge: { isGrouped: false, transferGroup: 'group_pi_1' },
  })
  const [call] = calls as [Call]
  t.equal(`${call.method} ${call.path}`, 'GET /v1/payment_intents/pi_1')
  t.strictSame([...call.query.values()], ['latest_charge.transfer', 'latest_charge.balance_transaction'])
  t.equal(call.headers['idempotency-key'], undefined)
})

t.test('the money arrived with whichever came later, the charge or its balance transaction', async t => {
  const paidAt = async (created: number, settled: number | null) => {
    const settlement = settled === null ? null : { id: 'txn_1', created: settled, currency: 'eur' }
    const latest = charge({ created, balance_transaction: settlement, transfer: undefined })
    const { reads } = await startServer(t, send(200, intent({ latest_charge: latest })))
    return (await reads.readPayment('pi_1', signal())).charge
  }
  t.match(await paidAt(100, 200), { paidAt: new Date(200_000), transfer: undefined })
  t.match(await paidAt(200, 100), { paidAt: new Date(200_000) })
  t.match(await paidAt(200, null), { paidAt: new Date(200_000), settlementCurrency: undefined })
})

t.test(
  'a payment that is not paid has no charge, and one that is paid without a charge is an error that says so',
  async t => {
    const states = {
      processing: 'settling',
      canceled: 'canceled',
      requires_action: 'unpaid',
      requires_capture: 'unpaid',
      requires_payment_method: 'unpaid',
    }
    for (const [theirs, status] of Object.entries(states)) {
      const { reads } = await startServer(t, send(200, intent({ status: theirs })))
      t.strictSame(await reads.readPayment('pi_1', signal()), { paymentIntentId: 'pi_1', status, charge: undefined })
    }
    for (const latest of [null, charge({ status: 'pending' })]) {
      const { reads } = await startServer(t, send(200, intent({ latest_charge: latest })))
      const err = await failureOf(reads.readPayment('pi_1', signal()))
      t.ok(err instanceof PermanentError)
      t.match(err, { code: 'charge_missing', message: /pi_1 is paid and has no charge/ })
    }
    for (const latest of ['ch_1', charge({ transfer: 'tr_1' }), charge({ balance_transaction: 'txn_1' })]) {
      const { reads } = await startServer(t, send(200, intent({ latest_charge: latest })))
      t.match(await failureOf(reads.readPayment('pi_1', signal())), { message: /which was asked for/ })
    }
  },
)

t.test('lists are read to their end, a hundred at a time, newest first', async t => {
  const all = Array.from({ length: 250 }, (_, index) =>
    transfer({ id: `tr_${index}`, metadata: { payment_transfer_id: String(index) } }),
  )
  const { calls, reads } = await startServer(t, (response, call, index) => {
    const after = all.findIndex(({ id }) => id === call.query.get('starting_after')) + 1
    const data = all.slice(after, after + 100)
    send(200, { object: 'list', data, has_more: after + 100 < all.length })(response, call, index)
  })
  const from = new Date('2026-03-01T00:00:00.900Z')
  const transfers = await reads.listTransfers({ destination: account, from }, signal())

  t.strictSame(
    transfers.map(({ paymentTransferId }) => paymentTransferId),
    all.map((_, index) => index),
  )
  t.strictSame(
    calls.map(({ query }) => Object.fromEntries(query)),
    [{}, { starting_after: 'tr_99' }, { starting_after: 'tr_199' }].map(cursor => ({
      destination: account,
      'created[gte]': String(Date.parse('2026-03-01T00:00:00Z') / 1000),
      limit: '100',
      ...cursor,
    })),
    'no cursor is sent empty',
  )
})

t.test('a list without end, or with a promise that is not kept, is an error and no short list', async t => {
  const endless = await startServer(t, (response, call, index) => {
    send(200, { object: 'list', data: [payout({ id: `po_${index}` })], has_more: true })(response, call, index)
  })
  const query = { account, from: new Date(0) }
  t.match(await failureOf(endless.reads.listPayouts(query, signal())), { code: 'too_many_pages' })

  const empty = await startServer(t, send(200, { object: 'list', data: [], has_more: true }))
  t.match(await failureOf(empty.reads.listPayouts(query, signal())), { message: /sent nothing/ })
})

t.test('payouts are read on their account, with what became of them', async t => {
  const failed = payout({
    status: 'failed',
    failure_code: 'account_closed',
    failure_balance_transaction: 'txn_9',
    automatic: true,
    metadata: { paymentTransferId: '41', processedAt: 'x' },
  })
  const one = await startServer(t, send(200, failed))
  const facts = {
    id: 'po_1',
    amountCents: 9900,
    currency: 'eur',
    status: 'failed',
    automatic: true,
    arrivesAt: new Date(1_772_100_000_000),
    failureCode: 'account_closed',
    moneyIsBack: true,
    operationId: null,
    paymentTransferId: 41,
    createdAt: new Date(1_772_000_000_000),
  }
  t.strictSame(await one.reads.readPayout({ account, id: 'po_1' }, signal()), facts, 'the old code wrote the row too')

  const ours = payout({ metadata: { operation_id: 'op-1' } })
  const many = await startServer(t, send(200, { object: 'list', data: [failed, ours], has_more: false }))
  t.match(await many.reads.listPayouts({ account, from: new Date(0) }, signal()), [
    facts,
    { operationId: 'op-1', paymentTransferId: null, moneyIsBack: false, failureCode: null },
  ])
  for (const { calls } of [one, many]) t.equal(calls[0]?.headers['stripe-account'], account)
  t.equal(one.calls[0]?.path, '/v1/payouts/po_1')
})

t.test('a balance is added up by currency, and an account says whether it can be paid', async t => {
  const funds = (...amounts: [number, string][]) => amounts.map(([amount, currency]) => ({ amount, currency }))
  const balance = { available: funds([100, 'eur'], [-30, 'EUR'], [5, 'usd']), pending: funds([7, 'eur']) }
  const money = await startServer(t, send(200, balance))
  t.strictSame(await money.reads.readBalance(account, signal()), {
    available: { eur: 70, usd: 5 },
    pending: { eur: 7 },
  })
  t.equal(money.calls[0]?.headers['stripe-account'], account)

  const bank = (currency: string, status: string, isDefault = true) => ({
    object: 'bank_account',
    currency,
    status,
    default_for_currency: isDefault,
  })
  const banks = [
    bank('eur', 'new'),
    bank('eur', 'errored', false),
    bank('gbp', 'errored'),
    bank('usd', 'verification_failed'),
  ]
  const expert = {
    id: account,
    payouts_enabled: true,
    capabilities: { transfers: 'active' },
    requirements: { disabled_reason: 'requirements.past_due' },
    settings: { payouts: { schedule: { interval: 'manual' } } },
    default_currency: 'eur',
    external_accounts: { data: [...banks, { object: 'card', currency: 'chf' }] },
  }
  const facts = {
    id: account,
    payoutsEnabled: true,
    transfersActive: true,
    disabledReason: 'requirements.past_due',
    schedule: 'manual',
    bankCurrencies: ['eur'],
    disabledBankCurrencies: ['gbp', 'usd'],
  }
  const full = await startServer(t, send(200, expert))
  t.strictSame(await full.reads.readAccount(account, signal()), facts)
  t.equal(full.calls[0]?.path, `/v1/accounts/${account}`)

  const { external_accounts: _banks, capabilities: _none, settings: _default, ...bare } = expert
  const plain = await startServer(t, send(200, bare))
  t.match(await plain.reads.readAccount(account, signal()), {
    transfersActive: false,
    schedule: 'daily',
    bankCurrencies: ['eur'],
    disabledBankCurrencies: [],
  })
  const off = await startServer(t, send(200, { ...bare, payouts_enabled: false }))
  t.match(await off.reads.readAccount(account, signal()), { bankCurrencies: [] })
})

t.test('the account behind the key is asked for, and the mode is in the key', async t => {
  for (const [secretKey, live] of [
    ['sk_test_1', false],
    ['rk_test_1', false],
    ['sk_live_1', true],
    ['rk_live_1', true],
  ] as const) {
    const { calls, reads } = await startServer(t, send(200, { id: 'acct_platform' }), { secretKey })
    t.match(await reads.readPlatform(signal()), { account: 'acct_platform', live })
    t.equal(calls[0]?.path, '/v1/account')
    t.equal(calls[0]?.headers['stripe-account'], undefined)
  }
})

t.test("an answer says what time it is by Stripe's clock", async t => {
  const answerAt = async (date: string) => {
    const { reads } = await startServer(t, (response, call, index) => {
      response.setHeader('Date', date)
      return send(200, { id: 'acct_platform' })(response, call, index)
    })
    return (await reads.readPlatform(signal())).now
  }
  t.same(await answerAt('Tue, 10 Mar 2026 12:00:30 GMT'), new Date('2026-03-10T12:00:30Z'))
  t.equal(await answerAt('soon'), undefined)
})

t.test('a read that may pass is asked again, and one that cannot is not', async t => {
  const passing: [string, React][] = [
    ['429', refuse(429, 'rate_limit')],
    ['409 lock', refuse(409, 'lock_timeout')],
    ['500', refuse(500)],
    ['HTML 502', send(502, '<html>')],
    ['503 in other JSON', send(503, { message: 'no' })],
    ['half a body', send(200, '{"id":')],
    ['a reset', response => response.destroy()],
  ]
  for (const [name, react] of passing) {
    const back = await startServer(t, (response, call, index) =>
      (index < 4 ? react : send(200, { id: 'acct_platform' }))(response, call, index),
    )
    t.match(await back.reads.readPlatform(signal()), { account: 'acct_platform' }, name)
    const stays = await startServer(t, react)
    const err = await failureOf(stays.reads.readPlatform(signal()))
    t.equal(stays.calls.length, 4, `${name}: four tries`)
    t.type(err.code, 'string', `${name}: ${err.message}`)
    t.notOk(err instanceof PermanentError || err instanceof KeyRefusedError)
  }
  const final: [React, new (...args: never[]) => Error, string | undefined][] = [
    [refuse(401), KeyRefusedError, undefined],
    [refuse(403), PermanentError, 'account_invalid'],
    [refuse(403, 'more_permissions_required'), KeyRefusedError, undefined],
    [refuse(403, 'account_invalid'), PermanentError, 'account_invalid'],
    [refuse(404, 'resource_missing'), PermanentError, 'resource_missing'],
    [refuse(400, 'parameter_unknown'), Error, 'parameter_unknown'],
    [refuse(500, 'x', 'api_error', { 'stripe-should-retry': 'false' }), Error, 'x'],
  ]
  for (const [react, type, code] of final) {
    const { calls, reads } = await startServer(t, react)
    const err = await failureOf(reads.readAccount(account, signal()))
    t.ok(err instanceof type, err.message)
    t.equal(err.code, code)
    t.equal(calls.length, 1)
    t.notMatch(`${err.message} ${err.stack} ${String(err.cause)}`, /neverShown|Ana/, 'no word of the vendor')
  }
})

t.test('a dispute freezes while it is open, ends when it is won, and stays when it is lost', async t => {
  const cases = [
    [['won'], { disputed: false, disputeLost: false }],
    [['warning_closed'], { disputed: false, disputeLost: false }],
    [['won', 'warning_closed'], { disputed: false, disputeLost: false }],
    [['won', 'needs_response'], { disputed: true, disputeLost: false }],
    [['under_review'], { disputed: true, disputeLost: false }],
    [['warning_under_review'], { disputed: true, disputeLost: false }],
    [['appeal_under_review'], { disputed: true, disputeLost: false }],
    [['prevented'], { disputed: true, disputeLost: false }],
    [['a status of next year'], { disputed: true, disputeLost: false }],
    [['lost'], { disputed: true, disputeLost: true }],
    [['won', 'lost'], { disputed: true, disputeLost: true }],
    [[], { disputed: true, disputeLost: false }],
  ] as const
  for (const [statuses, expected] of cases) {
    const { calls, reads } = await startServer(t, (response, call) => {
      const isList = call.path === '/v1/disputes'
      // One dispute a page: the last one counts as much as the first.
      const index = Number(call.query.get('starting_after')?.slice(3) ?? -1) + 1
      const status = statuses[index]
      const page = { object: 'list', data: status === undefined ? [] : [{ id: `du_${index}`, status }] }
      const disputes = { ...page, has_more: index + 1 < statuses.length }
      send(200, isList ? disputes : intent({ latest_charge: charge({ disputed: true }) }))(response, call, 0)
    })
    t.match((await reads.readPayment('pi_1', signal())).charge, expected, statuses.join())
    const lists = calls.filter(call => call.path === '/v1/disputes')
    t.equal(lists.length, Math.max(1, statuses.length))
    t.ok(lists.every(call => call.query.get('charge') === 'ch_1'))
  }
  const calm = await startServer(t, send(200, intent()))
  t.match((await calm.reads.readPayment('pi_1', signal())).charge, { disputed: false, disputeLost: false })
  t.equal(calm.calls.length, 1, 'nobody is asked about disputes that never were')
})

t.test('a 403 is about the account where there is one, about our key where not, and never about both', async t => {
  const words = [
    "The provided key 'rk_test_1' does not have the required permissions for this endpoint on account 'acct_1'.",
    "Having the 'rak_payout_write' permission would allow this request to continue.",
    'This is a restricted API key, but the required permissions are not available for use by restricted keys.',
  ]
  const ask = async (react: React) => {
    const { calls, reads, writes } = await startServer(t, react)
    const ofAccount = [
      async () => await reads.readAccount(account, signal()),
      async () => await reads.readBalance(account, signal()),
      async () => await reads.listPayouts({ account, from: new Date(0) }, signal()),
      async () => await reads.readPayout({ account, id: 'po_1' }, signal()),
    ]
    const ofPlatform = [
      async () => await reads.readPlatform(signal()),
      async () => await reads.readPayment('pi_1', signal()),
      async () => await reads.listTransfers({ destination: account, from: new Date(0) }, signal()),
    ]
    const errors = async (work: readonly (() => Promise<unknown>)[]) =>
      await Promise.all(
        work.map(async each => {
          const err = await failureOf(each())
          t.notMatch(`${err.message} ${err.stack} ${String(err.cause)}`, /neverShown|Ana|permission would/)
          return `${err.name} ${err.code ?? ''}`.trim()
        }),
      )
    const answers = [
      await writes.createPayout(payoutRequest, 'payout:x:g1', signal()),
      await writes.createTransfer(transferRequest, 'transfer:x:g1', signal()),
    ]
    const told = {
      ofAccount: [...new Set(await errors(ofAccount))],
      ofPlatform: [...new Set(await errors(ofPlatform))],
      payout: answers[0]?.kind,
      transfer: answers[1]?.kind,
    }
    t.equal(calls.length, 9, 'each is asked once')
    return told
  }
  const ours = {
    ofAccount: ['KeyRefusedError'],
    ofPlatform: ['KeyRefusedError'],
    payout: 'keyRefused',
    transfer: 'keyRefused',
  }
  const theirs = { ofAccount: ['PermanentError account_invalid'], payout: 'refused' }
  t.same(await ask(refuse(403)), { ...ours, ...theirs })
  t.same(await ask(refuse(403, 'no_such_code')), { ...ours, ...theirs })
  t.same(await ask(refuse(403, 'account_invalid')), {
    ...theirs,
    ofPlatform: ['PermanentError account_invalid'],
    transfer: 'refused',
  })
  t.same(await ask(refuse(403, 'more_permissions_required')), ours)
  for (const message of words) {
    t.same(await ask(send(403, { error: { type: 'invalid_request_error', message } })), ours, message)
  }
  t.same(await ask(refuse(401)), ours)
})

t.test('an answer in another version of the API is not read', async t => {
  const other = await startServer(t, send(200, { id: 'acct_platform' }, { 'stripe-version': '2020-08-27' }))
  t.match(await failureOf(other.reads.readPlatform(signal())), { code: 'api_version' })
  const same = await startServer(t, send(200, { id: 'acct_platform' }, { 'stripe-version': apiVersion }))
  t.match(await same.reads.readPlatform(signal()), { account: 'acct_platform' })
})

t.test("a read ends with the run, at once and with the run's own reason", async t => {
  const reason = new Error('the run passed its deadline')
  const ending = new AbortController()
  const silent = await startServer(t, () => ending.abort(reason))
  const startedAt = performance.now()
  t.equal(await failureOf(silent.reads.readPlatform(ending.signal)), reason)
  t.ok(performance.now() - startedAt < 5_000, 'a call in flight is abandoned')
  t.equal(silent.calls.length, 1)

  const between = new AbortController()
  const busy = await startServer(t, refuse(429, 'rate_limit'), { retryMs: 60_000 })
  const waiting = failureOf(busy.reads.readPlatform(between.signal))
  while (busy.calls.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  setTimeout(() => between.abort(reason), 20)
  t.equal(await waiting, reason, 'so is the wait for another try')

  const last = new AbortController()
  const failing = await startServer(t, (response, call, index) => {
    if (index === 4) last.abort(reason)
    refuse(500)(response, call, index)
  })
  t.equal(await failureOf(failing.reads.readPlatform(last.signal)), reason, 'also in the last try')

  const slow = await startServer(t, () => {}, { timeoutMs: 100 })
  const err = await failureOf(slow.reads.readPlatform(signal()))
  t.match(err, { code: 'no_answer', message: /stripe did not tell about our own account/ })
})

t.test('each endpoint has its own limit, which every request of the process shares', async t => {
  const arrived: { path: string; at: number }[] = []
  const { reads, writes } = await startServer(
    t,
    (response, call, index) => {
      arrived.push({ path: `${call.method} ${call.path}`, at: performance.now() })
      send(200, call.path === '/v1/balance' ? { available: [], pending: [] } : payout())(response, call, index)
    },
    { requestsPerSecond: 3 },
  )
  await reads.readBalance(account, signal())
  await Promise.all([
    ...Array.from({ length: 3 }, async () => await reads.readBalance('acct_other', signal())),
    reads.readPayout({ account, id: 'po_1' }, signal()),
    writes.createPayout(payoutRequest, 'k', signal()),
  ])
  const balances = arrived.filter(({ path }) => path === 'GET /v1/balance').map(({ at }) => at)
  const waited = (balances[3] ?? 0) - (balances[0] ?? 0)
  t.equal(balances.length, 4)
  t.ok(waited > 900, `the fourth waits, whatever account it asks about: ${Math.round(waited)} ms`)
  t.equal(arrived.at(-1)?.path, 'GET /v1/balance', 'the others do not')
})

t.test('a request whose turn comes too late is not sent', async t => {
  const { calls, url } = await startServer(t, send(200, payout()))
  const limiter = { takeTurn: async () => await new Promise<void>(resolve => setTimeout(resolve, 30)) }
  const http = createHttp()
  t.teardown(async () => await http.close())
  const client = createStripeClient({ secretKey, url, fetch: http.fetch, limiter })
  const limits = { signal: signal(), timeoutMs: 5_000, graceMs: 0, sendBefore: performance.now() + 10 }
  const asked = await client.ask(async stripe => await stripe.balance.retrieve(), limits)
  t.match(asked, { kind: 'failed', failure: { sent: false, code: 'not_sent' } })
  t.equal(calls.length, 0)
  await t.rejects(
    client.ask(async () => await Promise.reject(new TypeError('our own mistake')), { ...limits, sendBefore: Infinity }),
    { name: 'TypeError' },
    'and a mistake of ours is thrown, not classified',
  )
})

t.test('the limiter lets through so many in any interval, in order, and forgets who gave up', async t => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  t.teardown(() => mock.timers.reset())
  const limit = 5
  const intervalMs = 60
  const limiter = createLimiter({ limit, intervalMs })
  const turns: { index: number; at: number }[] = []
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1) {
      mock.timers.tick(1)
      await new Promise(setImmediate)
    }
  }
  const take = async (index: number, signal: AbortSignal): Promise<void> => {
    await limiter.takeTurn('lane', signal)
    turns.push({ index, at: Date.now() })
  }
  const leaving = new AbortController()
  const reason = new Error('the run ended')
  await take(0, signal())
  await pass(50)
  const stayers = Array.from({ length: 30 }, async (_, index) => {
    const gone = t.rejects(take(-1, leaving.signal), reason)
    await Promise.all([take(index + 1, signal()), gone])
  })
  leaving.abort(reason)
  await pass(600)
  await Promise.all(stayers)

  const order = turns.map(({ index }) => index).filter(index => index >= 0)
  t.strictSame(order, [...Array(31).keys()], 'in order')
  const gaps = turns.slice(limit).map(({ at }, index) => at - (turns[index]?.at ?? 0))
  t.ok(
    gaps.every(gap => gap >= intervalMs),
    `never more than ${limit} in ${intervalMs} ms: ${gaps.join(' ')}`,
  )
  const last = turns.at(-1)?.at ?? 0
  t.ok(last - 1_000_000 <= intervalMs * (31 / limit + 2), 'places of those who left went to those who stayed')
  await t.rejects(limiter.takeTurn('lane', leaving.signal), reason)
})

t.test('what reads cannot write', async t => {
  const { reads } = await startServer(t, send(200, {}))
  t.strictSame(
    Object.keys(reads).filter(name => !/^(?:read|list)[A-Z]/.test(name)),
    [],
  )
})
