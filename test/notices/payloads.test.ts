import fc from 'fast-check'
import { Ajv } from 'ajv'
import t from 'tap'
import { checkPayload, workflowOf, workflows } from '../../src/notices/catalogue.ts'
import { checkFacts, factSchemas, type Reader } from '../../src/notices/facts.ts'
import type { NoticeKind } from '../../src/notices/notice.ts'
import { transactionIdOf } from '../../src/notices/record.ts'
import { createRenderer } from '../../src/notices/render.ts'
import { isFullRun } from '../support/database.ts'

const render = createRenderer({ appUrl: 'https://eleva.care', environment: 'production' })
const kinds = Object.keys(factSchemas) as NoticeKind[]

/** A few of all parts of the world; all of them in a full run. */
const zones = Intl.supportedValuesOf('timeZone').filter((_zone, index) => isFullRun || index % 12 === 0)

const instant = fc
  .date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map(date => date.toISOString())
const words = fc.string({ unit: 'grapheme', maxLength: 40 })
const filled = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
const cents = fc.integer({ min: 0, max: 1e12 })
const currency = fc.constantFrom('eur', 'EUR', 'usd', 'brl', 'jpy', 'kwd', 'gbp', 'xyz')
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null })

const reader: fc.Arbitrary<Reader> = fc
  .tuple(
    fc.constantFrom('pt-PT', 'pt-BR', 'es-ES', 'en-GB', 'en-US'),
    fc.constantFrom(...zones, 'UTC', '+05:30'),
    fc.record({ email: filled, firstName: filled, lastName: filled }, { requiredKeys: [] }),
  )
  .map(([locale, timeZone, person]) => ({
    language: locale.slice(0, 2) as Reader['language'],
    locale,
    timeZone,
    ...person,
  }))

const booking = { expertName: words, serviceName: words, startsAt: instant, reader }
const appointment = fc.record({
  ...booking,
  party: fc.constantFrom('guest', 'expert'),
  meetingId: fc.uuid(),
  guestName: words,
  endsAt: instant,
  meetingUrl: maybe(fc.webUrl()),
})
const voucher = fc.record({
  ...booking,
  reservationId: fc.uuid(),
  paymentIntentId: filled,
  guestName: maybe(words),
  durationMinutes: fc.nat(),
  amountCents: cents,
  currency,
  entity: filled,
  reference: filled,
  voucherExpiresAt: instant,
  voucherUrl: maybe(fc.webUrl()),
})
const rows = fc.array(
  fc.record({
    paymentTransferId: fc.integer({ min: 1 }),
    amountCents: cents,
    serviceName: maybe(words),
    startsAt: instant,
  }),
  { minLength: 1, maxLength: 4 },
)
const money = { amountCents: cents, currency, rows }

const factsOf: Readonly<Record<NoticeKind, fc.Arbitrary<Record<string, unknown>>>> = {
  'appointment-reminder-24h': appointment,
  'appointment-reminder-1h': appointment,
  'payment-reminder-gentle': voucher,
  'payment-reminder-urgent': voucher,
  'reservation-expired': fc.record({ ...booking, reservationId: fc.uuid(), guestName: maybe(words) }),
  'transfer-recorded': fc.record({ ...money, arrivesAt: maybe(instant) }),
  'expert-payout-notification': fc.record({ ...money, arrivesAt: maybe(instant), payoutId: filled }),
  'payout-failed': fc.record({
    ...money,
    failureCode: maybe(
      fc.oneof(words, fc.constantFrom('account_closed', 'no_account', 'invalid_currency', 'constructor')),
    ),
  }),
  'payout-upcoming': fc.record({ ...money, eligibleFrom: instant }),
  'job-failing': fc.record({
    job: filled,
    runs: fc.integer({ min: 1 }),
    runId: fc.uuid(),
    message: words,
    diagnostics: words,
  }),
  'job-recovered': fc.record({ job: filled, runId: fc.uuid(), failedSince: instant }),
}

/** Every text in a payload. */
function listTexts(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(listTexts) : []
}

