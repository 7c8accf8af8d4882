import { existsSync } from 'node:fs'
import t, { type Test } from 'tap'
import { createHttp } from '../../src/providers/http.ts'
import { createStripe } from '../../src/providers/stripe.ts'
import { startStripe } from '../../src/sandbox/stripe.ts'

const dayMs = 86_400_000
const noon = new Date('2026-03-10T12:00:00Z')
// Its description of Stripe's API, where it is at hand: requests and answers are then checked against it.
const description = '../shared/data/stripe-openapi-subset.json'
const specPath = existsSync(description) ? description : undefined
const signal = (): AbortSignal => new AbortController().signal

/** The provider, unmodified, on the stand-in, and an expert with money of one booking there. */
async function openStripe(t: Test) {
  const stripe = await startStripe({ clock: () => noon, specPath })
  const http = createHttp()
  t.teardown(async () => {
    await http.close()
    await stripe.close()
  })
  const { secretKey, url } = stripe
  const provider = createStripe({ secretKey, url, fetch: http.fetch, retryMs: 1, timeoutMs: 2_000 })
  const account = stripe.addAccount({ schedule: 'manual' })
  const paid = stripe.pay({ amountCents: 10_000, feeCents: 1_500, destination: account, paidAt: noon })
  stripe.advance(10 * dayMs)
  return { ...provider, stripe, account, paid }
}

const operationId = '0193f0a2-0000-7000-8000-000000000001'

t.test('a booking is read with its charge, its transfer and the moment the money came', async t => {
  const { account, paid, reads, stripe } = await openStripe(t)
  const payment = await reads.readPayment(paid.paymentIntentId, signal())
  t.match(payment, {
    status: 'paid',
    charge: {
      id: paid.chargeId,
      paidAt: noon,
      amountCents: 10_000,
      currency: 'eur',
      settlementCurrency: 'eur',
      refundedCents: 0,
      disputed: false,
      disputeLost: false,
      feeCents: 1_500,
      transfer: { id: paid.transferId, destination: account, amountCents: 10_000, chargeId: paid.chargeId },
    },
  })
  stripe.refund({ chargeId: paid.chargeId ?? '', amountCents: 2_500 })
  const dispute = stripe.dispute(paid.chargeId ?? '')
  t.match((await reads.readPayment(paid.paymentIntentId, signal())).charge, { refundedCents: 2_500, disputed: true })
  stripe.closeDispute(dispute, 'won')
  t.match((await reads.readPayment(paid.paymentIntentId, signal())).charge, { disputed: false, disputeLost: false })
  t.strictSame(await reads.readPlatform(signal()), {
    account: stripe.platform,
    live: false,
    now: new Date('2026-03-20T12:00:00Z'),
  })
  await t.rejects(reads.readPayment('pi_nobodyKnows', signal()), {
    name: 'PermanentError',
    code: 'resource_missing',
    message: /pi_nobodyKnows.*correct the id/,
  })
  t.strictSame(stripe.invalid(), [])
})

t.test('an account and its balance say what can be paid out of it', async t => {
  const { account, reads, stripe } = await openStripe(t)
  t.strictSame(await reads.readAccount(account, signal()), {
    id: account,
    payoutsEnabled: true,
    transfersActive: true,
    disabledReason: null,
    schedule: 'manual',
    bankCurrencies: ['eur'],
    disabledBankCurrencies: [],
  })
  t.match(await reads.readBalance(account, signal()), { available: { eur: 8_500 }, pending: {} })
  stripe.setAccount(account, { payoutsEnabled: false, transfers: 'inactive', disabledReason: 'requirements.past_due' })
  t.match(await reads.readAccount(account, signal()), {
    payoutsEnabled: false,
    transfersActive: false,
    disabledReason: 'requirements.past_due',
  })
  stripe.setAccount(account, { isDeauthorized: true })
  await t.rejects(reads.readBalance(account, signal()), {
    name: 'PermanentError',
    code: 'account_invalid',
    message: /ask the expert to connect/,
  })
})

