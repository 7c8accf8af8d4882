import fc from 'fast-check'
import t from 'tap'
import { failBody } from '../../src/runner/ping-body.ts'
import { redact } from '../../src/runner/redact.ts'

const digits = '0123456789'
const small = 'abcdefghijklmnopqrstuvwxyz'
const letters = `${small}${small.toUpperCase()}`

function chars(alphabet: string, minLength: number, maxLength = minLength): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...alphabet.split('')), minLength, maxLength })
}

function join(...parts: (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> {
  return fc.tuple(...parts.map(part => (typeof part === 'string' ? fc.constant(part) : part))).map(all => all.join(''))
}

/** The second of a pair is what must not survive; the first is what it stands in. */
type Planted = readonly [text: string, secret: string]

function alone(secret: fc.Arbitrary<string>): fc.Arbitrary<Planted> {
  return secret.map(text => [text, text] as const)
}

function within(secret: fc.Arbitrary<string>, before: string, after = ''): fc.Arbitrary<Planted> {
  return secret.map(text => [`${before}${text}${after}`, text] as const)
}

function grouped(text: string, size: number, separator: string): string {
  return text.match(new RegExp(`.{1,${size}}`, 'g'))?.join(separator) ?? text
}

const key = chars(`${letters}${digits}`, 12, 60)
const base64Url = (min: number) => chars(`${letters}${digits}-_`, min, min + 40)
const email = join(chars(`${small}${digits}.+_-ãé`, 1, 20), '@', chars(`${small}é`, 2, 20), '.', chars(small, 2, 6))
const iban = join(chars('PTESFRDGBIN', 2), chars(digits, 2), chars(digits, 12, 25))
const card = chars(digits, 13, 19)

const kinds: Readonly<Record<string, fc.Arbitrary<Planted>>> = {
  'a Stripe key': alone(join(fc.constantFrom('sk_live_', 'rk_live_', 'sk_test_', 'rk_test_', 'sk_'), key)),
  'a webhook secret': alone(join('whsec_', chars(`${letters}${digits}+/`, 20, 40), '=')),
  'a Resend key': alone(join('re_', chars(`${letters}${digits}`, 8), '_', key)),
  'a PostHog key': alone(join(fc.constantFrom('phc_', 'phx_'), key)),
  'a QStash signing key': alone(join('sig_', key)),
  'a bearer token': key.chain(token => within(fc.constant(token), 'Authorization: Bearer ')),
  'a bearer token by itself': within(key, 'bearer '),
  'a basic credential': within(key, 'Basic '),
  'a JWT': alone(join('eyJ', base64Url(20), '.eyJ', base64Url(20), '.', base64Url(30))),
  'an e-mail address': alone(email),
  'an e-mail address in a path': alone(email.map(address => encodeURI(address).replace('@', '%40'))),
  'an IBAN': alone(iban),
  'an IBAN in groups': alone(iban.map(number => grouped(number, 4, ' '))),
  'an IBAN in small letters': alone(iban.map(number => number.toLowerCase())),
  'an IBAN with letters': alone(
    join(
      chars('PTESFRDGBIN', 2),
      chars(digits, 2),
      chars('NWBKX', 4),
      chars(digits, 4),
      chars('NWBKX', 3),
      chars(digits, 4),
    ),
  ),
  'a card number': alone(card),
  'a card number with spaces': alone(card.map(number => grouped(number, 4, ' '))),
  'a card number with hyphens': alone(card.map(number => grouped(number, 4, '-'))),
  'an international phone number': alone(join('+', chars('123456789', 1), chars(digits, 9, 13))),
  'a phone number in groups': alone(join('+351 9', chars(digits, 2), ' ', chars(digits, 3), ' ', chars(digits, 3))),
  'a Portuguese mobile number': alone(join('9', chars('1236', 1), chars(digits, 7))),
  'an American phone number': alone(join('(', chars(digits, 3), ') ', chars(digits, 3), '-', chars(digits, 4))),
  'a password in a connection string': key.chain(secret =>
    within(fc.constant(secret), 'postgresql://owner:', '@db.example.com:5432/eleva?sslmode=require'),
  ),
  'a query': within(key, 'https://eleva.care/api/x?customer='),
  'a fragment': within(key, 'https://eleva.care/login#'),
  'a heartbeat token': within(chars(`${letters}${digits}`, 8, 24), 'https://uptime.betterstack.com/api/v1/heartbeat/'),
  'a heartbeat token before /fail': within(key, 'http://127.0.0.1:4100/api/v1/heartbeat/', '/fail'),
  'user and password of an address': within(key, 'https://someone:', '@eleva.care/x'),
  'a password by name': within(key, 'password='),
  'a token in JSON': within(key, '{"access_token":"', '","x":1}'),
  'an API key header': within(key, 'x-api-key: '),
  'a cookie': within(key, 'Cookie: __session=abc; other='),
  'a client secret of a payment': alone(join('pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_', key)),
  'a Google token': alone(join('ya29.', base64Url(30))),
  'a long key without a name': alone(join(chars(`${letters}${digits}-_`, 29, 60), 'aB3')),
  'a private key': alone(join('-----BEGIN RSA PRIVATE KEY-----\n', chars(`${letters}${digits}+/\n`, 60, 120))),
}

const noise = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom(
    'card was declined',
    '2026-11-21',
    'run 0193a5b2-7c1e-7def-8abc-0123456789ab',
    '"message":',
    'at node:internal/x.js:12:3',
    'PT50',
    '4242 ',
    'https://a/b',
    'a@',
    'sk_',
    'Bearer',
    'password:',
    'token: Bearer',
    'Authorization',
    'https://',
    '+351',
    'AB12',
  ),
)
const edge = fc.constantFrom(' ', '\n', '\t', ': ', ' "', ', ', '; ', ' (', ' <', ' [')

for (const [name, kind] of Object.entries(kinds)) {
  t.test(`${name} never survives, whatever stands around it`, t => {
    fc.assert(
      fc.property(noise, edge, kind, edge, noise, (before, left, [text, secret], right, after) => {
        const clean = redact(`${before}${left}${text}${right}${after}`)
        return !clean.includes(secret) && !redact(clean).includes(secret)
      }),
      { numRuns: 300 },
    )
    t.pass(name)
    t.end()
  })
}

t.test('what helps a person to find the cause stays', t => {
  const lines = [
    'run 0193a5b2-7c1e-7def-8abc-0123456789ab of process-tasks failed, attempt 2 of 4',
    'scd_Rbjrrn1zUDQPEqY8NNpoFf48Evy4 is not ours, nor is scd_PT501234567890abcDEfghijklmn',
    'QStash gave up message msg_7YoJxFpwkEy5zBp378JgvD6YBDPBEqkBPje2JGTCEUiASMJQ1FwY9 after 1 delivery',
    'run 12345678-1234-7234-8234-123456789012 took 1234 ms on 2026-11-21 13:46:16.123',
    'slots 2026-11-21T12:00:00.000Z to 2026-11-22T12:00:00Z',
    'transfer tr_1MiN3gLkdIwHu7ixNCZvFdgA to acct_1032D82eZvKYlo2C: 12345678 cents',
    'connect ECONNREFUSED 127.0.0.1:5432',
    'status 503 from https://api.stripe.com/v1/transfers',
    'null value in column "payment_transfer_id" violates not-null constraint',
    'could not read node_modules/@fastify/rate-limit/index.js',
    'plan hash 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    'the host 192.168.100.100 did not answer in 2500 ms',
  ]
  for (const line of lines) t.equal(redact(line), line)
  t.equal(
    redact('GET https://eleva.care/api/experts?email=a%40b.pt gave 500 for ana@eleva.care'),
    'GET https://eleva.care/api/experts?[removed] gave 500 for [email]',
  )
  t.equal(redact('postgres://u:p@db/x is down'), 'postgres://[removed] is down')
  t.end()
})

t.test('a refund stays, and whatever is not to the letter one goes', t => {
  const id = '3MmlLrLkdIwHu7ix0uRz0VeF'
  for (const line of [`re_${id}`, `refund re_${id}, of pi_1.`, `{"refunds":["re_${id}","re_1${id.slice(1)}"]}`]) {
    t.equal(redact(line), line)
  }
  const keys = [
    `re_${id.slice(0, 8)}_${id.slice(8)}`,
    `re_${id.slice(0, -1)}_`,
    `re_${id}_`,
    `re_${id}-`,
    `re_${id}a`,
    `re_${id.slice(1)}`,
    `re_${id.slice(1)}a`,
    `sig_re_${id}`,
    `x_re_${id}`,
    `x-re_${id}`,
    `sk_${id}`,
    `re_123456789`,
  ]
  for (const key of keys) t.notOk(redact(`it said ${key}.`).includes(key.slice(-9)), key)
  t.equal(redact(`RESEND_API_KEY=re_${id}`), 'RESEND_API_KEY=[removed]', 'by its name, whatever its form')
  t.end()
})

t.test('hostile text takes no longer than its length asks for', t => {
  const length = 100_000
  const pieces = [
    ...'a|A|1|é|@|.|-|_| |/|://|+|(| 1|1 |1-|a@|a.|é.|a-|%40|a%40|Aa1|Aa1_|2026-11-21|2026-11-21 |12345678-1234-'.split(
      '|',
    ),
    ...'eyJ|eyJaaaaaaaa|eyJaaaaaaaa.|sk_|sk_live_|re_|sig_re_|ya29.|_secret_|PT50|PT50 |AB12 CD34 |bearer |bearer'.split(
      '|',
    ),
    ...'token|token=|token"|token \\|secret_secret|password="|authorization|authorization:|heartbeat/'.split('|'),
    ...'http://|http://a@|http://a/|-----BEGIN PRIVATE KEY-----|-----BEGIN |\\|"|\n|\0|\ud800'.split('|'),
  ]
  redact('warm up')
  for (const piece of pieces) {
    for (const end of ['', '!', 'x', '@', '\n']) {
      const startedAt = performance.now()
      redact(piece.repeat(Math.ceil(length / piece.length)) + end)
      const tookMs = performance.now() - startedAt
      if (tookMs > 400) t.fail(`${JSON.stringify(piece)} took ${tookMs.toFixed(0)} ms`)
    }
  }
  t.pass('all of them')
  t.end()
})

t.test('a text that is too long is cut where no secret is split', t => {
  for (let shift = 0; shift < 60; shift += 1) {
    const secret = 'ana.maria.da.silva.costa.pereira@eleva.care'
    const text = `${'x '.repeat(49_970)}${'y'.repeat(shift)} ${secret} ${'z'.repeat(5_000)}`
    const clean = redact(text)
    t.notMatch(clean, 'ana')
    t.ok(clean.length < 101_000)
  }
  t.match(redact('w'.repeat(200_000)), / \[\d+ more characters\]$/)
  t.end()
})

t.test('the body of a fail is short, says what is needed, and tells no secret', t => {
  const failed = {
    job: 'keep-alive',
    runId: '0193a5b2-7c1e-7def-8abc-0123456789ab',
    attempt: 2,
    ofAttempts: 4,
    trigger: 'schedule',
    slot: new Date('2026-11-21T12:00:00Z'),
    durationMs: 1_234,
    report: { planned: 5, applied: 3, failed: 2, left: 0, waiting: 1, findings: 0, counts: { refreshed: 3 } },
    errorCode: 'items_failed',
    message: 'Clerk answered 500 for ana@eleva.care\nwith sk_live_51H8kQx2eZvKYlo2C',
  } as const
  t.equal(
    failBody(failed),
    [
      'keep-alive failed, attempt 2 of 4',
      'run 0193a5b2-7c1e-7def-8abc-0123456789ab (schedule, slot 2026-11-21T12:00:00.000Z, took 1.2 s)',
      'planned 5, applied 3, failed 2, left 0, waiting 1, findings 0, refreshed 3',
      'items_failed: Clerk answered 500 for [email] with [key]',
    ].join('\n'),
  )
  const bare = { slot: null, durationMs: null, report: null, errorCode: null, message: null } as const
  t.match(failBody({ ...failed, ...bare }), /^run \S+ \(schedule\)\nerror: no message$/m)

  const counts = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`${'€'.repeat(90)}${index}`, 2 ** 53]))
  const failures = [{ subject: 'ana@eleva.care', code: 'x', message: 'ana@eleva.care' }]
  const report = { ...failed.report, counts, failures }
  const longest = failBody({ ...failed, report, errorCode: '€'.repeat(500), message: '😀é'.repeat(5_000) })
  t.ok(Buffer.byteLength(longest) < 1_500, `${Buffer.byteLength(longest)} bytes`)
  t.notMatch(longest, /�|eleva\.care/)
  t.end()
})