t.test('whatever the facts are, as long as they fit, so does the payload, and its words are words', async t => {
  const ajv = new Ajv({ allErrors: true })
  for (const kind of kinds) {
    const validate = ajv.compile(JSON.parse(JSON.stringify(workflows[workflowOf[kind]])) as object)
    fc.assert(
      fc.property(factsOf[kind], reader, instant, (facts, reader, now) => {
        const { payload, workflow } = render(kind, facts, reader, new Date(now))
        const given = listTexts(facts).join(' ') + listTexts(reader).join(' ')
        const broken = /undefined|null|NaN|Invalid|\[object|Infinity/
        const texts = broken.test(given) ? [] : listTexts(payload)
        return (
          workflow === workflowOf[kind] &&
          validate(JSON.parse(JSON.stringify(payload))) &&
          texts.every(text => !broken.test(text)) &&
          Object.values(payload).every(value => value !== undefined)
        )
      }),
      { numRuns: isFullRun ? 500 : 60 },
    )
    t.pass(kind)
  }
})

t.test('the same facts at the same moment are always the same message', async () => {
  fc.assert(
    fc.property(appointment, reader, instant, (facts, reader, now) => {
      const [first, second] = [1, 2].map(() => render('appointment-reminder-1h', facts, reader, new Date(now)))
      return JSON.stringify(first) === JSON.stringify(second)
    }),
    { numRuns: 50 },
  )
})

t.test('a transaction id tells nobody who is told, and is another for each notice', async () => {
  const email = fc.emailAddress()
  fc.assert(
    fc.property(fc.constantFrom(...kinds), email, fc.uuid(), instant, (kind, address, id, at) => {
      const recipient = `guest_${address.toLowerCase()}`
      const notice = { kind, subject: `meetings ${id} guest`, recipient, occurrence: at, facts: { address } }
      const whole = { ...notice, runId: null, at: new Date(at), usefulUntil: null }
      const transactionId = transactionIdOf(whole)
      return (
        new RegExp(`^${kind}-[0-9a-f]{32}$`).test(transactionId) &&
        transactionId === transactionIdOf({ ...whole, facts: {}, at: new Date(0) }) &&
        transactionId !== transactionIdOf({ ...whole, recipient: `${recipient}x` }) &&
        transactionId !== transactionIdOf({ ...whole, occurrence: `${at}x` })
      )
    }),
    { numRuns: 200 },
  )
})

t.test(
  'facts are refused for what is missing, surplus or of another form, without a word of what they say',
  async t => {
    const [valid] = fc.sample(appointment, { numRuns: 1, seed: 7 })
    const check = (changes: Record<string, unknown>) => checkFacts('appointment-reminder-24h', { ...valid, ...changes })
    t.equal(check({}), undefined)
    t.equal(check({ secret: 'maria@example.com' }), 'it has a property that nobody knows')
    t.equal(check({ startsAt: '2026-03-14T14:30:00' }), 'startsAt must be an instant in UTC')
    t.equal(check({ startsAt: '2026-02-30T14:30:00Z' }), 'startsAt must be an instant in UTC')
    t.equal(check({ startsAt: new Date() }), 'startsAt must be string')
    t.match(check({ guestName: null }), /^guestName must be string/)
    t.match(check({ party: 'maria@example.com' }), /^party must/)
    const known = valid?.['reader'] as unknown as Reader
    t.equal(check({ reader: { ...known, timeZone: 'Mars/Olympus' } }), 'reader/timeZone must be a time zone')
    t.equal(check({ reader: { ...known, locale: 'not_a_locale!' } }), 'reader/locale must be a locale')
    t.match(checkFacts('job-failing', null), /^it must be object/)
    t.match(checkFacts('payout-failed', { amountCents: 1.5 }), /\w/)
  },
)

t.test('a payload is refused for what its workflow does not take, without a word of what it says', async t => {
  const payload = {
    notificationType: 'account-update',
    expertName: 'Ana Costa',
    locale: 'pt',
  }
  const check = (changes: Record<string, unknown>) => checkPayload('expert-management', { ...payload, ...changes })
  t.equal(check({}), undefined)
  t.equal(check({ _templateContext: 'maria@example.com' }), 'it has a property that nobody knows')
  t.equal(check({ expertName: undefined }), 'expertName must be string')
  t.match(check({ notificationType: 'maria@example.com' }), /^notificationType must be equal to one of/)
  t.match(check({ locale: 'pt-BR' }), /^locale must be equal to one of/)
  t.equal(check({ amount: 51 }), 'amount must be string')
  t.match(checkPayload('system-health', { status: 'healthy' }), /^it must have required properties/)
})