t.test('a payout lives at Stripe: made once per key, listed with our operation, and failing later', async t => {
  const { account, reads, stripe, writes } = await openStripe(t)
  const request = { account, amountCents: 8_500, currency: 'eur', operationId }
  const first = await writes.createPayout(request, 'payout:1:g1', signal())
  const again = await writes.createPayout(request, 'payout:1:g1', signal())
  t.match(first, { kind: 'done', replayed: false, object: { operationId, amountCents: 8_500, automatic: false } })
  t.match(again, { kind: 'done', replayed: true })
  t.equal(stripe.payouts(account).length, 1)
  t.strictSame(await writes.createPayout({ ...request, amountCents: 1 }, 'payout:1:g1', signal()), {
    kind: 'keyReused',
  })
  t.match(await writes.createPayout(request, 'payout:2:g1', signal()), {
    kind: 'refused',
    code: 'balance_insufficient',
  })

  const [listed] = await reads.listPayouts({ account, from: new Date(0) }, signal())
  t.match(listed, { operationId, status: 'pending', moneyIsBack: false, failureCode: null })
  const id = listed?.id ?? ''
  stripe.setPayout(id, 'failed', { code: 'account_closed' })
  t.match(await reads.readPayout({ account, id }, signal()), {
    status: 'failed',
    failureCode: 'account_closed',
    moneyIsBack: true,
  })
  t.match(await reads.readAccount(account, signal()), { bankCurrencies: [], disabledBankCurrencies: ['eur'] })
  t.strictSame(stripe.invalid(), [])
})

t.test('a transfer is made out of its charge, and transfers of the old code are known by their row', async t => {
  const { account, reads, stripe, writes } = await openStripe(t)
  const plain = stripe.pay({ amountCents: 5_000 })
  const chargeId = plain.chargeId ?? ''
  t.match(await reads.readPayment(plain.paymentIntentId, signal()), { charge: { isGrouped: false } })
  const request = {
    amountCents: 4_000,
    currency: 'eur',
    destination: account,
    chargeId,
    operationId,
    paymentTransferId: 7,
  }
  t.match(await writes.createTransfer(request, 'transfer:1:g1', signal()), {
    kind: 'done',
    object: { destination: account, chargeId, operationId, paymentTransferId: 7, reversedCents: 0 },
  })
  stripe.transferAsOldCode({ chargeId, destination: account, amountCents: 500, paymentTransferId: 9 })
  const transfers = await reads.listTransfers({ destination: account, from: new Date(0) }, signal())
  t.strictSame(new Set(transfers.map(({ paymentTransferId }) => paymentTransferId)), new Set([7, 9, null]))
  const group = `group_${plain.paymentIntentId}`
  const charge = { transferGroup: group, isGrouped: true }
  t.match(await reads.readPayment(plain.paymentIntentId, signal()), { charge })
  t.match(await reads.listTransferGroup(group, signal()), [
    { paymentTransferId: 9, chargeId, group },
    { paymentTransferId: 7, chargeId, group },
  ])
  t.strictSame(stripe.invalid(), [])
  t.strictSame(stripe.notModelled(), [], 'the stand-in models all that is asked')
})

t.test('each fault of the stand-in falls into its class', async t => {
  const { account, stripe, writes } = await openStripe(t)
  stripe.credit(account, 1_000_000)
  const faults = [
    [
      { kind: 'drop', executed: true },
      { kind: 'unknown', code: 'no_answer' },
    ],
    [
      { kind: 'drop', executed: false },
      { kind: 'unknown', code: 'no_answer' },
    ],
    [
      { kind: 'freeze', executed: true },
      { kind: 'unknown', code: 'no_answer' },
    ],
    [
      { kind: 'error', executed: true, stored: true },
      { kind: 'unknown', replayed: false },
    ],
    [{ kind: 'truncate' }, { kind: 'unknown', code: 'unreadable_answer' }],
    [
      { kind: 'html', executed: true },
      { kind: 'unknown', code: /^http_5/ },
    ],
    [
      { kind: 'limit', times: 3 },
      { kind: 'notExecuted', code: 'rate_limit' },
    ],
    [{ kind: 'limit', times: 2 }, { kind: 'done' }],
    [
      { kind: 'conflict', times: 3 },
      { kind: 'notExecuted', code: 'idempotency_key_in_use' },
    ],
    [{ kind: 'unauthorized' }, { kind: 'keyRefused' }],
    [{ kind: 'forbidden' }, { kind: 'keyRefused' }],
  ] as const
  for (const [index, [fault, expected]] of faults.entries()) {
    stripe.inject({ ...fault, method: 'POST' })
    const request = { account, amountCents: 100, currency: 'eur', operationId }
    t.match(await writes.createPayout(request, `payout:${index}:g1`, signal()), expected, JSON.stringify(fault))
    stripe.clearFaults()
  }
  const stored = await writes.createPayout(
    { account, amountCents: 100, currency: 'eur', operationId },
    'payout:3:g1',
    signal(),
  )
  t.match(stored, { kind: 'unknown', replayed: true }, 'and the stored 500 comes back as what it is')
})
