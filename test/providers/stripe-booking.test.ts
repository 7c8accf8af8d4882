import type { Stripe } from 'stripe'
import t, { type Test } from 'tap'
import { PermanentError } from '../../src/errors.ts'
import { createHttp } from '../../src/providers/http.ts'
import { createStripe } from '../../src/providers/stripe.ts'
import { toBooking } from '../../src/providers/stripe-booking.ts'
import { noon, requireDescribed, stripeWorld } from '../support/stripe.ts'

const signal = new AbortController().signal
const dayMs = 86_400_000

async function openStripe(t: Test) {
  const { stripe } = await stripeWorld(t)
  requireDescribed(t, stripe)
  const http = createHttp()
  t.teardown(async () => await http.close())
  const { reads } = createStripe({ secretKey: stripe.secretKey, url: stripe.url, fetch: http.fetch, retryMs: 1 })
  return { stripe, read: async (id: string) => await reads.readBooking(id, signal) }
}

t.test('a voucher is told of with everything that a guest needs, through its whole life', async t => {
  const { read, stripe } = await openStripe(t)
  const meeting = JSON.stringify({ id: 'e', guestName: ' Ana Maria ', locale: 'br', timezone: 'America/Sao_Paulo' })
  const { paymentIntentId: id } = stripe.issueVoucher({ amountCents: 6_050, metadata: { meeting } })
  const guest = { guestName: 'Ana Maria', locale: 'br', timeZone: 'America/Sao_Paulo' }
  const known = { paymentIntentId: id, amountCents: 6_050, currency: 'eur', ...guest }
  t.match(await read(id), {
    ...known,
    status: 'waiting',
    voucher: {
      entity: '12345',
      reference: /^9\d{8}$/,
      expiresAt: new Date(noon.getTime() + 7 * dayMs),
      url: /^https:\/\/payments\.stripe\.example\/multibanco\/voucher\/pi_/,
    },
  })
  stripe.advance(7 * dayMs)
  t.same(
    await read(id),
    { ...known, status: 'settling', voucher: undefined },
    'at its end the bank may be slow to tell',
  )
  stripe.advance(4 * dayMs)
  t.same(await read(id), { ...known, status: 'lapsed', voucher: undefined }, 'and four days later it is decided')
  const others = [1, 2].map(() => stripe.issueVoucher({ amountCents: 100 }).paymentIntentId)
  stripe.settleVoucher(others[0] ?? '')
  stripe.cancelPayment(others[1] ?? '')
  t.match(await read(others[0] ?? ''), { status: 'paid', voucher: undefined, guestName: null, locale: null })
  t.match(await read(others[1] ?? ''), { status: 'canceled', voucher: undefined })
  t.match(await read(stripe.pay({ amountCents: 100, metadata: { meeting } }).paymentIntentId), {
    ...guest,
    status: 'paid',
  })
  await t.rejects(read('pi_none'), PermanentError)
})

const waiting = {
  id: 'pi_1',
  status: 'requires_action',
  amount: 100,
  currency: 'EUR',
  metadata: {},
  next_action: { type: 'multibanco_display_details' },
}
const details = {
  entity: '12345',
  reference: '123456789',
  expires_at: 1_790_000_000,
  hosted_voucher_url: 'https://v.example',
}
const told = (details: object | null, metadata: object = {}) =>
  toBooking({
    ...waiting,
    metadata,
    next_action: { ...waiting.next_action, multibanco_display_details: details },
  } as unknown as Stripe.PaymentIntent)

t.test('a voucher that lacks what a guest needs is none', async t => {
  t.match(told(details), { currency: 'eur', voucher: { entity: '12345', url: 'https://v.example' } })
  t.match(told({ ...details, hosted_voucher_url: null }), { voucher: { reference: '123456789', url: null } })
  for (const name of ['entity', 'reference', 'expires_at']) {
    t.equal(told({ ...details, [name]: null }).voucher, undefined, name)
  }
  t.equal(told({ ...details, reference: ' ' }).voucher, undefined)
  t.equal(told(null).voucher, undefined)
})

t.test('metadata are read in both of their forms, and whatever else is in them is nobody', async t => {
  t.match(told(null, { customerName: 'Rui', locale: 'es' }), { guestName: 'Rui', locale: 'es', timeZone: null })
  t.match(told(null, { meeting: '{"guestName":"Ana"}', customerName: 'Rui', locale: 'es' }), {
    guestName: 'Ana',
    locale: 'es',
  })
  const nobody = { guestName: null, locale: null, timeZone: null }
  for (const meeting of ['', '{"guestName":', 'null', '7', '"Ana"', '[]', '{"guestName":7,"locale":""}']) {
    t.match(told(null, { meeting }), nobody, meeting)
  }
})

t.test('what is authorised and not collected counts as on its way', async t => {
  const of = (status: string) => toBooking({ ...waiting, status } as unknown as Stripe.PaymentIntent).status
  t.equal(of('requires_capture'), 'settling')
  t.equal(of('requires_payment_method'), 'lapsed')
  t.equal(of('requires_confirmation'), 'lapsed')
})
